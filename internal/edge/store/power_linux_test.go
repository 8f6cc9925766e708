package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// history is a sequence of steps, each of which is one Together: what the store holds must at
// any time be what it was after some step.
type history struct {
	states []map[change]string // after each step; of step 0: nothing
}

// step changes a few records in every way there is and counts itself.
func (h *history) step(s *Store, r *rand.Rand) {
	now := make(map[change]string)
	for c, v := range h.states[len(h.states)-1] {
		now[c] = v
	}
	n := uint64(len(h.states))
	put := func(t Table, sub string, key uint64, v string) {
		c := change{t, sub, key}
		if v == "" {
			delete(now, c)
			s.Put(t, sub, key, nil)
			return
		}
		now[c] = v
		s.Put(t, sub, key, []byte(v))
	}
	trim := func(t Table, sub string, key uint64) {
		for c := range now {
			if c.table == t && c.sub == sub && c.key < key {
				delete(now, c)
			}
		}
		s.Trim(t, sub, key)
	}
	s.Together(func() {
		put(Groups, "steps", 0, fmt.Sprint(n))
		for range 1 + r.IntN(8) {
			key := uint64(r.IntN(200))
			put(Sessions, "", key, fmt.Sprintf("session %d of step %d %0*d", key, n, r.IntN(600), 0))
		}
		for range r.IntN(6) {
			put(Sessions, "", uint64(r.IntN(200)), "")
		}
		nsp := fmt.Sprintf("/%d", r.IntN(4))
		put(Packets, nsp, n, fmt.Sprintf("packet %0*d", r.IntN(20_000), n))
		switch r.IntN(8) {
		case 0:
			trim(Packets, nsp, n-min(n, 5))
		case 1:
			trim(Packets, nsp, ^uint64(0))
			put(Packets, nsp, n, "after the trim")
		}
	})
	h.states = append(h.states, now)
}

func newHistory() *history { return &history{states: []map[change]string{{}}} }

// check says at which step the store is; it must be none before first.
func (h *history) check(t *testing.T, s *Store, first int) int {
	t.Helper()
	return h.checkBut(t, s, first, "")
}

// checkBut is check that knows nothing of one sub.
func (h *history) checkBut(t *testing.T, s *Store, first int, but string) int {
	t.Helper()
	got := make(map[change]string)
	for table := range tableNames[1:] {
		damaged, err := s.Load(Table(table+1), func(sub string, key uint64, v []byte) {
			if but != "" && sub == but {
				return
			}
			got[change{Table(table + 1), sub, key}] = string(v)
		})
		if err != nil || damaged > 0 {
			t.Fatalf("load: %d damaged, %v", damaged, err)
		}
	}
	n := 0
	if v, ok := got[change{Groups, "steps", 0}]; ok {
		fmt.Sscan(v, &n)
	}
	if n < first || n >= len(h.states) {
		t.Fatalf("the store is at step %d, %d was accepted, %d were made", n, first, len(h.states)-1)
	}
	want := h.states[n]
	for c, v := range want {
		if got[c] != v {
			t.Fatalf("step %d: %v is %.40q, not %.40q", n, c, got[c], v)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("step %d: %d records, not %d", n, len(got), len(want))
	}
	return n
}

// accepted is which step was known to be on disk when so many ops were done.
type accepted struct {
	mu    sync.Mutex
	marks []struct{ ops, step int }
}

func (a *accepted) mark(ops, step int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks = append(a.marks, struct{ ops, step int }{ops, step})
}

func (a *accepted) at(ops int) (step int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.marks {
		if m.ops <= ops {
			step = m.step
		}
	}
	return step
}

// TestP8_PowerLoss cuts the power at random moments of a busy store, its rewrites included. Of what
// was not synced a random part reaches the disk, at the grain of a page or of a sector.
func TestP8_PowerLoss(t *testing.T) {
	d := mountDisk(t)
	r := rand.New(rand.NewPCG(1, 2))
	var acks accepted
	h := newHistory()
	s := open(t, filepath.Join(d.dir, "edge.db"), Options{Every: time.Nanosecond, Shrink: 1, ShrinkEvery: time.Millisecond, LockTimeout: time.Second})
	for i := range rounds(120, 400) {
		h.step(s, r)
		step := i + 1
		s.Committed(func(err error) {
			if err != nil {
				t.Error(err)
			}
			acks.mark(d.now(), step)
		})
		if r.IntN(3) == 0 {
			s.Sync()
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if s.Stats().Rewrites == 0 {
		t.Error("the file was never rewritten: the cuts miss that")
	}
	s.Close()
	ops := d.now()
	t.Logf("%d ops, %+v", ops, s.Stats())
	for i := range rounds(60, 500) {
		grain := int64(4096)
		if i%2 == 1 {
			grain = 512
		}
		at := r.IntN(ops + 1)
		first := acks.at(at)
		if first == 0 {
			continue // during the creation: TestP8_PowerLossDuringCreation
		}
		dir := d.cut(t, at, grain, r.Float64(), r)
		func() {
			s, err := Open(filepath.Join(dir, "edge.db"), Options{})
			if err != nil {
				t.Fatalf("cut at %d of %d: %v", at, ops, err)
			}
			defer s.Close()
			if s.New || s.Loss != nil {
				t.Fatalf("cut at %d of %d: new %v, %+v", at, ops, s.New, s.Loss)
			}
			h.check(t, s, first)
		}()
		os.RemoveAll(dir)
	}
}

func TestP8_PowerLossDuringCreation(t *testing.T) {
	d := mountDisk(t)
	s := open(t, filepath.Join(d.dir, "edge.db"), Options{})
	ready := d.now()
	s.Put(Sessions, "", 1, []byte("one"))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	synced := d.now()
	id := s.Identity
	s.Close()
	ops := d.now()
	r := rand.New(rand.NewPCG(3, 4))
	for i := range rounds(40, 400) {
		at := i % (ops + 1)
		dir := d.cut(t, at, 512, r.Float64(), r)
		s, err := Open(filepath.Join(dir, "edge.db"), Options{})
		if err != nil {
			t.Fatalf("cut at %d: %v", at, err)
		}
		if s.Loss != nil || at >= ready && (s.New || s.LogID != id.LogID || s.Epoch != 2) {
			t.Errorf("cut at %d: new %v, %+v, identity %+v after %+v", at, s.New, s.Loss, s.Identity, id)
		}
		if got, _ := load(t, s, Sessions); at >= synced && string(got["#1"]) != "one" {
			t.Errorf("cut at %d: %q", at, got)
		}
		s.Close()
		os.RemoveAll(dir)
	}
}
