package control

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// quota bounds the commands of one stream: a bucket that holds what may come in a second. Who
// empties it is read more slowly, which the flow control of gRPC carries to the backend. A paused
// stream holds up its own acks and replies too, so the commands of who keeps pushing for patience
// are refused until the bucket has recovered, which takes a tenth of the time.
type quota struct {
	rate float64 // commands a second; 0: any number

	tokens float64   // below 0: owed
	at     time.Time // when tokens was right
	since  time.Time // when the bucket was empty first and has not been half full again; zero: it was
}

// patience is how long a stream is slowed before commands above its quota are refused.
const patience = 5 * time.Second

// take takes n commands at a time and says how long to wait before they are done or refused.
func (q *quota) take(n int, now time.Time) (wait time.Duration, refused bool) {
	if q.at.IsZero() {
		q.tokens = q.rate
	} else {
		q.tokens = min(q.rate, q.tokens+now.Sub(q.at).Seconds()*q.rate)
	}
	q.at = now
	left := q.tokens - float64(n)
	switch {
	case left >= q.rate/2:
		q.since = time.Time{}
	case left >= 0:
	case q.since.IsZero():
		q.since = now
	case now.Sub(q.since) >= patience:
		return time.Duration(float64(n) / (10 * q.rate) * float64(time.Second)), true // saying no costs too
	}
	q.tokens = left
	return time.Duration(max(-left, 0) / q.rate * float64(time.Second)), false
}

// admit waits until the stream may go on with so many commands. false: they are refused.
func (q *quota) admit(ctx context.Context, n int) (bool, error) {
	wait, refused := q.take(n, time.Now())
	if wait == 0 {
		return !refused, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return !refused, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// refuse makes the results of commands above the quota. They are not remembered: the same
// commands may come again.
func (q *quota) refuse(cmds []*pb.Command) []*pb.CommandResult {
	status := convert.Failure(codes.ResourceExhausted, "COMMANDS_TOO_FAST",
		fmt.Sprintf("more than %.0f commands a second on this stream for %v", q.rate, patience)).Proto()
	results := make([]*pb.CommandResult, 0, len(cmds))
	for _, cmd := range cmds {
		results = append(results, &pb.CommandResult{CommandId: cmd.CommandId, Status: status})
	}
	return results
}
