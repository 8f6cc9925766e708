package sioedge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Socket is one client in one namespace: a session of the edge. It outlives connections. Its
// methods may be called from any goroutine, also after the session has ended.
type Socket struct {
	// Static after construction.
	edge      *Edge
	ns        *Namespace // whose handlers serve it
	id        string
	namespace string

	inbox inbox // what was delivered and is not handled

	mu         sync.Mutex // guards the following fields
	phase      phase
	user       string
	attributes map[string]string
	rooms      []string
	auth       Auth
	handshake  Handshake
	recovered  bool
	decision   *pb.Accept // while OnConnect runs: what it has asked for so far
}

// phase is where a Socket is in its life, as far as this process knows.
type phase uint8

const (
	connecting phase = iota
	open
	suspended
	closed
)

// errNotConnecting says that something is possible in OnConnect only.
var errNotConnecting = errors.New("sioedge: only while OnConnect runs")

// ID is the socket id that the client sees as socket.id.
func (s *Socket) ID() string { return s.id }

// Namespace is the namespace that the client joined.
func (s *Socket) Namespace() string { return s.namespace }

// Auth is what the client gave as auth when it connected, the last time if it came back. The edge
// tells it to a process that starts, or gets the session from another, while the client is there.
func (s *Socket) Auth() Auth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auth
}

// Handshake is the request that opened the client's current connection.
func (s *Socket) Handshake() Handshake {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handshake
}

// Recovered says whether the client came back to its session and has missed nothing. In OnConnect
// it says that the client asks for its former session.
func (s *Socket) Recovered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recovered
}

// Connected says whether the client is there: neither away nor gone for good.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == open
}

// User is the user behind the client, as set in OnConnect.
func (s *Socket) User() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

// SetUser says who the client is, for Namespace.ToUsers. It works in OnConnect only: the user of a
// session never changes, and a session is resumed for the same user only.
func (s *Socket) SetUser(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decision == nil {
		return fmt.Errorf("set user: %w", errNotConnecting)
	}
	s.user, s.decision.UserId = id, id
	return nil
}

// Get returns an attribute, empty if it was not set.
func (s *Socket) Get(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attributes[key]
}

// Set keeps an attribute with the session, at the edge: it survives this process and comes with
// the session to any other. All attributes of a session together hold at most 64 KiB.
func (s *Socket) Set(key, value string) error {
	s.mu.Lock()
	s.attributes = maps.Clone(s.attributes)
	if s.attributes == nil {
		s.attributes = make(map[string]string, 1)
	}
	s.attributes[key] = value
	if s.decision != nil {
		s.decision.Attributes = s.attributes
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.command(&pb.Command{Op: &pb.Command_Update{Update: &pb.UpdateSession{
		Sid: s.id, Namespace: s.namespace, Set: map[string]string{key: value}}}})
}

// Rooms is the rooms that the socket is in. What other processes made it join or leave is seen
// once the handlers of the events before have returned.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rooms)
}

// Join adds the socket to rooms. It does not wait: what is emitted to the rooms afterwards reaches
// the socket.
func (s *Socket) Join(rooms ...string) error {
	s.mu.Lock()
	for _, room := range rooms {
		if !slices.Contains(s.rooms, room) {
			s.rooms = append(s.rooms, room)
		}
	}
	if s.decision != nil {
		s.decision.Rooms = slices.Clone(s.rooms)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.command(&pb.Command{Op: &pb.Command_Join{Join: &pb.Join{Target: s.self().proto(), Rooms: slices.Clone(rooms)}}})
}

// Leave removes the socket from rooms, without waiting.
func (s *Socket) Leave(rooms ...string) error {
	s.mu.Lock()
	s.rooms = slices.DeleteFunc(s.rooms, func(room string) bool { return slices.Contains(rooms, room) })
	if s.decision != nil {
		s.decision.Rooms = slices.Clone(s.rooms)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.command(&pb.Command{Op: &pb.Command_Leave{Leave: &pb.LeaveRooms{Target: s.self().proto(), Rooms: slices.Clone(rooms)}}})
}

// Disconnect ends the session, without waiting; with closeConnection, every session of the client
// and its connection as well. OnDisconnect follows. To refuse a client in OnConnect return Reject.
func (s *Socket) Disconnect(closeConnection bool) error {
	return s.command(&pb.Command{Op: &pb.Command_Disconnect{
		Disconnect: &pb.Disconnect{Target: s.self().proto(), CloseConnection: closeConnection}}})
}

// Emit sends an event to the client. In OnConnect it becomes part of the greeting, which a client
// that comes in receives first. Otherwise see Target.Emit.
func (s *Socket) Emit(ctx context.Context, name string, args ...any) error {
	s.mu.Lock()
	connecting := s.decision != nil
	s.mu.Unlock()
	if !connecting {
		return s.self().Emit(ctx, name, args...)
	}
	payload, err := encodeArgs(args)
	if err != nil {
		return emitError(name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decision == nil {
		return emitError(name, errNotConnecting)
	}
	s.decision.Greeting = append(s.decision.Greeting, &pb.Emit{Event: name, Payload: payload})
	return nil
}

// EmitWithAck sends an event to the client and returns what it answers. It waits until the
// context's deadline, or 10 s if it has none. A client that does not answer is an error: TimedOut,
// Disconnected or Dropped.
func (s *Socket) EmitWithAck(ctx context.Context, name string, args ...any) (Args, error) {
	answers, err := s.self().EmitWithAck(ctx, name, args...)
	if err != nil {
		return Args{}, err
	}
	if len(answers) == 0 {
		return Args{}, emitError(name, Disconnected)
	}
	if answers[0].Outcome != Acked {
		return Args{}, emitError(name, answers[0].Outcome)
	}
	return answers[0].Args, nil
}

// To selects the sessions in any of the rooms, less this one.
func (s *Socket) To(rooms ...string) Target { return s.Broadcast().To(rooms...) }

// Broadcast selects every session of the namespace, less this one.
func (s *Socket) Broadcast() Target {
	return Target{edge: s.edge, namespace: s.namespace, everyone: true, except: []string{s.id}}
}

// Volatile selects this session for an emit that is dropped if it cannot be written at once.
func (s *Socket) Volatile() Target { return s.self().Volatile() }

// NoWait selects this session for an emit that is only queued.
func (s *Socket) NoWait() Target { return s.self().NoWait() }

// self selects this session.
func (s *Socket) self() Target {
	return Target{edge: s.edge, namespace: s.namespace, sids: []string{s.id}}
}

func (s *Socket) command(cmd *pb.Command) error {
	return s.edge.link.queue(context.Background(), cmd)
}

// visible says whether the session has begun and not ended.
func (s *Socket) visible() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == open || s.phase == suspended
}

// update takes over what the edge says of the session.
func (s *Socket) update(p *pb.Session) {
	if p == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = open
	switch p.GetState() {
	case pb.SessionState_SESSION_STATE_SUSPENDED:
		s.phase = suspended
	case pb.SessionState_SESSION_STATE_CLOSED:
		s.phase = closed
	}
	s.user, s.attributes, s.rooms = p.GetUserId(), p.GetAttributes(), p.GetRooms()
	s.recovered = p.GetRecovered()
	if p.GetHandshake() != nil {
		s.handshake = newHandshake(p.GetHandshake())
	}
	if len(p.GetAuthJson()) > 0 {
		s.auth = Auth(p.GetAuthJson())
	}
}

// changed takes over which rooms others made the session join or leave.
func (s *Socket) changed(c *pb.SessionChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rooms := slices.Clone(s.rooms)
	if c.GetAllRooms() {
		rooms = nil
	}
	rooms = slices.DeleteFunc(rooms, func(room string) bool { return slices.Contains(c.GetLeft(), room) })
	for _, room := range c.GetJoined() {
		if !slices.Contains(rooms, room) {
			rooms = append(rooms, room)
		}
	}
	s.rooms = rooms
}
