package socketio

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Socket is one client in one namespace: what backends call a session.
type Socket struct {
	// Static after construction.
	SID      string
	Nsp      *Namespace
	openedAt int64  // Unix nanoseconds
	key      uint64 // of its record; 0: it has none

	// A backend ended the session and the client may not know yet: what it sends is ignored.
	evicted atomic.Bool
	// recovered is guarded by Nsp.mu, like the fields below; in this place it costs no memory.
	recovered bool
	undecided bool // nobody was asked about the client, for want of a group that decides; likewise

	mu      sync.Mutex // guards the following, and the order of this session's events
	state   State
	paused  bool
	absence uint32  // counts the losses of the connection
	client  *client // who may speak for the session; nil while away
	seq     uint64  // of the last event

	// Guarded by Nsp.mu.
	conn     *engineio.Socket // where its packets go; nil while away
	pid      privateID        // what the client resumes with; zero without recovery
	userID   string
	auth     *string // what the client gave on its connection; nil: nothing
	attrs    map[string]string
	rooms    []membership
	left     []absenceFromRoom // rooms it was in, as long as the packet log reaches back
	waits    []uint64          // acknowledgements it owes
	revision uint64
	savedSeq uint64        // seq at the last change that was recorded
	until    time.Duration // of the Server's life: when it ends; 0 unless it is away
	reason   Reason        // why it is away
	start    uint64        // packets of the log after this one can be its own
	last     uint64        // the last packet of the log that is its own
	acked    uint64        // the client has every packet of its own up to this one
	index    int32         // in Nsp.all
	mark     uint32        // equals Nsp.mark when the selection at hand has met it
	proof    *proof        // nil: nothing is known of its client
}

func newSocket(n *Namespace) *Socket {
	s := &Socket{SID: newID(), Nsp: n, openedAt: time.Now().UnixNano()}
	if n.recovery && n.srv.store != nil {
		s.key = n.srv.lastKey.Add(1)
	}
	return s
}

// open begins the session. It returns false if its namespace has been forgotten.
//
// With a Store the client and the groups learn of it only once its record is on disk: a kill at
// any instant leaves no session that only one side knows. What is emitted to it meanwhile it gets
// like one that was away.
func (s *Socket) open(r *request, a *Accept, f *Flush) bool {
	n, c := s.Nsp, r.c
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.attach(s) {
		return true // the client has gone, and nobody was told of it
	}
	c.conn.Joined()
	s.client = c
	n.mu.Lock()
	if n.gone {
		n.mu.Unlock()
		c.detach(s)
		return false
	}
	s.userID, s.attrs, s.revision, s.savedSeq = a.UserID, a.Attributes, 1, 1
	s.auth = r.copyAuth()
	if n.recovery {
		r.pid = newID()
		s.pid = privateIDOf(r.pid)
	}
	s.undecided = r.undecided
	n.addLocked(s)
	s.proveLocked(r)
	if n.srv.cfg.Binding != engineio.BindNothing {
		s.leftLocked(c.conn.Handshake) // no record may be without it
	}
	for _, room := range a.Rooms {
		n.joinLocked(s, room)
	}
	if s.key == 0 {
		s.connectLocked(r.pid, f)
	}
	for _, e := range a.Greeting {
		e.Target = Target{Namespace: n.Name, SIDs: []string{s.SID}}
		n.emitLocked(e, f)
	}
	now := s.sessionLocked(c.conn)
	n.mu.Unlock()
	now.Connection = c.id()
	ev := &Event{Kind: Opened, Life: &Life{Session: now, Auth: r.auth}}
	if s.key == 0 {
		s.state = Open
		s.deliver(ev)
		r.answered()
		return true
	}
	s.deliver(ev)
	n.srv.opening.Add(1)
	n.srv.store.Committed(func(error) { // without a disk the session lives in memory
		go func() { // awaited by Server.Close
			defer n.srv.opening.Done()
			var f Flush
			s.welcome(r.pid, &f)
			n.srv.backend.Release(ev)
			f.Do()
			r.answered()
		}()
	})
	return true
}

// welcome tells the client that it is in, once the session is on disk.
func (s *Socket) welcome(pid string, f *Flush) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Connecting {
		return // the client has gone, or a backend has ended the session
	}
	s.state = Open
	s.Nsp.mu.Lock()
	defer s.Nsp.mu.Unlock()
	s.connectLocked(pid, f)
	s.Nsp.replayLocked(s, "", f)
}

// connectLocked sends packets to the client from now on, the CONNECT reply first: nothing can
// overtake it.
func (s *Socket) connectLocked(pid string, f *Flush) {
	n := s.Nsp
	n.carryLocked(s, s.client.conn)
	s.client.queue(packetSize, func(b []byte) []byte { return sio.AppendConnect(b, n.Name, s.SID, pid) }, nil, f)
}

// deliver numbers the event, records what it says of the session's life, and hands it up. s.mu
// is held.
func (s *Socket) deliver(ev *Event) {
	n := s.Nsp
	n.counts.Events[ev.Kind].Add(1)
	s.seq++
	ev.Socket, ev.Seq, ev.At = s, s.seq, time.Now()
	if ev.Kind == ClientEvent || s.key == 0 {
		if !n.srv.backend.Deliver(ev) && s.client != nil {
			s.client.conn.Pause()
			s.paused = true
		}
		return
	}
	ev.Held = true
	n.srv.store.Together(func() {
		n.mu.Lock()
		s.savedSeq = s.seq
		if ev.Kind == Closed {
			n.srv.store.SaveSession(s.key, nil)
		} else {
			n.saveLifeLocked(s)
		}
		n.mu.Unlock()
		n.srv.backend.Deliver(ev)
	})
	if ev.Kind != Opened {
		n.srv.store.Committed(func(error) { n.srv.backend.Release(ev) })
	}
}

// changed tells that the session is not as its events have told: see Change.
func (s *Socket) changed(rooms []string, by any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Ended {
		s.Nsp.srv.backend.Changed(Change{Socket: s, Rooms: rooms, By: by})
	}
}

// receive hands up what the client emitted.
func (s *Socket) receive(c *client, p *sio.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.client != c:
		return // of a connection that has lost the session to another, or after a backend's end
	case s.state == Connecting:
		c.fail(ForcedServerClose) // before it was let in
		return
	}
	ev := &Event{Kind: ClientEvent, NumericName: p.NumericName, Args: p.Data, Attachments: p.Attachments,
		// The name lies in the packet's buffer, which nobody writes to any more.
		Name: unsafe.String(unsafe.SliceData(p.Name), len(p.Name)), WantsReply: p.HasID, ackID: p.ID}
	if t := s.Nsp.srv.cfg.Trace; t != nil {
		ev.Trace = t.Follow(time.Now(), s.Nsp.Name, ev.Name, s.SID, ev.Size())
	}
	s.deliver(ev)
}

// Unpause reads again from a client that a full queue had stopped. Any goroutine may call it,
// without a lock that Deliver takes.
func (s *Socket) Unpause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused && s.client != nil {
		s.client.conn.Unpause()
	}
	s.paused = false
}

// Reply answers the callback of the client's event. The error is an *Error: there is nobody to
// answer. Such a reply is not kept, as a stock client forgets its callbacks with the connection.
func (s *Server) Reply(ev *Event, args []byte, attachments [][]byte, f *Flush) error {
	if err := s.CheckArgs(&args, attachments); err != nil {
		return err
	}
	k := ev.Socket
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state != Open {
		return &Error{SessionGone, "reply: the client has gone"}
	}
	k.Nsp.counts.Replies.Add(1)
	k.client.queue(32+len(k.Nsp.Name)+len(args), func(b []byte) []byte {
		return sio.AppendAck(b, k.Nsp.Name, ev.ackID, args, len(attachments))
	}, attachments, f)
	return nil
}

// lost tells the session that c, its connection, has gone.
func (s *Socket) lost(c *client, r Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return
	}
	if s.state == Open && s.Nsp.recovery && r.recoverable() {
		s.suspend(r)
	} else {
		s.finish(r)
	}
}

// end is the client's own goodbye.
func (s *Socket) end(c *client, r Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c || s.state != Open {
		return
	}
	s.finish(r)
	c.detach(s)
}

// evict is a goodbye that is not the client's. It returns the client to be told, nil if there is
// none, and whether there was a session to end.
func (s *Socket) evict(r Reason) (*client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Ended {
		return nil, false
	}
	c := s.client
	s.evicted.Store(true)
	s.finish(r)
	return c, true
}

// finish ends the session for good and says so, exactly once. s.mu is held.
func (s *Socket) finish(r Reason) {
	n := s.Nsp
	n.mu.Lock()
	last := s.sessionLocked(nil)
	last.State = Ended
	s.auth = nil
	s.unproveLocked()
	empty := n.removeLocked(s)
	n.mu.Unlock()
	s.state, s.client, s.paused = Ended, nil, false
	s.deliver(&Event{Kind: Closed, Life: &Life{Session: last, Reason: r}})
	if empty {
		n.srv.forget(n)
	}
}

// sessionLocked copies the state, but for Connection; conn is what carries the session. Nsp.mu is
// held.
func (s *Socket) sessionLocked(conn *engineio.Socket) Session {
	k := Session{SID: s.SID, Namespace: s.Nsp.Name, UserID: s.userID, State: Away,
		OpenedAt: time.Unix(0, s.openedAt), Revision: s.revision, Recovered: s.recovered}
	if len(s.attrs) > 0 {
		k.Attributes = make(map[string]string, len(s.attrs))
		for name, v := range s.attrs {
			k.Attributes[name] = v
		}
	}
	for _, m := range s.rooms {
		k.Rooms = append(k.Rooms, m.room.name)
	}
	if conn != nil {
		k.State, k.Transport, k.Handshake = Open, conn.Transport(), conn.Handshake
	}
	return k
}

// inRoomLocked says whether the session was in the room when the packet was emitted.
func (s *Socket) inRoomLocked(room string, offset uint64) bool {
	return slices.ContainsFunc(s.rooms, func(m membership) bool { return m.room.name == room && m.since < offset }) ||
		slices.ContainsFunc(s.left, func(l absenceFromRoom) bool {
			return l.room == room && l.since < offset && offset <= l.until
		})
}
