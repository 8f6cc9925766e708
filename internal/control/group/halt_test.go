package group

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A halted group settles what it has, gets nothing new, and goes on where it was.
func TestHalt(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.expect("1:/#1 +")
		for _, want := range []bool{true, false} {
			if changed, err := e.gs.Halt("g", true); err != nil || changed != want {
				t.Fatalf("halt: %v, %v", changed, err)
			}
		}
		e.emit("/#1", "x")
		a.Done(1, 1)
		a.expect("")
		if i := e.info(); !i.Halted || i.Events != 1 || i.InFlight != 0 {
			t.Errorf("%+v", i)
		}
		b := e.attach(hello("b"), Fresh)
		b.expect("")
		began := time.Now()
		time.AfterFunc(time.Minute, func() { e.gs.Halt("g", false) })
		synctest.Wait()
		var got Batch
		for _, m := range []*member{a, b} {
			if err := m.Next(t.Context(), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Deliveries) > 0 {
				break // the session is at one of the two
			}
		}
		if len(got.Deliveries) != 1 || time.Since(began) != time.Minute {
			t.Errorf("once it goes on: %+v", got.Deliveries)
		}
		if _, err := e.gs.Halt("nobody", true); !errors.Is(err, ErrUnknown) {
			t.Errorf("a group that is not there: %v", err)
		}
	})
}

// It stays halted when the edge starts again and when its members introduce themselves again.
func TestHaltOutlivesTheProcess(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		e.attach(hello("a"), Fresh)
		e.gs.Halt("g", true)
		e.attach(hello("b"), Fresh)
	})
	virtual(t, Config{}, func(t *testing.T, _ *edge) {
		e := succeed(t, Config{}, j)
		defer e.gs.Close()
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.expect("")
		if i := e.info(); !i.Halted {
			t.Errorf("%+v", i)
		}
	})
}
