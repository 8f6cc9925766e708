package sioedge

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Edge is this process as a member of a group of an edge. It is also the namespace "/".
type Edge struct {
	*Namespace

	// Static after construction.
	cfg      config
	link     *link
	table    *table
	done     *doneSet
	held     *heldAnswers
	dispatch *dispatcher
	others   *Socket // in whose turn it is heard what other members say
	statuses *statuses
	finished chan struct{} // closed when Run has returned

	running atomic.Bool
	handler context.Context // of handlers; set by Run before the first of them

	mu         sync.Mutex // guards the following fields
	namespaces []*Namespace
	stop       context.CancelFunc // of Run
	stopped    bool               // Close was called
}

// New makes an Edge for the edge at addr, "host:port" of its port for backends. It connects to
// nothing: Run does.
func New(addr string, opts ...Option) *Edge {
	cfg := defaults()
	for _, opt := range opts {
		opt(&cfg)
	}
	e := &Edge{
		cfg:      cfg,
		table:    newTable(),
		done:     newDoneSet(),
		held:     newHeldAnswers(),
		others:   &Socket{},
		statuses: newStatuses(),
		finished: make(chan struct{}),
	}
	e.dispatch = newDispatcher(e.handle, cfg.concurrency)
	e.link = newLink(e, addr)
	e.Namespace = e.Of("/")
	return e
}

// Of returns the namespace called name. The name may be a pattern with *, such as "/tenant-*": its
// handlers serve every matching namespace that has none of its own, and Socket.Namespace tells
// which. To send to clients name the namespace exactly.
func (e *Edge) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.namespaces {
		if n.name == name {
			return n
		}
	}
	n := &Namespace{edge: e, name: name, events: make(map[string]*binding)}
	e.namespaces = append(e.namespaces, n)
	return n
}

// serving returns the namespace whose handlers serve the clients of name.
func (e *Edge) serving(name string) *Namespace {
	e.mu.Lock()
	defer e.mu.Unlock()
	var match *Namespace
	for _, n := range e.namespaces {
		if n.name == name && n.used() {
			return n
		}
		if match == nil && n.matches(name) {
			match = n
		}
	}
	if match == nil {
		match = &Namespace{edge: e, name: name} // nobody's: its events are settled and that is all
	}
	return match
}

func (e *Edge) routes() []*pb.Route {
	e.mu.Lock()
	defer e.mu.Unlock()
	var routes []*pb.Route
	for _, n := range e.namespaces {
		if n.used() {
			routes = append(routes, n.routes()...)
		}
	}
	return routes
}

// Run attaches to the edge and calls handlers until ctx ends, through any number of lost
// connections. When ctx ends it takes nothing new, lets running handlers finish, hands what is
// left to other members and returns nil. It returns an error if the edge will not have this
// process, ErrFenced when another one has taken its place. It can be called once.
func (e *Edge) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if e.running.Swap(true) {
		return fmt.Errorf("run: %w", ErrClosed)
	}
	e.mu.Lock()
	e.stop = cancel
	if e.stopped {
		cancel()
	}
	e.mu.Unlock()
	defer close(e.finished)

	handlers, cancelHandlers := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelHandlers()
	e.handler = handlers

	err := e.link.run(ctx)
	if !e.dispatch.idleWithin(e.cfg.drain) {
		cancelHandlers()
		if !e.dispatch.idleWithin(time.Second) {
			e.cfg.log.Warn("handlers do not end with their context; left behind", "group", e.cfg.group)
		}
	}
	e.dispatch.close()
	e.link.close()
	e.statuses.close()
	return err
}

// Close ends Run and waits for it to return, at most until ctx ends.
func (e *Edge) Close(ctx context.Context) error {
	e.mu.Lock()
	e.stopped = true
	if e.stop != nil {
		e.stop()
	}
	e.mu.Unlock()
	if !e.running.Swap(true) { // there is no Run to end
		close(e.finished)
		e.link.close()
		if e.link.conn == nil {
			return nil
		}
		return e.link.conn.Close()
	}
	select {
	case <-e.finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Edge) mustNotRun(what string) {
	if e.running.Load() {
		panic("sioedge: " + what + " after Run")
	}
}
