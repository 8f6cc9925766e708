package sioedge

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Namespace holds the handlers for the clients of one namespace, or of all that match a pattern.
// Handlers are registered before Run; registering one later panics.
type Namespace struct {
	// Static after construction.
	edge *Edge
	name string

	// Written before Run, read-only afterwards.
	onConnect    func(context.Context, *Socket) error
	onOpen       func(context.Context, *Socket) error
	onDisconnect func(context.Context, *Socket, Reason)
	onSuspend    func(context.Context, *Socket, Reason)
	onResume     func(context.Context, *Socket)
	onAny        func(context.Context, *Socket, string, Args) error
	events       map[string]*binding
	told         map[string]toldHandler
}

// OnConnect decides whether a client may join. Returning nil lets it in, with the rooms, the user
// and the attributes that fn gave the socket; what fn emitted to the socket is the first that the
// client receives. Returning Reject refuses it. Any other error leaves the question open: the edge
// asks again, and closes the connection when nobody answers in time, so that the client tries
// again by itself. The context ends when it is too late to answer.
//
// Without OnConnect everyone comes in, while this process is away too.
func (n *Namespace) OnConnect(fn func(ctx context.Context, s *Socket) error) {
	n.edge.mustNotRun("OnConnect")
	n.onConnect = fn
}

// OnOpen is told that a client has joined. Its error hands the event back.
func (n *Namespace) OnOpen(fn func(ctx context.Context, s *Socket) error) {
	n.edge.mustNotRun("OnOpen")
	n.onOpen = fn
}

// OnDisconnect is told that a session has ended, exactly once for each that began. The socket
// still knows its rooms, user and attributes.
func (n *Namespace) OnDisconnect(fn func(ctx context.Context, s *Socket, why Reason)) {
	n.edge.mustNotRun("OnDisconnect")
	n.onDisconnect = fn
}

// OnSuspend is told that a client's connection was lost and that its session waits for it. What
// is emitted to it meanwhile is kept for it.
func (n *Namespace) OnSuspend(fn func(ctx context.Context, s *Socket, why Reason)) {
	n.edge.mustNotRun("OnSuspend")
	n.onSuspend = fn
}

// OnResume is told that a client is back in its session. Socket.Recovered says whether it has
// missed nothing.
func (n *Namespace) OnResume(fn func(ctx context.Context, s *Socket)) {
	n.edge.mustNotRun("OnResume")
	n.onResume = fn
}

// On handles the event name. fn is
//
//	func(ctx context.Context, s *sioedge.Socket, args…) (results…, error)
//
// with any number of args and results, see the package comment. The results call the client's
// acknowledgement callback; a handler without results calls it with nothing. On panics if fn is
// no such function or name has a handler already.
func (n *Namespace) On(name string, fn any) {
	n.edge.mustNotRun("On")
	if n.events[name] != nil {
		panic(fmt.Sprintf("sioedge: event %q of namespace %q has two handlers", name, n.name))
	}
	b, err := bind(fn)
	if err != nil {
		panic(fmt.Sprintf("sioedge: handler of %q: %v", name, err))
	}
	n.events[name] = b
}

// OnAny is told every event of every client, before the event's own handler. Its error hands the
// event back, and the own handler does not run.
func (n *Namespace) OnAny(fn func(ctx context.Context, s *Socket, name string, args Args) error) {
	n.edge.mustNotRun("OnAny")
	n.onAny = fn
}

// Everyone selects every session of the namespace.
func (n *Namespace) Everyone() Target { return Target{edge: n.edge, namespace: n.name, everyone: true} }

// To selects the sessions in any of the rooms.
func (n *Namespace) To(rooms ...string) Target { return n.Everyone().To(rooms...) }

// ToSockets selects sessions by their ids.
func (n *Namespace) ToSockets(sids ...string) Target { return n.Everyone().ToSockets(sids...) }

// ToUsers selects all sessions of users.
func (n *Namespace) ToUsers(ids ...string) Target { return n.Everyone().ToUsers(ids...) }

// Except selects every session but those in any of the rooms or with any of the ids.
func (n *Namespace) Except(names ...string) Target { return n.Everyone().Except(names...) }

// Volatile selects every session for an emit that is dropped where it cannot be written at once.
func (n *Namespace) Volatile() Target { return n.Everyone().Volatile() }

// Timeout selects every session for an emit with an acknowledgement.
func (n *Namespace) Timeout(d time.Duration) Target { return n.Everyone().Timeout(d) }

// Emit sends an event to every session of the namespace. See Target.Emit.
func (n *Namespace) Emit(ctx context.Context, name string, args ...any) error {
	return n.Everyone().Emit(ctx, name, args...)
}

// Fetch asks the edge for every session of the namespace, those of other members too.
func (n *Namespace) Fetch(ctx context.Context) ([]Session, error) { return n.Everyone().Fetch(ctx) }

// Count asks the edge how many sessions the namespace has.
func (n *Namespace) Count(ctx context.Context) (Count, error) { return n.Everyone().Count(ctx) }

// Sockets is the sessions of this member as they are when the loop begins. Those of other members
// are found by Fetch.
func (n *Namespace) Sockets() iter.Seq[*Socket] { return n.edge.table.sockets(n) }

// Socket returns the session with this id, or nil if it is not one of this member.
func (n *Namespace) Socket(sid string) *Socket {
	s := n.edge.table.get(sid)
	if s == nil || s.ns != n || !s.visible() {
		return nil
	}
	return s
}

// routes is what the handlers want of the edge. The kinds of a session's life are always wanted,
// since the table of sockets lives on them.
func (n *Namespace) routes() []*pb.Route {
	life := &pb.Route{Namespace: n.name, Kinds: []pb.EventKind{
		pb.EventKind_EVENT_KIND_OPENED, pb.EventKind_EVENT_KIND_SUSPENDED,
		pb.EventKind_EVENT_KIND_RESUMED, pb.EventKind_EVENT_KIND_CLOSED,
	}}
	if n.onConnect != nil {
		life.Kinds = append(life.Kinds, pb.EventKind_EVENT_KIND_CONNECT_REQUESTED)
	}
	client := &pb.Route{Namespace: n.name, Kinds: []pb.EventKind{pb.EventKind_EVENT_KIND_CLIENT_EVENT}}
	if n.onAny == nil {
		for name := range n.events {
			client.Events = append(client.Events, name)
		}
		if len(client.Events) == 0 {
			return []*pb.Route{life}
		}
	}
	return []*pb.Route{life, client}
}

// used says whether clients of the namespace concern this process.
func (n *Namespace) used() bool {
	return n.onConnect != nil || n.onOpen != nil || n.onDisconnect != nil || n.onSuspend != nil ||
		n.onResume != nil || n.onAny != nil || len(n.events) > 0
}

// matches says whether the namespace's name, which may hold *, covers name.
func (n *Namespace) matches(name string) bool {
	parts := strings.Split(n.name, "*")
	if len(parts) == 1 {
		return n.name == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return len(rest) >= len(parts[last]) && strings.HasSuffix(rest, parts[last])
}
