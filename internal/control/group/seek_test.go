package group

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// kill makes a successor of an edge whose process dies now.
func kill(t *testing.T, e *edge, j *journal, cfg Config) *edge {
	t.Helper()
	synctest.Wait()
	j.die(true)
	e.gs.Close()
	j.die(false)
	return succeed(t, cfg, j)
}

func TestADeadLetterSurvivesAndIsDrivenAgain(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j, Spec: Spec{MaxAttempts: 1}}, func(t *testing.T, e *edge) {
		e.gs.Restore(Kept{Parse: parse})
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		for _, name := range []string{"x", "bad", "worse", "y"} {
			e.emit("/#1", name)
		}
		a.expect("2:/#1 x, 3:/#1 bad, 4:/#1 worse, 5:/#1 y")
		a.Done(2, 2)
		a.Nack(3, 0, false, "cannot")
		a.expect("6:/#1 worse×2, 7:/#1 y×2")
		a.Nack(6, 0, false, "cannot")
		a.expect("8:/#1 y×3")
		time.Sleep(time.Second)

		e = kill(t, e, j, Config{Spec: Spec{MaxAttempts: 1}})
		defer e.gs.Close()
		dead, err := e.gs.DeadLetters("g", 0, 10)
		if err != nil || len(dead) != 2 || dead[0].Event.Name != "bad" || dead[1].Event.Name != "worse" || dead[1].Attempts != 2 ||
			dead[0].MemberID != "a" || dead[0].Reason != "cannot" || dead[0].PrevSeq != 2 {
			t.Fatalf("%+v, %v", dead, err)
		}
		if page, _ := e.gs.DeadLetters("g", dead[0].Offset+1, 1); len(page) != 1 || page[0].Offset != dead[1].Offset {
			t.Errorf("%+v", page)
		}
		// It comes before what still waits of its session, with the offset and the attempts it had.
		done, unknown, err := e.gs.Redrive("g", []uint64{dead[0].Offset, 12345}, false)
		if done != 1 || !slices.Equal(unknown, []uint64{12345}) || err != nil {
			t.Errorf("%d, %v, %v", done, unknown, err)
		}
		a = e.attach(hello("a"), Fresh)
		ds := a.expect("1:/#1 bad×2, 2:/#1 y×2")
		if ds[0].Offset != dead[0].Offset || ds[0].Event.Seq != 3 || ds[0].PrevSeq != 2 {
			t.Errorf("%+v", ds[0])
		}
		a.Done(1, 1)
		a.Nack(2, 0, true, "no") // set aside as well
		if done, _, _ := e.gs.Redrive("g", nil, true); done != 2 {
			t.Errorf("%d were discarded", done)
		}
		synctest.Wait()
		if info := e.info(); info.SetAside != 0 || info.Events != 0 || len(j.letters) != 0 || len(j.events) != 0 {
			t.Errorf("%+v, %d letters, %d events", info, len(j.letters), len(j.events))
		}
		if _, _, err := e.gs.Redrive("h", nil, false); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}

func TestWhatIsDrivenAgainSurvivesToo(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		e.gs.Restore(Kept{Parse: parse})
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.emit("/#1", "bad")
		a.Nack(a.next()[0].ID, 0, true, "never")
		if j.holds(t, "set aside", ""); len(j.letters) != 1 {
			t.Errorf("%d letters", len(j.letters))
		}
		a.Detach()
		e.gs.Redrive("g", nil, false)
		if j.holds(t, "driven again", "bad"); len(j.letters) != 0 {
			t.Errorf("%d letters", len(j.letters))
		}
		e = kill(t, e, j, Config{})
		defer e.gs.Close()
		e.attach(hello("a"), Fresh).expect("1:/#1 bad×2")
	})
}

var retaining = Config{Spec: Spec{Mode: Durable, Retention: time.Hour}}

// settled makes a group that has settled so many events, one a second, and returns the offset of
// the last. The events are named 0, 1, 2 …
func settled(t *testing.T, e *edge, n int) (a *member, last uint64) {
	t.Helper()
	e.gs.Restore(Kept{Parse: parse})
	a = e.attach(hello("a"), Fresh)
	e.open("/#1")
	for i := range n {
		e.emit("/#1", fmt.Sprint(i))
		time.Sleep(time.Second)
		for _, d := range a.next() {
			a.Done(d.ID, d.ID)
			last = d.Offset
		}
	}
	return a, last
}

func names(ds []Delivery) string {
	var all []string
	for _, d := range ds {
		all = append(all, fmt.Sprintf("%s×%d", d.Event.Name, d.Attempt))
	}
	return strings.Join(all, " ")
}

func TestSeekGoesBack(t *testing.T) {
	j := newJournal()
	cfg := retaining
	cfg.Log = j
	virtual(t, cfg, func(t *testing.T, e *edge) {
		a, last := settled(t, e, 6)
		cursor := &Cursor{"edge", "log", last - 3}
		for round, want := range []string{"3×2 4×2 5×2", "3×3 4×3 5×3"} {
			dropped, replayed, err := e.gs.Seek(t.Context(), "g", Position{After: cursor})
			if dropped != 0 || replayed != 3 || err != nil {
				t.Fatalf("round %d: %d, %d, %v", round, dropped, replayed, err)
			}
			ds := a.next()
			if got := names(ds); got != want || ds[0].Offset != cursor.Offset+1 {
				t.Errorf("round %d: got %s from %d", round, got, ds[0].Offset)
			}
			if n, _, _ := e.gs.Seek(t.Context(), "g", Position{Latest: true}); n != 0 {
				t.Errorf("%d outstanding events were dropped", n)
			}
			a.Done(ds[0].ID, ds[len(ds)-1].ID)
		}
		// By time, after a restart.
		synctest.Wait()
		at := time.Now().Add(-2500 * time.Millisecond)
		e = kill(t, e, j, retaining)
		defer e.gs.Close()
		a = e.attach(Hello{Group: "g", MemberID: "a", InstanceID: "b", Spec: retaining.Spec}, Fresh)
		if _, n, err := e.gs.Seek(t.Context(), "g", Position{From: at}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := names(a.next()); got != "4×4 5×4" {
			t.Errorf("got %s", got)
		}
	})
}

func TestSeekToTheEndKeepsLives(t *testing.T) {
	j := newJournal()
	cfg := retaining
	cfg.Log = j
	virtual(t, cfg, func(t *testing.T, e *edge) {
		a, last := settled(t, e, 2)
		a.Detach()
		e.emit("/#1", "x")
		e.emit("/#1", "y")
		e.close("/#1")
		e.open("/#2")
		e.emit("/#2", "z")
		if d, r, err := e.gs.Seek(t.Context(), "g", Position{Latest: true}); d != 3 || r != 0 || err != nil {
			t.Fatalf("%d, %d, %v", d, r, err)
		}
		a = e.attach(hello("a"), Fresh)
		time.Sleep(time.Second) // the events are on disk
		if ds := a.settle(); len(ds) != 2 || ds[0].Event.Kind == socketio.ClientEvent || ds[1].Event.Kind == socketio.ClientEvent {
			t.Errorf("got %s", show(ds))
		}
		// What was dropped counts as settled: it can be had again.
		if _, r, _ := e.gs.Seek(t.Context(), "g", Position{After: &Cursor{"edge", "log", last}}); r != 3 {
			t.Errorf("%d", r)
		}
		if got := names(a.next()); got != "x×1 z×1 y×1" && got != "x×1 y×1 z×1" && got != "z×1 x×1 y×1" {
			t.Errorf("got %s", got)
		}
	})
}

// A cursor between what waits drops what is before it.
func TestSeekForward(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		a.Detach()
		for i := range 5 {
			e.emit("/#1", fmt.Sprint(i))
		}
		if d, r, err := e.gs.Seek(t.Context(), "g", Position{After: &Cursor{"edge", "log", e.info().Cursor + 1}}); d != 2 || r != 0 || err != nil {
			t.Errorf("%d, %d, %v", d, r, err)
		}
		if got := names(e.attach(hello("a"), Fresh).next()); got != "2×1 3×1 4×1" {
			t.Errorf("got %s", got)
		}
		for _, c := range []*Cursor{{"other", "log", 1}, {"edge", "lost", 1}, {"edge", "log", 1 << 60}} {
			if _, _, err := e.gs.Seek(t.Context(), "g", Position{After: c}); !errors.Is(err, ErrCursor) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	})
}

func TestRetentionEnds(t *testing.T) {
	j := newJournal()
	cfg := retaining
	cfg.Log = j
	cfg.Spec.Retention = time.Minute
	virtual(t, cfg, func(t *testing.T, e *edge) {
		_, last := settled(t, e, 50)
		if n := e.info().Retained; n != 50 {
			t.Fatalf("%d are kept", n)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if n := len(j.settled); n < 20 || n > 40 || e.info().Retained != n {
			t.Errorf("%d are kept, counted %d", n, e.info().Retained)
		}
		// A successor counts what it finds and goes on.
		e = kill(t, e, j, cfg)
		defer e.gs.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(j.settled); n != 0 || e.info().Retained != 0 {
			t.Errorf("%d are kept, counted %d", n, e.info().Retained)
		}
		if _, n, err := e.gs.Seek(t.Context(), "g", Position{After: &Cursor{"edge", "log", last - 10}}); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestRetentionHasABound(t *testing.T) {
	j := newJournal()
	cfg := retaining
	cfg.Log = j
	cfg.Spec.MaxBacklogBytes = 4000
	virtual(t, cfg, func(t *testing.T, e *edge) {
		e.gs.Restore(Kept{Parse: parse})
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		for i := range 300 {
			e.emit("/#1", fmt.Sprint(i))
			time.Sleep(5 * time.Millisecond)
			a.settle()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		size := 0
		for _, record := range j.settled {
			size += len(record)
		}
		if size > 4000 || size < 2000 {
			t.Errorf("%d bytes are kept", size)
		}
		offsets := slices.Sorted(maps.Keys(j.settled))
		if k, err := parseKept(j.settled[offsets[len(offsets)-1]]); err != nil {
			t.Error(err)
		} else if ev, _ := parse(k.Event); ev.Name != "299" {
			t.Errorf("the newest is %s", ev.Name)
		}
	})
}

func TestSaveAllPutsQueuesAgain(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		e.gs.Restore(Kept{Parse: parse})
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		a.settle()
		e.emit("/#1", "bad")
		a.Nack(a.next()[0].ID, 0, true, "never")
		a.Detach()
		e.emit("/#1", "x")
		e.emit("/#1", "y")
		synctest.Wait()
		before, empty := newJournal(), newJournal()
		before.events, before.letters, before.groups = j.events, j.letters, j.groups
		j.events, j.letters, j.groups = empty.events, empty.letters, empty.groups
		e.gs.SaveAll()
		if !maps.EqualFunc(j.events, before.events, slices.Equal) || !maps.EqualFunc(j.letters, before.letters, slices.Equal) ||
			!maps.EqualFunc(j.groups, before.groups, slices.Equal) || len(j.events) != 2 || len(j.letters) != 1 {
			t.Errorf("%v %v %v, was %v %v %v", j.groups, j.events, j.letters, before.groups, before.events, before.letters)
		}
	})
}

func TestRetentionNeedsADurableGroup(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Spec.Retention = time.Hour
		var invalid *Invalid
		if _, _, err := e.gs.Attach(h); !errors.As(err, &invalid) || invalid.Field != "spec.retention" {
			t.Error(err)
		}
	})
}
