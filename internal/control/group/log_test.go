package group

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// journal is a Log in memory. What it was told is on disk a millisecond later.
type journal struct {
	mu      sync.Mutex // guards the following
	groups  map[string][]byte
	events  map[uint64][]byte
	letters map[uint64][]byte
	settled map[uint64][]byte
	dead    bool
}

func newJournal() *journal {
	return &journal{groups: make(map[string][]byte), events: make(map[uint64][]byte),
		letters: make(map[uint64][]byte), settled: make(map[uint64][]byte)}
}

func (j *journal) save(in map[uint64][]byte, offset uint64, record []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.dead:
	case record == nil:
		delete(in, offset)
	default:
		in[offset] = record
	}
}

func (j *journal) SaveEvent(_ string, offset uint64, record []byte) { j.save(j.events, offset, record) }

func (j *journal) SaveLetter(_ string, offset uint64, record []byte) {
	j.save(j.letters, offset, record)
}

func (j *journal) SaveSettled(_ string, offset uint64, record []byte) {
	j.save(j.settled, offset, record)
}

func (j *journal) TrimSettled(_ string, below uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.settled, func(offset uint64, _ []byte) bool { return offset < below })
}

func (j *journal) LoadSettled(_ string, from uint64, f func(uint64, []byte) bool) error {
	j.mu.Lock()
	settled := maps.Clone(j.settled)
	j.mu.Unlock()
	for _, offset := range slices.Sorted(maps.Keys(settled)) {
		if offset >= from && !f(offset, settled[offset]) {
			return nil
		}
	}
	return nil
}

// die loses what comes from now on, as a killed process does.
func (j *journal) die(dead bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead = dead
}

func (j *journal) SaveGroup(name string, record []byte) { j.groups[name] = record }

func (j *journal) Committed(f func(error)) { time.AfterFunc(time.Millisecond, func() { f(nil) }) }

// names is what the journal holds, in order: "+", "x", "-".
func (j *journal) names(t *testing.T) string {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var names []string
	for _, offset := range slices.Sorted(maps.Keys(j.events)) {
		ev, err := parse(j.events[offset][8:])
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, cmp.Or(ev.Name, map[socketio.Kind]string{socketio.Opened: "+", socketio.Closed: "-"}[ev.Kind]))
	}
	return strings.Join(names, " ")
}

func (j *journal) holds(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	if got := j.names(t); got != want {
		t.Errorf("%s the log holds %q, want %q", when, got, want)
	}
}

var parse = socketio.NewServer(socketio.Config{}, nil, nil, nil).ParseEvent

// succeed is the next process on the journal.
func succeed(t *testing.T, cfg Config, j *journal) *edge {
	cfg.Log, cfg.Epoch = j, 2
	e := newEdge(t, cfg)
	records := func(of map[uint64][]byte) func(func(string, uint64, []byte)) {
		return func(yield func(string, uint64, []byte)) {
			for _, offset := range slices.Sorted(maps.Keys(of)) {
				yield("g", offset, of[offset])
			}
		}
	}
	e.gs.Restore(Kept{
		Groups: func(yield func(string, []byte)) {
			for name, record := range j.groups {
				yield(name, record)
			}
		},
		Events: records(j.events), Letters: records(j.letters), Parse: parse,
	})
	return e
}

func TestP5_EventsAreKeptOnceTheyHaveWaited(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.emit("/#1", "x")
		time.Sleep(100 * time.Millisecond)
		e.emit("/#1", "y")
		j.holds(t, "at once", "")
		time.Sleep(101 * time.Millisecond)
		j.holds(t, "after 200 ms", "+ x")
		time.Sleep(100 * time.Millisecond)
		j.holds(t, "200 ms after the last", "+ x y")
		a.settle()
		j.holds(t, "when all is settled", "")
		a.Detach()
		e.emit("/#1", "z")
		j.holds(t, "without a member, at once", "z")
	})
}

// What has waited goes to the disk in parts: all of a burst at once would be held several times over.
// The sleeps are of virtual time.
func TestABurstIsSpilledInParts(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		for range 10 {
			e.emit("/#1", strings.Repeat("x", mostSpilled/2))
		}
		kept := func(when string, want int) {
			synctest.Wait()
			j.mu.Lock()
			defer j.mu.Unlock()
			if len(j.events) != want {
				t.Errorf("%s %d events are kept, want %d", when, len(j.events), want)
			}
		}
		kept("at once", 0)
		time.Sleep(200*time.Millisecond + time.Microsecond)
		kept("after 200 ms", 3) // with +
		time.Sleep(time.Millisecond)
		kept("once they are on disk", 5)
		time.Sleep(10 * time.Millisecond)
		kept("a little later", 11)
		a.Detach()
		for range 4 {
			e.emit("/#1", strings.Repeat("y", mostSpilled/2))
		}
		kept("without a member", 13)
		time.Sleep(10 * time.Millisecond)
		kept("and a little later", 15)
	})
}

func TestP7_WhatTheLogHoldsIsDeliveredByTheNextProcess(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.emit("/#1", "x")
		time.Sleep(time.Second)
		a.expect("1:/#1 +, 2:/#1 x")
		a.Done(1, 1)
		e.emit("/#1", "y")
		time.Sleep(time.Second)
		j.die(true)
		e.gs.Close()
		j.die(false)

		e = succeed(t, Config{}, j)
		defer e.gs.Close()
		a = e.attach(hello("a"), Fresh)
		ds := a.expect("1:/#1 x×2, 2:/#1 y×2")
		if ds[0].Offset != 2 || ds[0].Event.Seq != 2 || ds[0].PrevSeq != 1 {
			t.Errorf("offset %d seq %d prev %d: not the same event", ds[0].Offset, ds[0].Event.Seq, ds[0].PrevSeq)
		}
		e.open("/#2")
		if next := a.next(); len(next) != 1 || next[0].Offset <= ds[1].Offset {
			t.Errorf("an offset was given again: %v", next)
		}
		a.Done(1, 3)
		j.holds(t, "in the end", "")
	})
}

func TestADurableGroupGetsNothingBeforeItIsOnDisk(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j, Spec: Spec{Mode: Durable}}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		e.open("/#1")
		j.holds(t, "at once", "+")
		e.emit("/#1", "x")
		var b Batch
		began := time.Now()
		if err := a.Next(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) < time.Millisecond {
			t.Error("delivered before the commit")
		}
	})
}

func TestHeldEventsWaitAndHoldThoseBehindThem(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		s := newSession("/#1", "/")
		e.sessions["/#1"] = s
		opened := &socketio.Event{Kind: socketio.Opened, Life: &socketio.Life{}, Held: true}
		s.mu.Lock()
		e.deliver(s, opened)
		s.mu.Unlock()
		j.holds(t, "at once", "+")
		e.emit("/#1", "x")
		a.expect("")
		e.gs.Release(opened)
		a.expect("1:/#1 +, 2:/#1 x")
	})
}

func TestP6_WhatWaitsIsKeptWhenTheEdgeStops(t *testing.T) {
	j := newJournal()
	virtual(t, Config{Log: j}, func(t *testing.T, e *edge) {
		e.attach(hello("a"), Fresh)
		e.open("/#1")
		e.emit("/#1", "x")
		e.gs.Close()
		j.holds(t, "at the end", "+ x")
	})
}
