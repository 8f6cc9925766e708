package socketio

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// request is a CONNECT on its way to a decision.
type request struct {
	c      *client
	at     time.Time
	by     time.Time // when it has to be decided
	socket *Socket   // the session to be: a new one, or the one to resume
	auth   []byte
	pid    string // that the client resumes with, or that of its new session
	offset string
	resume bool
	// Nobody is asked, because no group decides about this namespace yet.
	undecided bool

	identity *Identity // of a good token; nil: none was asked for
	notes    []note    // for the audit log
}

// copyAuth returns what the client gave, without the packet that it lies in; nil for nothing.
func (r *request) copyAuth() *string {
	if len(r.auth) == 0 {
		return nil
	}
	auth := string(r.auth)
	return &auth
}

// Accept is a group's yes.
type Accept struct {
	UserID     string
	Attributes map[string]string
	Rooms      []string
	Greeting   []*Emit // their targets are ignored
}

// connect handles a CONNECT packet.
func (c *client) connect(p *sio.Packet) {
	name := nspName(p.Namespace)
	if c.asked(name) {
		c.srv.cfg.Refused(refusedTwice)
		c.fail(ForcedServerClose) // also for two at once: the reference makes two sockets of them
		return
	}
	admission := c.srv.backend.Admission(name)
	if admission == Unknown || c.full() {
		c.srv.cfg.Refused(refusedNamespace)
		if c.refused++; int(c.refused) >= c.srv.cfg.RefusedConnects {
			c.fail(ForcedServerClose)
			return
		}
		c.refuse(name, "Invalid namespace", nil)
		return
	}
	r := &request{c: c, at: time.Now(), auth: p.Data}
	n := c.srv.namespace(name)
	if n.recovery && p.Data != nil {
		r.pid, r.offset, r.auth = sio.RecoveryKeys(p.Data)
		r.socket = n.resumable(r.pid, r.offset)
		r.resume = r.socket != nil
	} else if p.Data != nil {
		_, _, r.auth = sio.RecoveryKeys(p.Data)
	}
	if r.socket == nil {
		r.socket = newSocket(n)
	}
	entry := c.srv.entry(name)
	switch {
	case entry.group() && admission != Asked:
		c.srv.cfg.Refused(refusedUndecided)
		c.fail(ForcedServerClose) // it will ask again; a group that decides may be there by then
		return
	case entry.token():
		r.verify(r.show(), entry.group())
		return
	case admission == Asked && entry != EntryFree:
		if r.wait() {
			r.deliver()
		}
		return
	}
	r.undecided = entry == EntryAsGroups
	var f Flush
	r.join(&Accept{}, &f)
	f.Do()
	if r.undecided && c.srv.backend.Admission(name) == Asked {
		c.srv.EndUndecided() // a group decides since a moment ago, and this session was missed then
	}
}

// EndUndecided ends the sessions of clients that nobody decided about, wherever a group decides by
// now: no backend is to take them for clients that it has let in. Their connections are closed, so
// that they come again. It returns how many they are. It is to be called after Admission has changed,
// with no lock held.
func (s *Server) EndUndecided() int {
	ended := 0
	for _, n := range s.namespaces() {
		if s.backend.Admission(n.Name) != Asked {
			continue
		}
		var undecided []*Socket
		n.mu.Lock()
		for _, k := range n.all {
			if k.undecided {
				undecided = append(undecided, k)
			}
		}
		n.mu.Unlock()
		for _, k := range undecided {
			c, was := k.evict(ForcedServerClose)
			if was {
				ended++
			}
			if c != nil {
				c.fail(ForcedServerClose)
			}
		}
	}
	return ended
}

// asked says whether the client is in the namespace or waits to be.
func (c *client) asked(nsp string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.Nsp.Name == nsp && !s.evicted.Load() {
			return true
		}
	}
	return slices.ContainsFunc(c.pending, func(r *request) bool { return r.socket.Nsp.Name == nsp })
}

func (c *client) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sockets)+len(c.pending) >= c.srv.cfg.NamespacesPerClient
}

// wait begins to wait for a decision. It returns false if the client has gone.
func (r *request) wait() bool {
	c := r.c
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return false
	}
	c.pending = append(c.pending, r)
	c.mu.Unlock()
	r.by = c.srv.decisions.add(r)
	return true
}

// deliver hands the request to the group that decides.
func (r *request) deliver() {
	r.socket.mu.Lock()
	defer r.socket.mu.Unlock()
	r.socket.Nsp.counts.Events[ConnectRequested].Add(1)
	r.c.srv.backend.Deliver(&Event{Kind: ConnectRequested, Socket: r.socket, At: time.Now(), request: r,
		Life: &Life{Handshake: r.c.conn.Handshake, Auth: r.auth, AnswerBy: r.by, Resuming: r.resume, Identity: r.identity}})
}

// take ends the waiting. It returns false if it has ended before.
func (r *request) take() bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	i := slices.Index(r.c.pending, r)
	if i < 0 {
		return false
	}
	r.c.pending = slices.Delete(r.c.pending, i, i+1)
	return true
}

// timeout closes the transport of a client that nobody decided about: unlike CONNECT_ERROR that
// makes it try again.
func (r *request) timeout() {
	if r.take() {
		r.c.srv.cfg.Refused(refusedUndecided)
		r.c.fail(ForcedServerClose)
	}
}

// Abandon is told of a ConnectRequested that no group will decide. The client's transport is
// closed, so that it tries again.
func (s *Server) Abandon(ev *Event) {
	if ev.request != nil {
		ev.request.timeout()
	}
}

// Accept lets the client of a ConnectRequested in. The error is an *Error: the client has gone
// or the decision came late.
func (s *Server) Accept(ev *Event, a *Accept, f *Flush) error {
	for _, e := range a.Greeting {
		if err := s.checkEmit(e); err != nil {
			return err
		}
	}
	for _, room := range a.Rooms {
		if err := s.checkName(room); err != nil {
			return err
		}
	}
	if ev.request == nil || !ev.request.take() {
		return &Error{SessionGone, "accept: the client has gone or was decided about before"}
	}
	ev.request.join(ev.request.proven(a), f)
	return nil
}

// DefaultRefusal is what a client hears that is refused without a word.
const DefaultRefusal = "Not authorized"

// Reject refuses the client of a ConnectRequested. data is a JSON value or empty.
func (s *Server) Reject(ev *Event, message string, data []byte) error {
	if len(data) > 0 && !json.Valid(data) {
		return &Error{PayloadInvalid, "reject: data is not JSON"}
	}
	if message == "" {
		message = DefaultRefusal
	}
	if ev.request == nil || !ev.request.take() {
		return &Error{SessionGone, "reject: the client has gone or was decided about before"}
	}
	s.cfg.Refused(refusedByBackend)
	ev.request.c.reject(ev.Socket.Nsp.Name, message, data)
	return nil
}

// answered counts how long it took to let the client in.
func (r *request) answered() { r.c.srv.connects.Add(time.Since(r.at)) }

// join makes the client a member of the namespace: in its old session if that can be resumed, in
// a new one otherwise.
func (r *request) join(a *Accept, f *Flush) {
	defer r.tell()
	if r.resume {
		if r.socket.resume(r, a, f) {
			r.answered()
			return
		}
		r.socket = newSocket(r.socket.Nsp)
	}
	for !r.socket.open(r, a, f) {
		// The namespace was forgotten while nobody was in it.
		r.socket = newSocket(r.c.srv.namespace(r.socket.Nsp.Name))
	}
}
