package sioedge

import (
	"context"
	"iter"
	"sync"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Status is how the connection to the edge stands: Connecting, Attached, Draining or Lost.
type Status interface{ isStatus() }

// Connecting says that the edge is being called.
type Connecting struct{ Addr string }

// Attached says that events flow.
type Attached struct {
	EdgeID  string
	Epoch   uint64 // counts the starts of the edge
	Version string
	Resume  Resume
}

// Draining says that the edge will stop. Nothing needs to be done.
type Draining struct{ Within time.Duration }

// Lost says that the connection ended. It is tried again after Retry.
type Lost struct {
	Err   error
	Retry time.Duration
}

func (Connecting) isStatus() {}
func (Attached) isStatus()   {}
func (Draining) isStatus()   {}
func (Lost) isStatus()       {}

// Resume is what this process knows after it has attached.
type Resume uint8

// The outcomes of attaching.
const (
	Fresh       Resume = iota + 1 // it was not attached before; it has been told its sessions
	Continued                     // it has missed nothing
	Snapshotted                   // it was away too long; it has been told its sessions anew
)

func (r Resume) String() string {
	return [...]string{"", "fresh", "continued", "snapshot"}[min(r, Snapshotted)]
}

func newAttached(w *pb.Welcome) Attached {
	return Attached{EdgeID: w.GetEdgeId(), Epoch: w.GetEpoch(), Version: w.GetVersion(), Resume: Resume(w.GetResume())}
}

// statuses is a list that grows at its end; whoever watches holds on to the entry it has seen.
type statuses struct {
	mu   sync.Mutex // guards the following field
	last *statusEntry
}

type statusEntry struct {
	status Status
	next   *statusEntry
	ready  chan struct{} // closed when next is set; next stays nil at the end of Run
}

func newStatuses() *statuses {
	return &statuses{last: &statusEntry{ready: make(chan struct{})}}
}

func (s *statuses) add(status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &statusEntry{status: status, ready: make(chan struct{})}
	s.last.next = next
	close(s.last.ready)
	s.last = next
}

func (s *statuses) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.last.ready)
}

// Status is the present state of the connection and then every change of it, until ctx or Run
// ends. Any number of loops may watch; a slow one misses nothing.
func (e *Edge) Status(ctx context.Context) iter.Seq[Status] {
	e.statuses.mu.Lock()
	at := e.statuses.last
	e.statuses.mu.Unlock()
	return func(yield func(Status) bool) {
		for entry := at; ; {
			if entry.status != nil && !yield(entry.status) {
				return
			}
			select {
			case <-entry.ready:
			case <-ctx.Done():
				return
			}
			if entry = entry.next; entry == nil {
				return
			}
		}
	}
}
