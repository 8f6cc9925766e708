package sioedge

import (
	"context"
	"slices"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Target selects sessions of one namespace. It is a value: every method returns another one and
// changes nothing. To, ToSockets and ToUsers narrow it: called with no names at all they select
// nobody, which the edge refuses.
type Target struct {
	edge      *Edge
	namespace string
	everyone  bool // never what is left when the other fields are empty
	rooms     []string
	sids      []string
	users     []string
	except    []string // rooms or sids
	volatile  bool
	noWait    bool
	timeout   time.Duration
	ttl       time.Duration
}

// To adds the sessions in any of the rooms.
func (t Target) To(rooms ...string) Target {
	t.everyone = false
	t.rooms = append(slices.Clip(t.rooms), rooms...)
	return t
}

// ToSockets adds sessions by their ids.
func (t Target) ToSockets(sids ...string) Target {
	t.everyone = false
	t.sids = append(slices.Clip(t.sids), sids...)
	return t
}

// ToUsers adds all sessions of users.
func (t Target) ToUsers(ids ...string) Target {
	t.everyone = false
	t.users = append(slices.Clip(t.users), ids...)
	return t
}

// Except removes the sessions in any of the rooms and those with any of the ids.
func (t Target) Except(names ...string) Target {
	t.except = append(slices.Clip(t.except), names...)
	return t
}

// Volatile has Emit drop the event for clients that are away or cannot take it at once, and
// altogether while the edge is away. Emit does not wait then.
func (t Target) Volatile() Target {
	t.volatile = true
	return t
}

// NoWait has Emit and the other commands return once the command is queued for the edge; binary
// arguments must not be changed any more. A command that the edge refuses later is logged.
func (t Target) NoWait() Target {
	t.noWait = true
	return t
}

// Timeout is how long EmitWithAck lets clients take. Default: up to the context's deadline, or
// 10 s if it has none.
func (t Target) Timeout(d time.Duration) Target {
	t.timeout = d
	return t
}

// TTL has the event dropped for clients to which it was not written within d.
func (t Target) TTL(d time.Duration) Target {
	t.ttl = d
	return t
}

// Emit sends an event to the selected clients. It returns nil once the edge has taken it: clients
// that are away get it when they are back. When ctx ends first, the event may or may not have
// been sent. An edge that is away is waited for.
func (t Target) Emit(ctx context.Context, name string, args ...any) error {
	emit, err := t.emit(name, args)
	if err != nil {
		return err
	}
	if err := t.do(ctx, &pb.Command{Op: &pb.Command_Emit{Emit: emit}}); err != nil {
		return emitError(name, err)
	}
	return nil
}

// EmitWithAck sends an event to the selected clients and waits for what each of them answers. The
// answers are in the order of their arrival, one for every session that was selected. The error
// is about the command; what became of one recipient is its Answer.Outcome.
func (t Target) EmitWithAck(ctx context.Context, name string, args ...any) ([]Answer, error) {
	emit, err := t.emit(name, args)
	if err != nil {
		return nil, err
	}
	timeout := t.timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
		if end, ok := ctx.Deadline(); ok {
			timeout = max(time.Until(end), time.Millisecond)
		}
	}
	emit.Ack = &pb.AckRequest{Timeout: durationpb.New(timeout)}
	answers, err := t.edge.link.ask(ctx, &pb.Command{Op: &pb.Command_Emit{Emit: emit}}, timeout)
	if err != nil {
		return nil, emitError(name, err)
	}
	return answers, nil
}

// Join adds the selected sessions to rooms.
func (t Target) Join(ctx context.Context, rooms ...string) error {
	return t.do(ctx, &pb.Command{Op: &pb.Command_Join{Join: &pb.Join{Target: t.proto(), Rooms: slices.Clone(rooms)}}})
}

// Leave removes the selected sessions from rooms, or from every room if none is named.
func (t Target) Leave(ctx context.Context, rooms ...string) error {
	return t.do(ctx, &pb.Command{Op: &pb.Command_Leave{
		Leave: &pb.LeaveRooms{Target: t.proto(), Rooms: slices.Clone(rooms), All: len(rooms) == 0}}})
}

// Disconnect ends the selected sessions; with closeConnection, every session of their clients and
// the connections as well.
func (t Target) Disconnect(ctx context.Context, closeConnection bool) error {
	return t.do(ctx, &pb.Command{Op: &pb.Command_Disconnect{
		Disconnect: &pb.Disconnect{Target: t.proto(), CloseConnection: closeConnection}}})
}

func (t Target) do(ctx context.Context, cmd *pb.Command) error {
	switch {
	case t.volatile:
		return t.edge.link.offer(ctx, cmd)
	case t.noWait:
		return t.edge.link.queue(ctx, cmd)
	default:
		return t.edge.link.execute(ctx, cmd)
	}
}

func (t Target) emit(name string, args []any) (*pb.Emit, error) {
	payload, err := encodeArgs(args)
	if err != nil {
		return nil, emitError(name, err)
	}
	emit := &pb.Emit{Target: t.proto(), Event: name, Payload: payload, Volatile: t.volatile}
	if t.ttl > 0 {
		emit.Ttl = durationpb.New(t.ttl)
	}
	return emit, nil
}

func (t Target) proto() *pb.Target {
	return &pb.Target{
		Namespace:   t.namespace,
		Rooms:       t.rooms,
		Sids:        t.sids,
		UserIds:     t.users,
		Everyone:    t.everyone,
		ExceptRooms: t.except,
		ExceptSids:  t.except,
	}
}
