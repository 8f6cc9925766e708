package group

import (
	"slices"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Change says how a session is where that may not be what its member knows.
type Change struct {
	SID, Namespace string
	Joined, Left   []string // rooms that it is in, and that it is not in
	AllRooms       bool     // Joined is all of them
	Transport      string   // empty: it has not changed
}

// change is what is still to be told of one session: where to look, not what is there. So it is
// small and true whenever it is told.
type change struct {
	rooms     []string // each once
	allRooms  bool     // too many to name
	transport bool
}

// maxChangedRooms is how many rooms a change names before it says all.
const maxChangedRooms = 64

// Changed takes note of what the members have to be told of a session besides its events.
func (gs *Groups) Changed(c socketio.Change) {
	sid, namespace := sidOf(c.Socket), namespaceOf(c.Socket)
	groups := gs.routing.Load().groups
	for i := range groups {
		if groups[i].routes.sessions(namespace) {
			groups[i].changed(sid, c.Rooms, c.By)
		}
	}
}

// changed notes it for whoever has the session. A member knows what it did itself, and is told
// only what others did. From then on it is told both: only the edge knows what came last.
func (g *group) changed(sid string, rooms []string, by any) {
	g.mu.Lock()
	defer g.unlockLater()
	p := g.whereLocked(sid)
	if g.ended || p == nil || p.gone || !p.known {
		return
	}
	if len(rooms) > 0 {
		if _, shared := p.shared[sid]; !shared && p.member != nil && by == any(p.member) {
			return
		}
		p.shared[sid] = struct{}{}
	}
	c := p.changed[sid]
	if c == nil {
		c = &change{}
		p.changed[sid] = c
	}
	c.add(rooms)
	p.wake()
}

func (c *change) add(rooms []string) {
	c.transport = c.transport || len(rooms) == 0
	for _, name := range rooms {
		if !c.allRooms && !slices.Contains(c.rooms, name) {
			c.rooms = append(c.rooms, name)
		}
	}
	if len(c.rooms) > maxChangedRooms {
		c.rooms, c.allRooms = nil, true
	}
}

// forgetChangesLocked is for a session that is over.
func (g *group) forgetChangesLocked(sid string) {
	if p := g.whereLocked(sid); p != nil {
		delete(p.changed, sid)
		delete(p.shared, sid)
	}
}

// noted is a change on its way to the member.
type noted struct {
	sid string
	*change
}

// changesLocked takes some of what the member has to be told. What is of sessions that it does not
// know yet stays.
func (m *Member) changesLocked() (all []noted) {
	for sid, c := range m.place.changed {
		if len(all) == maxNotices {
			break
		}
		if ln := m.g.lines[sid]; ln != nil && ln.opened {
			if first := ln.entries.head; first.kind == socketio.Opened && first.id == 0 {
				continue
			}
		}
		all = append(all, noted{sid, c})
		delete(m.place.changed, sid)
	}
	if len(all) > 0 {
		m.told = m.lastID + 1
	}
	return all
}

// look finds out how the sessions are now. Those that have ended are left out.
func (g *group) look(b *Batch, all []noted) {
	for _, n := range all {
		s, ok := g.all.sessions.Session(n.sid)
		if !ok {
			continue
		}
		c := Change{SID: s.SID, Namespace: s.Namespace, AllRooms: n.allRooms}
		if n.allRooms {
			c.Joined = s.Rooms
		}
		for _, name := range n.rooms {
			if slices.Contains(s.Rooms, name) {
				c.Joined = append(c.Joined, name)
			} else {
				c.Left = append(c.Left, name)
			}
		}
		if n.transport {
			c.Transport = s.Transport
		}
		b.Changed = append(b.Changed, c)
	}
}
