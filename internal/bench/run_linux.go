package bench

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// The sizes of the strings and attachments that events carry.
const (
	echoSize      = 100
	broadcastSize = 200
	binarySize    = 10 << 10
)

// Run runs a scenario once.
func Run(ctx context.Context, t Target, s Scenario, o Options) (Result, error) {
	if err := enoughFiles(s.Connections()); err != nil {
		return Result{}, err
	}
	switch s.Kind {
	case "idle":
		return measureIdle(ctx, t, s, o)
	case "echo":
		return measure(ctx, t, s, newEcho(s, echoSize), o)
	case "binary":
		return measure(ctx, t, s, newBinary(s, binarySize), o)
	case "broadcast":
		return measure(ctx, t, s, newBroadcast(s, broadcastSize), o)
	case "rooms":
		return measure(ctx, t, s, newRooms(s, echoSize), o)
	case "churn":
		if t.TLS == nil {
			return measureConnects(ctx, t, s, o)
		}
		return measureVisits(ctx, t, s, o, connectOnce)
	case "upgrade":
		return measureVisits(ctx, t, s, o, upgradeOnce)
	case "polling":
		return measurePolling(ctx, t, s, o)
	}
	return Result{}, fmt.Errorf("scenario %q is not known", s.Kind)
}

// enoughFiles raises the limit of open files if a scenario needs more.
func enoughFiles(conns int) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	need := uint64(2*100 + conns)
	if r.Cur >= need {
		return nil
	}
	if r.Max < need {
		return fmt.Errorf("%d connections need %d open files; the limit is %d (ulimit -n)", conns, need, r.Max)
	}
	r.Cur = r.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return nil
}
