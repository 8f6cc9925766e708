package group

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// change changes the rooms of a session, or its transport if names are none, as a command of by.
func (e *edge) change(sid string, by any, in bool, names ...string) {
	s := e.session(sid)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.rooms = slices.DeleteFunc(s.rooms, func(r string) bool { return r == name })
		if in {
			s.rooms = append(s.rooms, name)
		}
	}
	e.gs.Changed(socketio.Change{Socket: s.Socket, Rooms: names, By: by})
}

// wantChanges checks what the member is told besides deliveries.
func (m *member) wantChanges(want ...string) {
	m.t.Helper()
	m.settle()
	var got []string
	for _, c := range m.changed {
		got = append(got, fmt.Sprint(c.SID, " +", c.Joined, " -", c.Left, " ", c.AllRooms, " ", c.Transport))
	}
	m.changed = nil
	slices.Sort(got)
	if !slices.Equal(got, want) {
		m.t.Errorf("told of %q, want %q", got, want)
	}
}

func TestAMemberIsToldWhatOthersDoToItsSessions(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		m := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		e.open("/other#1")
		m.wantChanges()
		e.change("/#1", m.Member, true, "own")
		e.change("/other#1", nil, true, "x")
		m.wantChanges()
		e.change("/#1", nil, true, "x", "y")
		e.change("/#1", nil, false, "x")
		e.change("/#2", nil, true, "x")
		m.wantChanges("/#1 +[y] -[x] false ", "/#2 +[x] -[] false ")
		e.change("/#1", nil, true)
		m.wantChanges("/#1 +[] -[] false websocket")
		for i := range maxChangedRooms + 1 {
			e.change("/#2", nil, i == 0, fmt.Sprint("r", i))
		}
		m.wantChanges("/#2 +[x r0] -[] true ")
	})
}

// Who joined a room at the same time as somebody else left it cannot know which came last.
func TestAMemberIsToldItsOwnChangesOnceSomebodyElseMakesSome(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		m := e.attach(hello("a"), Fresh)
		e.open("/#1")
		m.settle()
		e.change("/#1", nil, false, "x")
		e.change("/#1", m.Member, true, "x")
		m.wantChanges("/#1 +[x] -[] false ")
		e.change("/#1", m.Member, true, "y")
		m.wantChanges("/#1 +[y] -[] false ")
		e.close("/#1")
		m.settle()
		if p := m.place; len(p.shared)+len(p.changed) != 0 {
			t.Errorf("%v and %v are kept of a session that is over", p.shared, p.changed)
		}
	})
}

func TestAChangeIsToldAfterTheSessionAndToWhoHasIt(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow.Paused = true
		a := e.attach(h, Fresh)
		e.open("/#1")
		e.change("/#1", nil, true, "x")
		if a.next(); len(a.changed) > 0 {
			t.Errorf("%v is told of a session that the member does not know", a.changed)
		}
		a.SetFlow(Flow{})
		a.wantChanges("/#1 +[x] -[] false ")

		// What is on the way to a stream that breaks is in the Snapshot of the next.
		e.change("/#1", nil, true, "y")
		a.next()
		a.changed = nil
		a.Detach()
		h = hello("a")
		h.Resume = &Cursor{"edge", "log", 0}
		a = e.attach(h, Snapshot)
		a.wantChanges()

		// What is not is told on the next.
		a.Detach()
		e.change("/#1", nil, true, "z")
		a = e.attach(h, Continued)
		a.wantChanges("/#1 +[z] -[] false ")

		// A session that moves takes nothing along: who gets it is told all of it.
		e.change("/#1", nil, true, "w")
		b := e.attach(hello("b"), Fresh)
		a.Leave()
		b.settle()
		if len(b.snapshot)+len(b.gained) != 1 || len(b.changed) != 0 {
			t.Errorf("snapshot %v, gained %v, changed %v", b.snapshot, b.gained, b.changed)
		}
		e.change("/#1", nil, true, "v")
		b.wantChanges("/#1 +[v] -[] false ")
	})
}
