package group

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func TestEventsOfASessionArriveInOrder(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		e.emit("/#1", "x")
		e.emit("/#2", "x")
		e.emit("/#1", "y")
		ds := a.expect("1:/#1 +, 2:/#1 x, 3:/#1 y, 4:/#2 +, 5:/#2 x")
		for i, want := range []struct{ prev, offset uint64 }{{0, 1}, {1, 3}, {2, 5}, {0, 2}, {1, 4}} {
			if ds[i].PrevSeq != want.prev || ds[i].Offset != want.offset {
				t.Errorf("delivery %d: prev_seq %d, offset %d; want %+v", i+1, ds[i].PrevSeq, ds[i].Offset, want)
			}
		}
		a.Done(1, 5)
		e.close("/#1")
		e.close("/#2")
		a.settle()
		e.idle()
	})
}

func TestSessionsTakeTurns(t *testing.T) {
	for window, want := range map[int]string{
		2048: "4:/#1 16, 20:/#2 1, 21:/#3 4, 25:/#1 9",
		128:  "4:/#1 2, 6:/#2 1, 7:/#3 2, 9:/#1 2, 11:/#3 2, 13:/#1 21",
		32:   "4:/#1 1, 5:/#2 1, 6:/#3 1, 7:/#1 1, 8:/#3 1, 9:/#1 1, 10:/#3 1, 11:/#1 1, 12:/#3 1, 13:/#1 21",
	} {
		virtual(t, Config{}, func(t *testing.T, e *edge) {
			h := hello("a")
			h.Flow = Flow{Events: window, PerSession: 100}
			a := e.attach(h, Fresh)
			for _, sid := range []string{"/#1", "/#2", "/#3"} {
				e.open(sid)
			}
			a.settle()
			for _, sid := range []string{"/#1", "/#1", "/#2", "/#3", "/#3", "/#3", "/#3"} {
				e.emit(sid, "x")
			}
			for range 23 {
				e.emit("/#1", "x")
			}
			var b Batch
			if err := a.Next(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if got := runs(b.Deliveries); got != want {
				t.Errorf("window of %d: turns are  %s\nwant %s", window, got, want)
			}
		})
	}
}

// runs writes deliveries as "id:sid number" for each run of one session.
func runs(ds []Delivery) string {
	var words []string
	for i := 0; i < len(ds); {
		n := 1
		for i+n < len(ds) && ds[i+n].Event.Socket == ds[i].Event.Socket {
			n++
		}
		words = append(words, fmt.Sprintf("%d:%s %d", ds[i].ID, ds[i].Event.Socket.SID, n))
		i += n
	}
	return strings.Join(words, ", ")
}

func TestNextWaitsForAnEvent(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		time.AfterFunc(3*time.Second, func() { e.open("/#1") })
		began := time.Now()
		var b Batch
		if err := a.Next(context.Background(), &b); err != nil || len(b.Deliveries) != 1 {
			t.Fatalf("Next: %v, %d deliveries", err, len(b.Deliveries))
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Next returned after %v, want 3s", took)
		}
	})
}

func TestNackTakesEverythingLaterOfTheSessionBack(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		a.settle()
		for _, name := range []string{"x", "y", "z"} {
			e.emit("/#1", name)
			e.emit("/#2", name)
		}
		a.expect("3:/#1 x, 4:/#1 y, 5:/#1 z, 6:/#2 x, 7:/#2 y, 8:/#2 z")
		a.Nack(4, 0, false, "not now")
		e.emit("/#1", "later")
		a.expect("") // in back-off
		a.Done(5, 5) // was taken back: ignored
		a.Done(3, 3)
		a.Done(6, 6)
		time.Sleep(100 * time.Millisecond)
		a.expect("9:/#1 y×2, 10:/#1 z×2, 11:/#1 later")
		a.Done(1, 100)
		e.idle()
		if info := e.info(); info.Redelivered != 2 || info.DeadLetters != 0 {
			t.Errorf("redelivered %d, dead letters %d; want 2, 0", info.Redelivered, info.DeadLetters)
		}
	})
}

func TestBackOffDoublesAndEndsInADeadLetter(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxAttempts: 4}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.emit("/#1", "bad")
		e.emit("/#1", "good")
		for i, pause := range []time.Duration{100, 200, 400} {
			ds := a.next()
			if len(ds) != 2 || ds[0].Attempt != uint32(i+1) || ds[0].Event.Name != "bad" {
				t.Fatalf("attempt %d: got %s", i+1, show(ds))
			}
			a.Nack(ds[0].ID, 0, false, "cannot")
			time.Sleep(pause*time.Millisecond - 2*time.Millisecond)
			a.expect("")
			time.Sleep(time.Millisecond)
		}
		ds := a.next()
		a.Nack(ds[0].ID, 0, false, "cannot")
		a.expect("10:/#1 good×5") // the session goes on at once
		a.Done(10, 10)
		e.idle()
		dead, _ := e.gs.DeadLetters("g", 0, 10)
		if len(dead) != 1 || dead[0].Event.Name != "bad" || dead[0].Attempts != 4 || dead[0].Reason != "cannot" || dead[0].MemberID != "a" {
			t.Errorf("dead letters: %+v", dead)
		}
	})
}

func TestBackOffStopsAt30Seconds(t *testing.T) {
	for failures, want := range map[uint16]time.Duration{0: 100 * time.Millisecond, 1: 200 * time.Millisecond,
		8: 25600 * time.Millisecond, 9: 30 * time.Second, math.MaxUint16: 30 * time.Second} {
		if got := backOff(failures); got != want {
			t.Errorf("backOff(%d) = %v, want %v", failures, got, want)
		}
	}
}

func TestNackCanAskForADeadLetterAtOnce(t *testing.T) {
	virtual(t, Config{DeadLetters: 2}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		for i := range 3 {
			e.emit("/#1", fmt.Sprint("bad", i))
			a.Nack(a.next()[0].ID, 0, true, "never")
		}
		e.close("/#1")
		closed := a.expect("5:/#1 -")
		a.Nack(closed[0].ID, time.Second, true, "never") // not the last word about a session
		time.Sleep(time.Second)
		a.expect("6:/#1 -×2")
		a.Done(6, 6)
		e.idle()
		dead, _ := e.gs.DeadLetters("g", 0, 10)
		if len(dead) != 2 || dead[0].Event.Name != "bad1" || e.info().DeadLetters != 3 {
			t.Errorf("kept %+v of %d", dead, e.info().DeadLetters)
		}
	})
}

func TestClosedIsDeliveredUntilItIsHandled(t *testing.T) {
	virtual(t, Config{Spec: Spec{MaxAttempts: 2}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.close("/#1")
		for attempt := range 12 {
			ds := a.next()
			if len(ds) != 1 || ds[0].Attempt != uint32(attempt+1) {
				t.Fatalf("attempt %d: %s", attempt+1, show(ds))
			}
			a.Nack(ds[0].ID, 0, false, "no")
			time.Sleep(31 * time.Second)
		}
		a.settle()
		e.idle()
	})
}

func TestAckDeadlineStartsAgainOnExtend(t *testing.T) {
	virtual(t, Config{Spec: Spec{AckDeadline: 10 * time.Second}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.open("/#2")
		a.expect("1:/#1 +, 2:/#2 +")
		time.Sleep(6 * time.Second)
		a.Extend(1, 1)
		time.Sleep(5 * time.Second) // 11 s for the second, 5 s for the first
		a.expect("3:/#2 +×2")
		a.Done(3, 3)
		time.Sleep(5 * time.Second)
		a.expect("4:/#1 +×2")
		a.Done(1, 4)
		e.idle()
	})
}

func TestAShorterAckDeadlineHoldsForWhatIsOutstanding(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.expect("1:/#1 +")
		h := hello("b")
		h.Spec.AckDeadline = time.Second
		b := e.attach(h, Fresh)
		time.Sleep(1100 * time.Millisecond)
		if n := len(a.next()) + len(b.next()); n != 1 {
			t.Errorf("%d deliveries after the new deadline, want 1", n)
		}
	})
}

// P17, A3, G13.
func TestUnknownAndRepeatedAcksAreIgnoredAndCounted(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.expect("1:/#1 +")
		a.Done(0, 0)
		a.Done(7, 3)
		a.Done(2, math.MaxUint64)
		a.Nack(9, 0, true, "")
		a.Extend(5, 6)
		if d, ok := a.Take(8); ok {
			t.Errorf("Take of an unknown delivery = %+v", d)
		}
		if d, ok := a.Take(1); !ok || d.Event.Kind != socketio.Opened {
			t.Errorf("Take = %+v, %v", d, ok)
		}
		if _, ok := a.Take(1); ok {
			t.Error("Take settled a delivery twice")
		}
		a.Done(1, 1)
		if err := a.SetFlow(Flow{PerSession: 300}); err != nil {
			t.Fatal(err)
		}
		for i := range 300 { // more than are taken at once
			e.emit("/#1", fmt.Sprint(i))
		}
		if n := len(a.next()); n != 300 {
			t.Fatalf("%d deliveries", n)
		}
		var ids []uint64
		for id := range uint64(303) { // 0, 1 and 302 are not there
			ids = append(ids, id)
		}
		for i, d := range a.TakeAll(append(ids, 5), nil) {
			if there := i >= 2 && i <= 301; there != (d.Event != nil) || there && (d.ID != uint64(i) || d.Event.Seq != d.ID) {
				t.Errorf("TakeAll = %+v at %d", d, i)
			}
		}
		e.idle()
		if n := e.info().Ignored; n != 1+1<<20+1+2+1+1+1+4 {
			t.Errorf("ignored = %d", n)
		}
	})
}

func TestDoneSettlesRangesWhateverTheIdsInBetween(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#held")
		a.expect("1:/#held +")
		for i := range 300 {
			sid := fmt.Sprint("/#", i)
			e.open(sid)
			ds := a.next()
			a.Done(ds[0].ID, ds[0].ID)
		}
		if n := len(a.flight.pages); n != 1 {
			t.Errorf("%d pages for one delivery", n)
		}
		a.Done(1, math.MaxUint64)
		e.idle()
	})
}

func TestSettledTellsWhoLooksOn(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		hook := func(s Settled) { e.settled = append(e.settled, s) }
		e.gs.Settled.Store(&hook)
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.next()
		time.Sleep(time.Second)
		a.Nack(1, time.Millisecond, false, "")
		time.Sleep(time.Second)
		a.settle()
		if len(e.settled) != 2 || !e.settled[0].Nacked || e.settled[1].Nacked || e.settled[1].Attempt != 2 ||
			e.settled[1].Took < 2*time.Second || e.settled[1].MemberID != "a" || e.settled[1].Offset != 1 {
			t.Errorf("settled: %+v", e.settled)
		}
	})
}

func TestCloseEndsNext(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		time.AfterFunc(time.Second, e.gs.Close)
		var b Batch
		if err := a.Next(context.Background(), &b); !errors.Is(err, ErrClosed) {
			t.Errorf("Next = %v, want ErrClosed", err)
		}
		if _, _, err := e.gs.Attach(hello("b")); !errors.Is(err, ErrClosed) {
			t.Errorf("Attach = %v, want ErrClosed", err)
		}
	})
}
