package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func again(h Hello, instance string, c *Cursor) Hello {
	h.InstanceID, h.Resume = instance, c
	return h
}

func cursor() *Cursor { return &Cursor{EdgeID: "edge", LogID: "log"} }

func TestANewerInstanceFencesTheOlder(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		old := e.attach(hello("a"), Fresh)
		e.open("/#1")
		old.expect("1:/#1 +")
		fenced := make(chan error, 1)
		go func() { fenced <- old.Next(context.Background(), new(Batch)) }()
		young := e.attach(again(hello("a"), "a/2", nil), Fresh)
		if err := <-fenced; !errors.Is(err, ErrFenced) {
			t.Errorf("Next of the older = %v, want ErrFenced", err)
		}
		old.Done(1, 1) // settles nothing any more
		if _, ok := old.Take(1); ok {
			t.Error("a fenced instance took a delivery")
		}
		young.expect("1:/#1 +×2")
		old.Detach() // has no effect on the newer
		zombie := hello("a")
		zombie.Spec.MaxAttempts = 1
		if _, _, err := e.gs.Attach(zombie); !errors.Is(err, ErrFenced) || e.info().Spec.MaxAttempts != 5 {
			t.Errorf("the fenced instance attached again: %v, %+v", err, e.info().Spec)
		}
		young.Done(1, 1)
		e.idle()
	})
}

func TestAMemberThatIsBackInTimeContinues(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		a.settle()
		e.emit("/#1", "x")
		e.emit("/#1", "y")
		a.expect("3:/#1 x, 4:/#1 y")
		a.Detach()
		e.emit("/#2", "x")
		time.Sleep(9 * time.Second)
		e.emit("/#1", "z")
		a = e.attach(again(hello("a"), "a/2", cursor()), Continued)
		a.expect("1:/#1 x×2, 2:/#1 y×2, 3:/#1 z, 4:/#2 x")
		a.Done(1, 4)
		e.idle()
		if len(a.gained)+len(a.lost) != 0 {
			t.Errorf("gained %v, lost %v; its sessions never moved", a.gained, a.lost)
		}
	})
}

func TestAMemberThatCannotContinueGetsASnapshot(t *testing.T) {
	for name, c := range map[string]struct {
		away   time.Duration
		resume Cursor
	}{
		"after the grace": {11 * time.Second, *cursor()},
		"another log":     {time.Second, Cursor{"edge", "other", 0}},
		"another edge":    {time.Second, Cursor{"other", "log", 0}},
		"beyond the log":  {time.Second, Cursor{"edge", "log", 3}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, Config{}, func(t *testing.T, e *edge) {
				a := e.attach(hello("a"), Fresh)
				e.open("/#1")
				e.open("/#2")
				a.settle()
				a.Detach()
				time.Sleep(c.away)
				a = e.attach(again(hello("a"), "a/2", &c.resume), Snapshot)
				if got := sorted(a.snapshot); !slices.Equal(got, []string{"/#1", "/#2"}) {
					t.Errorf("snapshot %v", got)
				}
			})
		})
	}
}

func TestAMemberThatMayHaveMissedAnAssignmentGetsASnapshot(t *testing.T) {
	for _, confirmed := range []bool{false, true} {
		virtual(t, Config{}, func(t *testing.T, e *edge) {
			a := e.attach(hello("a"), Fresh)
			b := e.attach(hello("b"), Fresh)
			for i := range 20 {
				e.open(fmt.Sprint("/#", i))
			}
			held := a.next()[0] // read before the assignment: settling it says nothing
			a.Done(held.ID+1, 100)
			b.settle()
			b.Leave()
			a.next()
			a.Done(held.ID, held.ID)
			if len(a.gained) == 0 {
				t.Fatal("nothing gained")
			}
			want := Snapshot
			if confirmed {
				e.emit("/#1", "x") // what is settled was read, and what was written before it too
				a.settle()
				want = Continued
			}
			a.Detach()
			e.attach(again(hello("a"), "a/1", cursor()), want)
		})
	}
}

// P3: with others attached nothing of a lost member waits longer than Config.Handover, long
// before its grace ends.
func TestEventsOfALostMemberGoToAnotherWithinASecond(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh)
		var atA []string
		for i := range 20 {
			e.open(fmt.Sprint("/#", i))
		}
		for _, d := range a.settle() {
			atA = append(atA, d.Event.Socket.SID)
		}
		b.settle()
		pending, idle := atA[0], atA[1]
		e.emit(pending, "x")
		e.emit(pending, "y")
		if ds := a.next(); len(ds) != 2 {
			t.Fatalf("a got %s", show(ds))
		}
		a.Detach()
		time.Sleep(400 * time.Millisecond)
		e.emit(pending, "z")
		b.expect("")
		time.Sleep(100 * time.Millisecond)
		ds := b.next()
		if len(ds) != 3 || ds[0].Event.Name != "x" || ds[0].Attempt != 2 || ds[2].Event.Name != "z" || ds[2].Attempt != 1 {
			t.Errorf("b got %s", show(ds))
		}
		b.Done(ds[0].ID, ds[2].ID)
		e.emit(pending, "direct")
		if ds := b.settle(); len(ds) != 1 {
			t.Errorf("b got %s", show(ds))
		}
		if !slices.Equal(b.gained, []string{pending}) {
			t.Errorf("b gained %v, want only %s: idle sessions stay", b.gained, pending)
		}

		// a is back in time: what was lent comes home, and the rest was never away.
		a = e.attach(again(hello("a"), "a/2", cursor()), Continued)
		e.emit(pending, "home")
		e.emit(idle, "home")
		if ds := a.settle(); len(ds) != 2 {
			t.Errorf("a got %s", show(ds))
		}
		b.expect("")
		if !slices.Equal(a.lost, []string{pending}) || !slices.Equal(a.gained, []string{pending}) {
			t.Errorf("a lost %v, gained %v; want %s each", a.lost, a.gained, pending)
		}
		if !slices.Equal(b.lost, []string{pending}) {
			t.Errorf("b lost %v", b.lost)
		}
		e.idle()
		if n := len(e.gs.groups["g"].lent); n != 0 {
			t.Errorf("%d sessions still lent", n)
		}
	})
}

func TestSessionsMoveForGoodWhenTheGraceEnds(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh)
		for i := range 20 {
			e.open(fmt.Sprint("/#", i))
		}
		var atA []string
		for _, d := range a.settle() {
			atA = append(atA, d.Event.Socket.SID)
		}
		b.settle()
		a.Detach()
		time.Sleep(time.Second)
		e.emit(atA[0], "lent")
		b.settle()
		time.Sleep(8 * time.Second)
		b.expect("")
		if len(b.gained) != 1 {
			t.Errorf("gained %v before the grace ended", b.gained)
		}
		time.Sleep(time.Second)
		b.expect("")
		if !slices.Equal(sorted(b.gained), sorted(atA)) {
			t.Errorf("gained %v, want each of %v once", sorted(b.gained), sorted(atA))
		}
		if n := len(e.gs.groups["g"].lent); n != 0 {
			t.Errorf("%d sessions still lent", n)
		}
	})
}

func TestEventsWaitWhileThereIsNoMember(t *testing.T) {
	virtual(t, Config{Spec: Spec{MemberGrace: 2 * time.Second}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		a.Detach()
		e.emit("/#1", "x")
		time.Sleep(10 * time.Minute)
		e.emit("/#1", "y")
		b := e.attach(hello("b"), Fresh)
		b.expect("1:/#1 x, 2:/#1 y")
		if !slices.Equal(b.snapshot, []string{"/#1"}) {
			t.Errorf("snapshot %v", b.snapshot)
		}
		if n, age := b.Backlog(); n != 2 || age < 10*time.Minute {
			t.Errorf("backlog %d, %v", n, age)
		}
	})
}

func TestLeaveMovesSessionsAtOnceAndLetsTheRestBeSettled(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		a.settle()
		e.emit("/#1", "x")
		a.expect("3:/#1 x")
		b := e.attach(hello("b"), Fresh)
		a.Leave()
		b.next()
		e.emit("/#1", "y")
		e.emit("/#2", "y")
		b.expect("1:/#2 y")
		a.expect("")
		a.Done(3, 3)
		b.expect("2:/#1 y")
		b.Done(1, 2)
		if got := sorted(append(b.snapshot, b.gained...)); !slices.Equal(got, []string{"/#1", "/#2"}) {
			t.Errorf("b knows %v", got)
		}
		if len(a.lost) != 0 {
			t.Errorf("who left is told %v", a.lost)
		}
		a.Detach()
		e.idle()
		if n := len(e.info().Members); n != 1 {
			t.Errorf("%d members", n)
		}
	})
}

func TestWhatALeaverDoesNotSettleGoesToOthers(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.expect("1:/#1 +")
		a.Leave()
		b := e.attach(hello("b"), Fresh)
		e.emit("/#1", "x")
		b.expect("")
		a.Detach()
		b.expect("1:/#1 +×2, 2:/#1 x")
		if len(b.snapshot)+len(b.gained) != 0 {
			t.Errorf("b knows %v %v of a session that is still to be opened", b.snapshot, b.gained)
		}
	})
}

// An event that kills its backend is set aside in the end; those behind it are not.
func TestAnEventThatKillsMembersBecomesADeadLetter(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.emit("/#1", "poison")
		e.emit("/#1", "good")
		for i := range 5 {
			if ds := a.next(); len(ds) != 2 {
				t.Fatalf("crash %d: %s", i+1, show(ds))
			}
			a.Detach()
			a = e.attach(again(hello("a"), fmt.Sprint("a/", i+2), nil), Fresh)
		}
		a.expect("1:/#1 good×6")
		if dead, _ := e.gs.DeadLetters("g", 0, 10); len(dead) != 1 || dead[0].Event.Name != "poison" {
			t.Errorf("dead letters %+v", dead)
		}
	})
}

func TestWindow(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow = Flow{Events: 4, PerSession: 2}
		a := e.attach(h, Fresh)
		e.open("/#1")
		e.open("/#2")
		e.open("/#3")
		a.settle()
		for range 5 {
			e.emit("/#1", "x") // a busy session cannot fill the window
		}
		e.emit("/#2", "x")
		e.emit("/#3", "x")
		e.emit("/#3", "y")
		a.expect("4:/#1 x, 5:/#2 x, 6:/#3 x, 7:/#1 x")
		a.Done(5, 5)
		a.expect("8:/#3 y")
		a.Done(4, 4)
		a.expect("9:/#1 x")
		if err := a.SetFlow(Flow{Paused: true}); err != nil {
			t.Fatal(err)
		}
		a.Done(6, 9)
		a.expect("")
		a.SetFlow(Flow{})
		a.expect("10:/#1 x, 11:/#1 x")
		a.Done(1, 11)
		e.idle()
		if f := a.Flow(); f != (Flow{Events: 1024, Bytes: 8 << 20, PerSession: 16}) {
			t.Errorf("window in force: %+v", f)
		}
	})
}

func TestAWiderWindowPerSessionCountsAtOnce(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow = Flow{PerSession: 1}
		a := e.attach(h, Fresh)
		e.open("/#1")
		e.emit("/#1", "x")
		e.emit("/#1", "y")
		a.expect("1:/#1 +")
		a.SetFlow(Flow{PerSession: 2})
		a.expect("2:/#1 x")
	})
}

func TestWindowInBytesLetsALargeEventPass(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow = Flow{Bytes: 1000} // an Opened counts 640
		a := e.attach(h, Fresh)
		e.open("/#1")
		e.open("/#2")
		a.expect("1:/#1 +")
		a.Done(1, 1)
		a.SetFlow(Flow{Bytes: 100})
		a.expect("2:/#2 +")
	})
}

func TestHelloIsChecked(t *testing.T) {
	for field, spoil := range map[string]func(*Hello){
		"group":                    func(h *Hello) { h.Group = "a b" },
		"member_id":                func(h *Hello) { h.MemberID = "" },
		"instance_id":              func(h *Hello) { h.InstanceID = "" },
		"flow":                     func(h *Hello) { h.Flow.Events = -1 },
		"spec.ack_deadline":        func(h *Hello) { h.Spec.AckDeadline = time.Millisecond },
		"spec.routes[0].namespace": func(h *Hello) { h.Spec.Routes = []Route{{Namespace: "chat"}} },
		"spec.routes[1].kinds": func(h *Hello) {
			h.Spec.Routes = []Route{{}, {Kinds: nil}, {}}
			h.Spec.Routes[1].Kinds = append(h.Spec.Routes[1].Kinds, 99)
		},
		"spec.routes[0].events": func(h *Hello) { h.Spec.Routes = []Route{{Events: []string{""}}} },
	} {
		gs := newEdge(t, Config{}).gs
		h := hello("a")
		spoil(&h)
		var invalid *Invalid
		if _, _, err := gs.Attach(h); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("Attach = %v, want a fault in %s", err, field)
		}
	}
}
