package group

import (
	"fmt"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"testing"
	"time"
)

func TestAFullBacklogPausesTheClientsThatCauseIt(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 8}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		for i := range 3 {
			e.open(fmt.Sprint("/#", i))
		}
		a.settle()
		for i := range 8 {
			if !e.emit("/#0", "x") {
				t.Fatalf("paused at event %d of 8", i+1)
			}
		}
		if e.emit("/#1", "x") || e.emit("/#1", "y") || e.emit("/#2", "x") {
			t.Error("a full backlog did not pause")
		}
		if n := e.info().Paused; n != 2 {
			t.Errorf("%d clients paused, want 2", n)
		}
		ds := a.next()
		if len(ds) != 11 {
			t.Fatalf("%d events kept, want all 11", len(ds))
		}
		a.Done(1, ds[3].ID) // 7 left
		if len(e.recorded(&e.unpaused)) != 0 {
			t.Error("unpaused above three quarters")
		}
		a.Done(1, ds[4].ID) // 6 left
		if got := e.recorded(&e.unpaused); len(got) != 2 || got[0] != "/#1" || got[1] != "/#2" {
			t.Errorf("unpaused %v", got)
		}
		a.Done(1, 100)
		e.idle()
	})
}

func TestTheBacklogIsBoundedInBytesToo(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogBytes: 2000}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		a.settle()
		n := 0
		for e.emit("/#0", "x") {
			n++
		}
		if n != 2000/131 {
			t.Errorf("%d events fit", n)
		}
	})
}

func TestOverflowOfAGroupThatRejects(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 3, Overflow: Reject}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		for _, name := range []string{"x", "y", "z"} {
			if !e.emit("/#0", name) {
				t.Error("paused")
			}
		}
		e.close("/#0") // never dropped
		ds := a.expect("1:/#0 +, 2:/#0 x, 3:/#0 y, 4:/#0 -")
		if ds[3].PrevSeq != 4 {
			t.Errorf("prev_seq %d does not show what was dropped", ds[3].PrevSeq)
		}
		a.Done(1, 4)
		e.idle()
	})
}

func TestOverflowOfAGroupThatDropsTheOldest(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 6, Overflow: DropOldest}}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow.Events = 2
		a := e.attach(h, Fresh)
		e.open("/#0")
		a.settle()
		e.emit("/#0", "out1")
		e.emit("/#0", "out2")
		a.expect("2:/#0 out1, 3:/#0 out2")
		e.open("/#1")
		for i := range 5 {
			e.emit("/#1", fmt.Sprint(i))
		}
		a.Nack(3, 0, false, "") // can be dropped from now on
		e.emit("/#1", "5")
		time.Sleep(time.Second)
		a.SetFlow(Flow{})
		a.expect("4:/#1 +, 5:/#1 2, 6:/#1 3, 7:/#1 4, 8:/#1 5")
		if n := e.info().Dropped; n != 3 {
			t.Errorf("dropped %d, want 3", n)
		}
		a.Done(1, 8)
		e.idle()
	})
}

func TestDropOldestEmptiesALineThatWaits(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 1, Overflow: DropOldest}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		a.settle()
		for i := range 5 {
			e.emit("/#0", fmt.Sprint(i)) // the line of its own session comes and goes
		}
		a.expect("2:/#0 4")
		a.Done(2, 2)
		e.idle()
	})
}

func TestOneSessionWithTooManyEventsIsPaused(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Flow.PerSession = 1000
		a := e.attach(h, Fresh)
		e.open("/#0")
		e.open("/#1")
		a.settle()
		for i := range 256 {
			if !e.emit("/#0", "x") {
				t.Fatalf("paused at event %d", i+1)
			}
		}
		for range 2 {
			if e.emit("/#0", "x") {
				t.Error("event 257 did not pause")
			}
		}
		if !e.emit("/#1", "x") {
			t.Error("another session was paused")
		}
		ds := a.next()
		a.Done(1, ds[len(ds)-131].ID)
		if len(e.recorded(&e.unpaused)) != 0 {
			t.Errorf("unpaused %v with more than 128 left", e.recorded(&e.unpaused))
		}
		a.Done(1, ds[len(ds)-1].ID)
		if len(e.recorded(&e.unpaused)) != 1 {
			t.Errorf("unpaused %v", e.recorded(&e.unpaused))
		}
		e.idle()
	})
}

func TestAClientIsReadAgainWhenAllGroupsHaveRoom(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 1}}, func(t *testing.T, e *edge) {
		one, two := hello("a"), hello("a")
		two.Group = "h"
		a, b := e.attach(one, Fresh), e.attach(two, Fresh)
		e.open("/#0")
		e.emit("/#0", "x")
		a.settle()
		if len(e.recorded(&e.unpaused)) != 0 {
			t.Error("unpaused while another group is full")
		}
		b.settle()
		if len(e.recorded(&e.unpaused)) != 1 {
			t.Errorf("unpaused %v", e.recorded(&e.unpaused))
		}
		e.idle()
	})
}

func TestSessionsThatNobodyHeardOfVanishWhenRoomIsShort(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 5, MemberGrace: -1}}, func(t *testing.T, e *edge) {
		e.attach(hello("a"), Fresh).Detach()
		for i := range 50 {
			sid := fmt.Sprint("/#", i)
			e.open(sid)
			if i == 0 {
				e.emit(sid, "kept")
			}
			e.close(sid)
		}
		a := e.attach(hello("a"), Fresh)
		a.expect("1:/#0 +, 2:/#0 kept, 3:/#0 -, 4:/#1 +, 5:/#1 -")
		a.Done(1, 5)
		e.idle()
	})
}

func TestASessionThatSomebodyHeardOfDoesNotVanish(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxBacklogEvents: 1}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		a.expect("1:/#0 +")
		a.Nack(1, 0, false, "")
		e.close("/#0")
		time.Sleep(time.Second)
		a.expect("2:/#0 +×2, 3:/#0 -")
	})
}

func TestAGroupWithoutMembersIsForgottenInTheEnd(t *testing.T) {
	virtual(t, Config{Retention: time.Hour, Spec: Spec{MaxBacklogEvents: 2}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		a.settle()
		a.Detach()
		for range 3 {
			e.emit("/#0", "x")
		}
		time.Sleep(time.Hour)
		if n := len(e.gs.List()); n != 1 {
			t.Fatalf("%d groups", n)
		}
		time.Sleep(11 * time.Second)
		if n := len(e.gs.List()); n != 0 {
			t.Errorf("%d groups, want none", n)
		}
		if len(e.recorded(&e.unpaused)) != 1 {
			t.Errorf("unpaused %v", e.recorded(&e.unpaused))
		}
		b := e.attach(hello("b"), Fresh)
		b.expect("")
		e.emit("/#0", "new")
		b.expect("1:/#0 new")
	})
}

// Memory that others hold makes a queue full. When it is free again clients are read, although the
// queue itself has not changed.
func TestP20_ABacklogWithoutMemoryPauses(t *testing.T) {
	b := budget.New(budget.Config{Limit: 1 << 20, Backlog: 200 << 10})
	virtual(t, Config{Budget: b}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		a.settle()
		n := 0
		for e.emit("/#0", string(make([]byte, 1000))) {
			n++
		}
		if n < 150 || n > 200 {
			t.Errorf("%d events of a thousand bytes fit into 200 KiB", n)
		}
		for d := a.next(); len(d) > 0; d = a.next() {
			a.Done(1, d[len(d)-1].ID)
			if e.info().Events == 0 {
				break
			}
		}
		if got := e.recorded(&e.unpaused); len(got) != 1 {
			t.Errorf("unpaused %v once all is settled", got)
		}
		if b.Total() != 0 {
			t.Errorf("%d bytes are left charged", b.Total())
		}
		b.Add(budget.Log, 960<<10)
		if e.emit("/#0", "x") {
			t.Error("not paused while memory is short")
		}
		d := a.next()
		a.Done(1, d[len(d)-1].ID)
		if got := e.recorded(&e.unpaused); len(got) != 1 {
			t.Errorf("unpaused %v while memory is short", got)
		}
		b.Free(budget.Log, 960<<10)
		e.gs.Relieve()
		if got := e.recorded(&e.unpaused); len(got) != 2 {
			t.Errorf("unpaused %v once there is room", got)
		}
	})
}

// S20: a client that asks and is not answered is read no more, at the configured number.
func TestS20_MoreUnansweredCallbacksThanMayBe(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#0")
		e.open("/#1")
		a.settle()
		n := 0
		for e.emit("/#0", "ask") {
			n++
		}
		if n != 256 {
			t.Errorf("%d events without an answer", n)
		}
		if !e.emit("/#1", "ask") {
			t.Error("another client is paused")
		}
	})
}
