package group

import (
	"sync"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// sidOf and namespaceOf are all that this package knows of a Socket, besides Unpause.
func sidOf(s *socketio.Socket) string       { return s.SID }
func namespaceOf(s *socketio.Socket) string { return s.Nsp.Name }

// Sessions is what groups have to know of the sessions of the edge. All methods may be called
// concurrently, and never under a lock under which Deliver is called too.
type Sessions interface {
	// EachSID calls f for every session, in no order. A session that is open or suspended must
	// be among them before its Opened is delivered and until its Closed is.
	EachSID(f func(sid, namespace string))
	// Session returns a copy of a session that is open or suspended. It waits for an event of
	// the session that is just being delivered.
	Session(sid string) (socketio.Session, bool)
	// Abandon is told of a ConnectRequested that nobody will answer.
	Abandon(*socketio.Event)
	// EndUndecided ends the sessions that nobody decided about in namespaces where a group does by
	// now, and says how many they were.
	EndUndecided() int
}

// pauses counts who wants a socket not to be read, so that it is resumed when the last of
// several groups has room again.
type pauses struct {
	mu   sync.Mutex // guards the following
	held map[*socketio.Socket]int
}

func (p *pauses) hold(s *socketio.Socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[s]++
}

// release returns true if nobody else holds the socket.
func (p *pauses) release(s *socketio.Socket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[s]--; p.held[s] > 0 {
		return false
	}
	delete(p.held, s)
	return true
}
