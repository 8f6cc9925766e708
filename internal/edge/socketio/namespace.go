package socketio

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Namespace is the sessions under one name, and their rooms.
type Namespace struct {
	// Static after construction.
	Name     string
	srv      *Server
	recovery bool
	counts   *Counts

	// mu guards the following. It is held while a packet enters the log and the queues of its
	// recipients, so that the offsets a client sees only grow: were they to cross, a client
	// that resumes after the higher one would miss the other without a sign.
	mu      sync.Mutex
	gone    bool // forgotten by the Server
	sids    map[string]*Socket
	pids    map[privateID]*Socket // with recovery
	users   map[string][]*Socket
	rooms   map[string]*room
	all     []*Socket
	carried int       // of all: their client is there
	mark    uint32    // of the selection at hand
	picked  []*Socket // scratch of the selection at hand
	log     packetLog
	lastAck uint64
	waiters map[uint64]*waiter
}

// newNamespace returns a namespace whose offsets begin above those of any that was forgotten.
// Server.mu is held.
func newNamespace(s *Server, name string, recovery bool) *Namespace {
	return &Namespace{Name: name, srv: s, recovery: recovery, counts: s.cfg.Counts(name),
		log:  packetLog{head: s.offsets, account: s.cfg.Budget.Account(budget.Log)},
		sids: make(map[string]*Socket), pids: make(map[privateID]*Socket), users: make(map[string][]*Socket),
		rooms: make(map[string]*room), waiters: make(map[uint64]*waiter)}
}

// addLocked makes the session known.
func (n *Namespace) addLocked(s *Socket) {
	s.start, s.last, s.acked = n.log.head, n.log.head, n.log.head
	s.index = int32(len(n.all))
	n.all = append(n.all, s)
	n.sids[s.SID] = s
	if n.recovery {
		n.pids[s.pid] = s
	}
	if s.userID != "" {
		n.users[s.userID] = append(n.users[s.userID], s)
	}
}

// removeLocked forgets the session and says whether it was the last one.
func (n *Namespace) removeLocked(s *Socket) bool {
	for len(s.waits) > 0 {
		n.waiters[s.waits[0]].settle(n, s, Ack{SID: s.SID, Outcome: Disconnected})
	}
	for len(s.rooms) > 0 {
		n.leaveLocked(s, len(s.rooms)-1)
	}
	moved := n.all[len(n.all)-1]
	n.all[s.index], moved.index = moved, s.index
	n.all[len(n.all)-1] = nil
	n.all = n.all[:len(n.all)-1]
	delete(n.sids, s.SID)
	delete(n.pids, s.pid)
	if s.userID != "" {
		if mates := slices.DeleteFunc(n.users[s.userID], func(o *Socket) bool { return o == s }); len(mates) > 0 {
			n.users[s.userID] = mates
		} else {
			delete(n.users, s.userID)
		}
	}
	n.carryLocked(s, nil)
	s.left = nil
	return len(n.all) == 0
}

// pickLocked returns the sessions that t selects, each once. The slice is good until the next
// call.
func (n *Namespace) pickLocked(t *Target) []*Socket {
	if n.mark++; n.mark == 0 { // once round: old marks would look new
		for _, s := range n.all {
			s.mark = 0
		}
		n.mark = 1
	}
	pick := n.picked[:0]
	take := func(s *Socket) {
		if s != nil && s.mark != n.mark {
			s.mark = n.mark
			pick = append(pick, s)
		}
	}
	for _, sid := range t.ExceptSIDs {
		take(n.sids[sid])
	}
	for _, name := range t.ExceptRooms {
		for _, s := range n.rooms[name].sockets() {
			take(s)
		}
	}
	pick = pick[:0] // marked, so never taken below
	if t.Everyone {
		for _, s := range n.all {
			take(s)
		}
	}
	for _, sid := range t.SIDs {
		take(n.sids[sid])
	}
	for _, id := range t.UserIDs {
		for _, s := range n.users[id] {
			take(s)
		}
	}
	for _, name := range t.Rooms {
		for _, s := range n.rooms[name].sockets() {
			take(s)
		}
	}
	n.picked = pick
	return pick
}

// pick is pickLocked with a slice of its own, for work that must not hold the lock.
func (n *Namespace) pick(t *Target) []*Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.pickLocked(t))
}

func (n *Namespace) disconnectAll(d *Disconnect, f *Flush) Receipt {
	sockets := n.pick(&d.Target)
	r := Receipt{Matched: len(sockets)}
	for _, s := range sockets {
		c, ended := s.evict(ServerDisconnect)
		if !ended {
			continue
		}
		r.Written++
		if c == nil {
			continue
		}
		c.queue(packetSize, func(b []byte) []byte { return sio.AppendDisconnect(b, n.Name) }, nil, f)
		if d.Close {
			c.evictAll(d.Within, f)
		}
	}
	return r
}

// evictAll ends every session of the client, then its connection; only those that within allows if
// there are others.
func (c *client) evictAll(within func(namespace string) bool, f *Flush) {
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	others := false
	if within != nil {
		all := len(sockets)
		sockets = slices.DeleteFunc(sockets, func(s *Socket) bool { return !within(s.Nsp.Name) })
		others = len(sockets) < all
	}
	if !others {
		c.reason = ServerDisconnect
	}
	c.mu.Unlock()
	for _, s := range sockets {
		if _, ended := s.evict(ServerDisconnect); ended {
			c.queue(packetSize, func(b []byte) []byte { return sio.AppendDisconnect(b, s.Nsp.Name) }, nil, f)
		}
	}
	if !others {
		c.conn.Close(engineio.ForcedClose)
	}
}

func (n *Namespace) update(u *Update) (Receipt, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sids[u.SID]
	if s == nil {
		return Receipt{}, &Error{SessionGone, fmt.Sprintf("update session %q: no such session", u.SID)}
	}
	if u.IfRevision != 0 && u.IfRevision != s.revision {
		return Receipt{}, &Error{RevisionMismatch, fmt.Sprintf("update session %q: its revision is %d, not %d", u.SID, s.revision, u.IfRevision)}
	}
	attrs := make(map[string]string, len(s.attrs)+len(u.Set))
	size := 0
	for _, m := range []map[string]string{s.attrs, u.Set} {
		for name, v := range m {
			attrs[name] = v
		}
	}
	for _, name := range u.Unset {
		delete(attrs, name)
	}
	for name, v := range attrs {
		size += len(name) + len(v)
	}
	if size > n.srv.cfg.AttributeBytes {
		return Receipt{}, &Error{LimitExceeded, fmt.Sprintf("update session %q: %d bytes of attributes, at most %d are allowed", u.SID, size, n.srv.cfg.AttributeBytes)}
	}
	s.attrs = attrs
	s.revision++
	n.saveLocked(s)
	return Receipt{Matched: 1, Written: 1}, nil
}
