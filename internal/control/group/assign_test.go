package group

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// The expectations are part of the contract between edges: another hash would move sessions while
// a cluster is being updated.
func TestHomeIsTheSameOnEveryEdge(t *testing.T) {
	if got := hash("a"); got != 0x02c0bdbf481420f8 {
		t.Errorf("hash = %#x", got)
	}
	s := set{}
	for _, id := range []string{"chat-0", "chat-1", "chat-2"} {
		s = s.with(&place{id: id, key: hash(id)})
	}
	for range 2 {
		for i, want := range []string{"chat-0", "chat-2", "chat-2", "chat-1", "chat-0", "chat-1", "chat-0", "chat-0"} {
			if home, _ := s.home(hash(fmt.Sprint("session", i))); home.id != want {
				t.Errorf("session%d is at %s, want %s", i, home.id, want)
			}
		}
		slices.Reverse(s)
	}
}

func TestAPlaceThatComesTakesItsShareOnly(t *testing.T) {
	s := set{}
	for i := range 4 {
		id := fmt.Sprint("pod-", i)
		s = s.with(&place{id: id, key: hash(id)})
	}
	more := s.with(&place{id: "pod-4", key: hash("pod-4")})
	moved := 0
	shares := make(map[string]int)
	const n = 20_000
	for i := range n {
		key := hash(fmt.Sprint("s", i))
		before, _ := s.home(key)
		after, _ := more.home(key)
		shares[after.id]++
		if before != after {
			moved++
			if after.id != "pod-4" {
				t.Fatalf("a session moved between old members")
			}
		}
	}
	if moved < n/5*95/100 || moved > n/5*105/100 {
		t.Errorf("%d of %d moved, want a fifth", moved, n)
	}
	for id, k := range shares {
		if k < n/5*9/10 || k > n/5*11/10 {
			t.Errorf("%s has %d of %d", id, k, n)
		}
	}
}

func TestMembersAreToldWhatMoves(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		for i := range 40 {
			e.open(fmt.Sprint("/#", i))
		}
		e.open("/other#1") // of no interest to the group
		a.settle()
		b := e.attach(hello("b"), Fresh)
		a.expect("")
		if len(b.snapshot) < 10 || !slices.Equal(sorted(a.lost), sorted(b.snapshot)) || len(a.gained) != 0 {
			t.Errorf("a lost %v, gained %v; b starts with %v", a.lost, a.gained, b.snapshot)
		}
		for _, mi := range e.info().Members {
			if want := map[string]int{"a": 40 - len(b.snapshot), "b": len(b.snapshot)}[mi.ID]; mi.Sessions != want {
				t.Errorf("%s has %d sessions, want %d", mi.ID, mi.Sessions, want)
			}
		}
		b.Leave()
		b.Detach()
		e.emit(b.snapshot[0], "x")
		a.settle()
		if !slices.Equal(sorted(a.gained), sorted(b.snapshot)) {
			t.Errorf("a gained %v back, want %v", a.gained, b.snapshot)
		}
	})
}

func TestASessionMovesWhenWhatIsOutstandingIsSettled(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		for i := range 10 {
			e.open(fmt.Sprint("/#", i))
		}
		a.settle()
		for i := range 10 {
			e.emit(fmt.Sprint("/#", i), "x")
		}
		out := a.next()
		b := e.attach(hello("b"), Fresh)
		for i := range 10 {
			e.emit(fmt.Sprint("/#", i), "y")
		}
		stay := a.next()
		if ds := b.next(); len(ds) != 0 || len(b.snapshot) != 0 {
			t.Fatalf("b got %s, snapshot %v, while a has something outstanding of each", show(ds), b.snapshot)
		}
		a.Done(out[0].ID, out[8].ID)
		a.Nack(out[9].ID, time.Millisecond, false, "")
		time.Sleep(time.Millisecond)
		moved := b.next()
		stay = append(stay, a.next()...)
		if len(moved) == 0 || len(moved)+len(stay) < 10 {
			t.Errorf("%d at b, %d at a", len(moved), len(stay))
		}
		var sids []string
		for _, d := range moved {
			if sid := d.Event.Socket.SID; !slices.Contains(sids, sid) {
				sids = append(sids, sid)
			}
		}
		if !slices.Equal(sorted(a.lost), sorted(sids)) || !slices.Equal(sorted(b.gained), sorted(sids)) {
			t.Errorf("moved %v; a lost %v, b gained %v", sids, a.lost, b.gained)
		}
	})
}

// A session that moves is announced before its first event, also while the others that move
// are still being listed.
func TestGainedComesBeforeDeliveries(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh)
		for i := range 20 {
			e.open(fmt.Sprint("/#", i))
		}
		mine := len(a.settle())
		b.settle()
		g := e.gs.groups["g"]
		g.change.Lock()
		g.mu.Lock()
		old := g.places
		g.places = set{a.place}
		b.place.gone = true
		g.moving = &moving{old, map[string]struct{}{}}
		g.resettleLocked()
		g.unlock()
		for i := range 20 {
			e.emit(fmt.Sprint("/#", i), "x") // between the change and the telling
		}
		if ds := a.settle(); len(ds) != 20 || len(a.gained) != 20-mine {
			t.Errorf("a got %d deliveries and gained %d, want 20 and %d", len(ds), len(a.gained), 20-mine)
		}
		g.tellIdle(old, &g.routes)
		g.change.Unlock()
		a.expect("")
		if len(a.gained) != 20-mine {
			t.Errorf("told twice: gained %d, want %d", len(a.gained), 20-mine)
		}
	})
}

func TestSnapshotLeavesOutWhatIsStillToBeOpened(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.open("/#2")
		a.Detach()
		e.emit("/#1", "x")
		a = e.attach(hello("a"), Fresh)
		if !slices.Equal(a.snapshot, []string{"/#1"}) {
			t.Errorf("snapshot %v", a.snapshot)
		}
		a.expect("1:/#2 +, 2:/#1 x")
	})
}

// What happens between attaching and the snapshot is in one of them, and not lost.
func TestSnapshotAndEventsFitTogether(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		for i := range 6 {
			e.open(fmt.Sprint("/#", i))
		}
		m, _, err := e.gs.Attach(hello("a"))
		if err != nil {
			t.Fatal(err)
		}
		a := &member{Member: m, t: t}
		e.open("/#new")
		e.close("/#0")
		part := 0
		m.Snapshot(2, func(s []socketio.Session) error {
			for _, s := range s {
				a.snapshot = append(a.snapshot, s.SID)
			}
			if part++; part == 1 {
				e.open("/#newer")
				e.close(s[0].SID)
			}
			return nil
		})
		if len(a.snapshot) != 5 {
			t.Errorf("snapshot %v, want the five that were there", a.snapshot)
		}
		first := a.snapshot[0]
		a.expect(fmt.Sprintf("1:/#new +, 2:/#0 -, 3:/#newer +, 4:%s -", first))
	})
}

// Members that come and go while a snapshot is being handed over leave no session out of it and
// none in twice.
func TestSnapshotWhileMembersComeAndGo(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		b := e.attach(hello("b"), Fresh)
		for i := range 1500 {
			e.open(fmt.Sprint("/#", i))
		}
		b.settle()
		m, _, err := e.gs.Attach(hello("a"))
		if err != nil {
			t.Fatal(err)
		}
		a := &member{Member: m, t: t}
		var c *member
		known := make(map[string]int)
		part := 0
		m.Snapshot(50, func(s []socketio.Session) error {
			for _, s := range s {
				known[s.SID]++
			}
			switch part++; part {
			case 1:
				c = e.attach(hello("c"), Fresh)
			case 2:
				c.Leave()
				b.Leave()
			}
			return nil
		})
		a.next()
		for _, sid := range a.lost {
			if known[sid]--; known[sid] < 0 {
				known[sid] = 0 // was not in the snapshot yet
			}
		}
		for _, sid := range a.gained {
			known[sid]++
		}
		once := 0
		for sid, n := range known {
			if n == 1 {
				once++
			} else {
				t.Errorf("%s is known %d times", sid, n)
			}
		}
		if once != 1500 {
			t.Errorf("%d sessions known, want 1500", once)
		}
	})
}
