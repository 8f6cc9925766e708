package socketio

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// Get returns the state of one session. The error is an *Error.
func (s *Server) Get(namespace, sid string) (Session, error) {
	n, err := s.resolve(&Target{Namespace: namespace, SIDs: []string{sid}})
	if err != nil {
		return Session{}, err
	}
	if n != nil {
		n.mu.Lock()
		k := n.sids[sid]
		n.mu.Unlock()
		if k != nil {
			if now, ok := k.session(false); ok {
				return now, nil
			}
		}
	}
	return Session{}, &Error{SessionGone, fmt.Sprintf("session %q: no such session", sid)}
}

// List returns up to limit of the sessions that t selects, by sid, beginning after a sid.
func (s *Server) List(t *Target, after string, limit int) ([]Session, error) {
	n, err := s.resolve(t)
	if err != nil || n == nil {
		return nil, err
	}
	picked := slices.DeleteFunc(n.pick(t), func(k *Socket) bool { return k.SID <= after })
	slices.SortFunc(picked, func(a, b *Socket) int { return strings.Compare(a.SID, b.SID) })
	var list []Session
	for _, k := range picked {
		if len(list) == limit {
			break
		}
		if now, ok := k.session(false); ok {
			list = append(list, now)
		}
	}
	return list, nil
}

// Count counts the sessions that t selects: those whose client is there, those whose is away.
func (s *Server) Count(t *Target) (open, away int, err error) {
	n, err := s.resolve(t)
	if err != nil || n == nil {
		return 0, 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.pickLocked(t) {
		if k.conn != nil {
			open++
		} else {
			away++
		}
	}
	return open, away, nil
}

// Room is a room and the number of its sessions.
type Room struct {
	Name     string
	Sessions int
}

// Rooms returns up to limit rooms of a namespace whose names begin with prefix, by name,
// beginning after a name.
func (s *Server) Rooms(namespace, prefix, after string, limit int) ([]Room, error) {
	n, err := s.resolve(&Target{Namespace: namespace, Everyone: true})
	if err != nil || n == nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Room
	for _, name := range slices.Sorted(maps.Keys(n.rooms)) {
		if name > after && strings.HasPrefix(name, prefix) && len(list) < limit {
			list = append(list, Room{name, len(n.rooms[name].members)})
		}
	}
	return list, nil
}

// EachSID calls f for every session, without a lock held.
func (s *Server) EachSID(f func(sid, namespace string)) {
	for _, n := range s.namespaces() {
		for _, k := range n.pick(&Target{Everyone: true}) {
			f(k.SID, n.Name)
		}
	}
}

// Session returns a copy of the session with this sid in whatever namespace, auth included. It
// waits for an event of the session that is just being delivered.
func (s *Server) Session(sid string) (Session, bool) {
	for _, n := range s.namespaces() {
		n.mu.Lock()
		k := n.sids[sid]
		n.mu.Unlock()
		if k != nil {
			return k.session(true)
		}
	}
	return Session{}, false
}

// Totals counts all sessions: those whose client is there, those whose is away.
func (s *Server) Totals() (open, away int) {
	for _, u := range s.Usages() {
		open, away = open+u.Open, away+u.Away
	}
	return open, away
}

// session copies the state, with auth if asked for; false if the session has ended.
func (s *Socket) session(auth bool) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Ended {
		return Session{}, false
	}
	var conn *engineio.Socket
	connection := ""
	if s.client != nil {
		conn, connection = s.client.conn, s.client.id()
	}
	s.Nsp.mu.Lock()
	defer s.Nsp.mu.Unlock()
	k := s.sessionLocked(conn)
	k.Connection = connection
	if auth && s.auth != nil {
		k.Auth = *s.auth
	}
	return k, true
}

// On returns the sessions on each of some connections. It goes through all sessions.
func (s *Server) On(conns []*engineio.Socket) map[*engineio.Socket][]Session {
	found := make(map[*engineio.Socket][]Session, len(conns))
	for _, conn := range conns {
		found[conn] = nil
	}
	if len(found) == 0 {
		return found
	}
	for _, n := range s.namespaces() {
		n.mu.Lock()
		for _, k := range n.sids {
			if list, ok := found[k.conn]; ok && k.conn != nil {
				found[k.conn] = append(list, k.sessionLocked(k.conn))
			}
		}
		n.mu.Unlock()
	}
	return found
}
