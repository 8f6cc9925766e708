package socketio

import (
	"fmt"
	"slices"
)

// room is the sessions under one room name, in no order that means anything. Its slice is
// walked at every emit, which a map would make several times dearer.
type room struct {
	name    string
	members []*Socket
}

// sockets is the members; none for a room that does not exist.
func (r *room) sockets() []*Socket {
	if r == nil {
		return nil
	}
	return r.members
}

// membership is a session's end of its being in a room.
type membership struct {
	room  *room
	pos   int32  // of the session in room.members
	since uint64 // packets of the log after this one reach it through the room
}

// absenceFromRoom remembers that a session was in a room: packets since+1 to until reached it.
type absenceFromRoom struct {
	room         string
	since, until uint64
}

// joinLocked adds the session to a room. It returns false when it is in too many.
func (n *Namespace) joinLocked(s *Socket, name string) bool {
	if slices.ContainsFunc(s.rooms, func(m membership) bool { return m.room.name == name }) {
		return true
	}
	if len(s.rooms) >= n.srv.cfg.RoomsPerSocket {
		return false
	}
	n.enterLocked(s, name, n.log.head)
	s.revision++
	return true
}

// enterLocked adds the session to a room that it is not in, since a packet of the log.
func (n *Namespace) enterLocked(s *Socket, name string, since uint64) {
	r := n.rooms[name]
	if r == nil {
		r = &room{name: name}
		n.rooms[name] = r
	}
	s.rooms = append(s.rooms, membership{r, int32(len(r.members)), since})
	r.members = append(r.members, s)
}

// leaveLocked removes the session from its i-th room.
func (n *Namespace) leaveLocked(s *Socket, i int) {
	m := s.rooms[i]
	s.rooms = slices.Delete(s.rooms, i, i+1)
	r := m.room
	moved := r.members[len(r.members)-1]
	r.members[m.pos] = moved
	r.members[len(r.members)-1] = nil
	r.members = r.members[:len(r.members)-1]
	if moved != s {
		j := slices.IndexFunc(moved.rooms, func(o membership) bool { return o.room == r })
		moved.rooms[j].pos = m.pos
	}
	if len(r.members) == 0 {
		delete(n.rooms, r.name)
	}
	s.revision++
	if !n.recovery || m.since == n.log.head {
		return
	}
	s.left = slices.DeleteFunc(s.left, func(l absenceFromRoom) bool { return l.until < n.log.first() })
	s.left = append(s.left, absenceFromRoom{r.name, m.since, n.log.head})
}

func (n *Namespace) joinAll(j *Join) (Receipt, error) {
	r, full, changed := n.joinPicked(j)
	for _, s := range changed {
		s.changed(j.Rooms, j.By)
	}
	if full > 0 {
		return r, &Error{LimitExceeded, fmt.Sprintf("join: %d of %d sessions are in %d rooms, more are not allowed", full, r.Matched, n.srv.cfg.RoomsPerSocket)}
	}
	return r, nil
}

// joinPicked says also how many sessions had no room for all, and which are in other rooms now.
func (n *Namespace) joinPicked(j *Join) (r Receipt, full int, changed []*Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	picked := n.pickLocked(&j.Target)
	r.Matched = len(picked)
	for _, s := range picked {
		ok, before := true, len(s.rooms)
		for _, name := range j.Rooms {
			ok = n.joinLocked(s, name) && ok
		}
		if ok {
			r.Written++
		} else {
			full++
		}
		if len(s.rooms) != before {
			changed = append(changed, s)
		}
		n.saveLocked(s)
	}
	return r, full, changed
}

func (n *Namespace) leaveAll(l *Leave) Receipt {
	r, left := n.leavePicked(l)
	for _, m := range left {
		m.s.changed(m.rooms, l.By)
	}
	return r
}

// roomsLeft is what a Leave did to one session.
type roomsLeft struct {
	s     *Socket
	rooms []string
}

func (n *Namespace) leavePicked(l *Leave) (r Receipt, left []roomsLeft) {
	n.mu.Lock()
	defer n.mu.Unlock()
	picked := n.pickLocked(&l.Target)
	r.Matched = len(picked)
	for _, s := range picked {
		var rooms []string
		for i := len(s.rooms) - 1; i >= 0; i-- {
			if name := s.rooms[i].room.name; l.All || slices.Contains(l.Rooms, name) {
				n.leaveLocked(s, i)
				rooms = append(rooms, name)
			}
		}
		if len(rooms) > 0 {
			r.Written++
			left = append(left, roomsLeft{s, rooms})
			n.saveLocked(s)
		}
	}
	return r, left
}
