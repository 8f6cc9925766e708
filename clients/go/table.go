package sioedge

import (
	"iter"
	"sync"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// forgetConnecting is how long a client that was let in may take to come in.
const forgetConnecting = 2 * time.Minute

// table is the sessions of this member.
type table struct {
	mu         sync.RWMutex // guards the following fields
	sessions   map[string]*Socket
	connecting map[string]arrival // no session yet
}

type arrival struct {
	socket *Socket
	at     time.Time
}

func newTable() *table {
	return &table{sessions: make(map[string]*Socket), connecting: make(map[string]arrival)}
}

func (t *table) get(sid string) *Socket {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s := t.sessions[sid]; s != nil {
		return s
	}
	return t.connecting[sid].socket
}

// arrive adds a socket that has no session yet.
func (t *table) arrive(s *Socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connecting[s.id] = arrival{s, time.Now()}
}

// open makes the socket one with a session.
func (t *table) open(s *Socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.connecting, s.id)
	t.sessions[s.id] = s
}

// remove forgets s, unless its sid is another socket's by now.
func (t *table) remove(s *Socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] == s {
		delete(t.sessions, s.id)
	}
	if t.connecting[s.id].socket == s {
		delete(t.connecting, s.id)
	}
}

// retain forgets every session that is not in keep.
func (t *table) retain(keep map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sid := range t.sessions {
		if !keep[sid] {
			delete(t.sessions, sid)
		}
	}
}

// sweep forgets clients that were let in and never came.
func (t *table) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sid, a := range t.connecting {
		if now.Sub(a.at) > forgetConnecting {
			delete(t.connecting, sid)
		}
	}
}

// sockets is the sessions of n.
func (t *table) sockets(n *Namespace) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		t.mu.RLock()
		found := make([]*Socket, 0, len(t.sessions))
		for _, s := range t.sessions {
			if s.ns == n {
				found = append(found, s)
			}
		}
		t.mu.RUnlock()
		for _, s := range found {
			if s.visible() && !yield(s) {
				return
			}
		}
	}
}

// newSocket makes a socket that is in no table.
func (e *Edge) newSocket(sid, namespace string) *Socket {
	return &Socket{edge: e, ns: e.serving(namespace), id: sid, namespace: namespace}
}

// socket finds or makes the socket of an event.
func (e *Edge) socket(ev *pb.Event) *Socket {
	if s := e.table.get(ev.GetSid()); s != nil {
		return s
	}
	s := e.newSocket(ev.GetSid(), ev.GetNamespace())
	if ev.GetConnectRequested() != nil {
		e.table.arrive(s)
		return s
	}
	if ev.GetClientEvent() != nil {
		s.phase = open // its beginning was not for this group
	}
	e.table.open(s)
	return s
}

// learn takes over sessions that the edge says are this member's.
func (e *Edge) learn(sessions []*pb.Session) {
	for _, p := range sessions {
		s := e.table.get(p.GetSid())
		if s == nil {
			s = e.newSocket(p.GetSid(), p.GetNamespace())
		}
		s.update(p)
		e.table.open(s)
	}
}
