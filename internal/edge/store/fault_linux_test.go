package store

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/test/disk"
)

// TestDiskFaults makes the disk fail from the n-th write or sync on, for a while. What was
// accepted must survive a power cut at that very moment, and everything must be there once the
// disk works again. A sync that failed loses what it should have written, as Linux does.
func TestDiskFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("many disks")
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		name  string
		kind  disk.Kind
		errno syscall.Errno
		state State
	}{
		{"write ENOSPC", disk.Write, syscall.ENOSPC, Full},
		{"write EIO", disk.Write, syscall.EIO, Broken},
		{"sync EIO", disk.Sync, syscall.EIO, Broken},
		{"sync ENOSPC", disk.Sync, syscall.ENOSPC, Full},
		{"truncate ENOSPC", disk.Truncate, syscall.ENOSPC, Full},
		{"directory sync EIO", disk.SyncDir, syscall.EIO, Healthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			worst := time.Duration(0)
			for range rounds(3, 100) {
				worst = max(worst, diskFault(t, r, c.kind, c.errno, c.state))
			}
			t.Logf("healthy again after at most %v", worst.Round(time.Millisecond))
		})
	}
}

func diskFault(t *testing.T, r *rand.Rand, kind disk.Kind, errno syscall.Errno, state State) (healed time.Duration) {
	d := mountDisk(t)
	path := filepath.Join(d.dir, "edge.db")
	s := open(t, path, Options{Every: time.Nanosecond, Retry: 5 * time.Millisecond, Shrink: 1, ShrinkEvery: 10 * time.Millisecond})
	defer s.Close()
	h := newHistory()
	var acks accepted
	step := func() {
		h.step(s, r)
		n := len(h.states) - 1
		s.Committed(func(err error) {
			if err == nil {
				acks.mark(d.now(), n)
			}
		})
		if r.IntN(2) == 0 {
			s.Sync()
		}
	}
	for range 5 {
		step()
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if kind == disk.Truncate { // the file must want to grow
		s.Put(Packets, "/large", 1, make([]byte, 600<<10))
	}
	d.fail(Fault{Kind: kind, Errno: errno, From: 1 + r.IntN(12), Times: 1 + r.IntN(6)})
	for range 12 {
		step()
	}
	// The power goes, at any moment so far, and with it all that was not synced.
	for range 3 {
		at := r.IntN(d.now() + 1)
		if acks.at(at) == 0 {
			continue
		}
		dir := d.cut(t, at, 4096, 1, r)
		after, err := Open(filepath.Join(dir, "edge.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if after.Loss != nil {
			t.Fatalf("cut at %d: %+v", at, after.Loss)
		}
		h.checkBut(t, after, acks.at(at), "/large")
		after.Close()
		os.RemoveAll(dir)
	}
	d.heal()
	began := time.Now()
	waitFor(t, "writing again", func() bool { return s.Sync() == nil })
	healed = time.Since(began)
	if s.State() != Healthy || s.Refuses() != nil {
		t.Fatalf("state %d, %v", s.State(), s.Refuses())
	}
	dir := d.cut(t, d.now(), 4096, 1, r) // all that counts is synced
	after, err := Open(filepath.Join(dir, "edge.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if n := h.checkBut(t, after, len(h.states)-1, "/large"); after.Loss != nil || n == 0 {
		t.Fatalf("%+v", after.Loss)
	}
	if s.Stats().Replaced > 0 {
		t.Error("a file was set aside for a fault of the disk")
	}
	return healed
}

func TestP9_AFullDiskIsToldAndEndsByItself(t *testing.T) {
	d := mountDisk(t)
	s := open(t, filepath.Join(d.dir, "edge.db"), Options{Retry: 5 * time.Millisecond})
	s.Put(Sessions, "", 1, []byte("kept"))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	d.fail(Fault{Kind: disk.Write, Errno: syscall.ENOSPC, From: 1, Times: 1 << 30})
	s.Put(Sessions, "", 2, []byte("waits"))
	if err := s.Sync(); err != ErrFull {
		t.Fatalf("Sync: %v", err)
	}
	if s.State() != Full || s.Refuses() != ErrFull {
		t.Errorf("state %v, refuses %v", s.State(), s.Refuses())
	}
	// Whoever asks meanwhile is not kept waiting for the next try.
	began := time.Now()
	for i := range uint64(50) {
		s.Put(Events, "chat", i, []byte("event"))
		if err := s.Sync(); err != ErrFull {
			t.Fatalf("Sync: %v", err)
		}
	}
	t.Logf("50 answers while full in %v", time.Since(began))
	d.heal()
	waitFor(t, "writing again", func() bool { return s.State() == Healthy })
	if err := s.Sync(); err != nil || s.Refuses() != nil {
		t.Errorf("Sync: %v, refuses %v", err, s.Refuses())
	}
	if got, _ := load(t, s, Events); len(got) != 50 {
		t.Errorf("%d events", len(got))
	}
	if got, _ := load(t, s, Sessions); len(got) != 2 {
		t.Errorf("%d sessions", len(got))
	}
}

// The worst day: the file is ruined while there is no room for another.
func TestDamageOnAFullDisk(t *testing.T) {
	d := mountDisk(t)
	path := filepath.Join(d.dir, "edge.db")
	s := open(t, path, Options{Retry: 5 * time.Millisecond})
	all := func() {
		for i := range uint64(200) {
			s.Put(Sessions, "", i+1, []byte("session"))
		}
	}
	s.Rebuild(all)
	all()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, make([]byte, 64<<10), 0o600)
	d.fail(Fault{Kind: disk.Write, Errno: syscall.ENOSPC, From: 1, Times: 1 << 30})
	for range 5 {
		s.Put(Sessions, "", 7, []byte("newer"))
		if err := s.Sync(); err != ErrFull || s.Refuses() != ErrFull {
			t.Fatalf("Sync: %v, refuses %v", err, s.Refuses())
		}
	}
	d.heal()
	waitFor(t, "writing again", func() bool { return s.Sync() == nil })
	if r := s.Stats().Replaced; r != 1 {
		t.Errorf("replaced %d times", r)
	}
	s.Close()
	s = open(t, path, Options{})
	if got, _ := load(t, s, Sessions); len(got) != 200 || s.Loss != nil {
		t.Errorf("%d sessions, %+v", len(got), s.Loss)
	}
}

// What comes and goes while nothing can be written leaves nothing behind, or memory would fill.
func TestAFullDiskDoesNotFillMemory(t *testing.T) {
	d := mountDisk(t)
	s := open(t, filepath.Join(d.dir, "edge.db"), Options{Retry: time.Hour})
	d.fail(Fault{Kind: disk.Write, Errno: syscall.ENOSPC, From: 1, Times: 1 << 30})
	s.Put(Sessions, "", 1, []byte("waits"))
	s.Sync()
	for i := range uint64(10_000) {
		s.Put(Events, "chat", i+1, []byte("event"))
		s.Put(Events, "chat", i+1, nil)
	}
	s.mu.Lock()
	n := s.pending.size()
	s.mu.Unlock()
	if n > 10 {
		t.Errorf("%d changes wait", n)
	}
	d.heal()
}

func TestTheReserveRefusesAndNothingElse(t *testing.T) {
	d := mountDisk(t)
	d.setRoom(1<<30, 10<<20) // less than a twentieth
	s := open(t, filepath.Join(d.dir, "edge.db"), Options{})
	if err := s.Refuses(); err != ErrFull {
		t.Errorf("refuses %v", err)
	}
	var mu sync.Mutex
	var told []error
	s.Watch(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	})
	s.Put(Sessions, "", 1, []byte("x"))
	if err := s.Sync(); err != nil || s.State() != Healthy {
		t.Errorf("Sync: %v, state %v", err, s.State())
	}
	d.setRoom(1<<30, 100<<20)
	waitFor(t, "room is noticed, though nothing is put", func() bool { return s.Refuses() == nil })
	waitFor(t, "who watches is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(told, []error{ErrFull, nil})
	})
}

func TestTheFileDoesNotGrowOverItsBound(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "edge.db"), Options{MaxSize: 24 << 20, Retry: 5 * time.Millisecond, Shrink: 1 << 40})
	var full uint64
	for i := uint64(1); full == 0 && i < 1000; i++ {
		s.Put(Packets, "/", i, make([]byte, 256<<10))
		if err := s.Sync(); err != nil {
			if err != ErrFull {
				t.Fatal(err)
			}
			full = i
		}
	}
	if full == 0 {
		t.Fatal("it was never full")
	}
	if info, _ := os.Stat(filepath.Join(dir, "edge.db")); info.Size() > 24<<20 {
		t.Errorf("%d bytes", info.Size())
	}
	s.Trim(Packets, "/", full)
	waitFor(t, "writing again", func() bool { return s.State() == Healthy })
	if got, _ := load(t, s, Packets); len(got) != 1 {
		t.Errorf("%d packets", len(got))
	}
}

// TestCallbacksTellTheTruth: calls come in order, and each success means that the file has it.
func TestCallbacksTellTheTruth(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "edge.db"), Options{})
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Add(1)
		s.Put(Sessions, "", uint64(i), []byte{1})
		s.Committed(func(err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, i)
		})
	}
	wg.Wait()
	for i, n := range order {
		if i != n {
			t.Fatalf("call %d was that of %d", i, n)
		}
	}
	if c := s.Stats().Commits; c > 100 {
		t.Errorf("%d commits for what was put at once", c)
	}
}
