// Package audit keeps a record of who was let in, who was not, and what passed from one to another:
// what somebody has to be able to look up after an incident, and nobody should be able to change
// without a trace.
package audit

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// New returns a logger whose records go to log, in the group "audit", and as lines of JSON to file,
// which may be nil.
func New(log *slog.Logger, file io.Writer, options *slog.HandlerOptions) *slog.Logger {
	grouped := log.Handler().WithGroup("audit")
	if file == nil {
		return slog.New(grouped)
	}
	return slog.New(slog.NewMultiHandler(grouped, slog.NewJSONHandler(file, options)))
}

// Failures counts clients that could not prove who they are, and tells of them now and then: under
// attack one line each would bury everything else. All methods may be called concurrently.
type Failures struct {
	log *slog.Logger // static

	mu     sync.Mutex // guards the following
	counts map[failure]int
}

type failure struct{ reason, network string }

// failureInterval is how often Failures tells of what it has counted.
const failureInterval = 10 * time.Second

// maxFailures bounds the networks that are told apart at the same time.
const maxFailures = 1000

// NewFailures returns Failures that tell log.
func NewFailures(log *slog.Logger) *Failures {
	return &Failures{log: log, counts: make(map[failure]int)}
}

// Add counts a failure. reason is one of a few; remoteAddr is host and port.
func (f *Failures) Add(reason, remoteAddr string) {
	k := failure{reason, "unknown"}
	if a, err := netip.ParseAddrPort(remoteAddr); err == nil {
		bits := 48
		if a.Addr().Unmap().Is4() {
			bits = 24
		}
		if p, err := a.Addr().Unmap().Prefix(bits); err == nil {
			k.network = p.String()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.counts[k]; !known && len(f.counts) >= maxFailures {
		k.network = "others"
	}
	f.counts[k]++
}

// Run tells of failures until ctx ends, the last time then.
func (f *Failures) Run(ctx context.Context) {
	tick := time.NewTicker(failureInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.tell()
			return
		case <-tick.C:
			f.tell()
		}
	}
}

func (f *Failures) tell() {
	f.mu.Lock()
	counts := f.counts
	if len(counts) > 0 {
		f.counts = make(map[failure]int)
	}
	f.mu.Unlock()
	for k, n := range counts {
		f.log.Info("clients did not prove who they are", "reason", k.reason, "network", k.network, "count", n)
	}
}
