package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestOrderOfChanges compares random changes of a few keys, in batches of which some fail, with a
// plain map.
func TestOrderOfChanges(t *testing.T) {
	for seed := range uint64(rounds(300, 20_000)) {
		r := rand.New(rand.NewPCG(seed, 17))
		disk, want := make(map[change]string), make(map[change]string)
		var pending batch
		seen := make(tops)
		for i := range 60 {
			p := place{Packets, fmt.Sprint(r.IntN(2))}
			c := change{p.table, p.sub, uint64(r.IntN(6))}
			switch r.IntN(6) {
			case 0:
				key := uint64(r.IntN(8))
				if r.IntN(3) == 0 {
					key = ^uint64(0)
				}
				pending.trim(p, key)
				seen.trim(p, key)
				for k := range want {
					if k.place() == p && k.key < key {
						delete(want, k)
					}
				}
			case 1:
				pending.put(c, nil, false)
				delete(want, c)
			case 2:
				taken := pending.take(nil)
				if r.IntN(2) == 0 { // the commit fails; what is put before it is known comes first
					v := fmt.Sprint("while ", i)
					pending.put(c, []byte(v), seen.fresh(p, c.key))
					want[c] = v
					if r.IntN(2) == 0 { // it was written all the same, and only not synced
						taken.applyTo(disk)
					}
					pending.behind(&taken)
					continue
				}
				taken.applyTo(disk)
			default:
				v := fmt.Sprint(i)
				pending.put(c, []byte(v), seen.fresh(p, c.key))
				want[c] = v
			}
		}
		last := pending.take(nil)
		last.applyTo(disk)
		if fmt.Sprint(disk) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %v, want %v", seed, disk, want)
		}
	}
}

// applyTo is apply for a map.
func (b *batch) applyTo(disk map[change]string) {
	for p, cuts := range b.cuts {
		for c := range disk {
			if c.place() == p && c.key < cuts[0].key {
				delete(disk, c)
			}
		}
	}
	for c, v := range b.values {
		if b.gone(c, v) {
			continue
		}
		if delete(disk, c); v.bytes != nil {
			disk[c] = string(v.bytes)
		}
	}
}

// What comes and goes between two commits never reaches the disk.
func TestWhatComesAndGoesIsNotWritten(t *testing.T) {
	var b batch
	seen := make(tops)
	p := place{Sessions, ""}
	for i := range uint64(100) {
		b.put(change{Sessions, "", i}, []byte("x"), seen.fresh(p, i))
		b.put(change{Sessions, "", i}, []byte("y"), seen.fresh(p, i))
		b.put(change{Sessions, "", i}, nil, false)
	}
	if b.changes() != 0 {
		t.Errorf("%d changes", b.changes())
	}
	b.put(change{Sessions, "", 7}, []byte("x"), seen.fresh(p, 7)) // 7 may be in the file
	b.put(change{Sessions, "", 7}, nil, false)
	if b.changes() != 1 {
		t.Errorf("%d changes", b.changes())
	}
}

// TestClose: what was put before Close is in the file, whatever the committer was doing, and
// every callback comes.
func TestClose(t *testing.T) {
	for i := range rounds(20, 500) {
		path := filepath.Join(t.TempDir(), "edge.db")
		s := open(t, path, Options{Every: time.Duration(i%3) * 100 * time.Microsecond})
		var wg sync.WaitGroup
		n := uint64(0)
		for range i % 7 {
			for range 10 {
				n++
				s.Put(Sessions, "", n, []byte("x"))
				wg.Add(1)
				s.Committed(func(err error) {
					if err != nil {
						t.Error(err)
					}
					wg.Done()
				})
			}
			time.Sleep(time.Duration(i) * 10 * time.Microsecond)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if err := s.Sync(); !errors.Is(err, ErrClosed) {
			t.Errorf("Sync after Close: %v", err)
		}
		s = open(t, path, Options{})
		if got, _ := load(t, s, Sessions); len(got) != int(n) {
			t.Fatalf("%d sessions of %d", len(got), n)
		}
		s.Close()
	}
}

// A sub that is empty leaves nothing in the file: clients can make namespaces up.
func TestEmptySubsAreForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{})
	for i := range 60 {
		sub := fmt.Sprintf("/made-up-%d", i)
		s.Put(Packets, sub, 1, []byte("x"))
		if i%2 == 0 {
			s.Sync()
		}
		s.Trim(Packets, sub, ^uint64(0))
		s.Put(Events, sub, 1, nil)
	}
	s.Sync()
	found, err := inspectFile(s.file.os, newest, nil)
	if err != nil || !found.sound() {
		t.Fatalf("%+v, %v", found, err)
	}
	for p := range found.places {
		if p.sub != "" {
			t.Errorf("%q is still there", p.sub)
		}
	}
}

func TestTheClockOfTheMachine(t *testing.T) {
	boot := BootID()
	before := SinceBoot()
	time.Sleep(2 * time.Millisecond)
	passed := SinceBoot() - before
	if boot == "" {
		t.Skip("this system does not tell")
	}
	if len(boot) != 36 || BootID() != boot || passed < 2*time.Millisecond || passed > time.Minute {
		t.Errorf("boot %q, %v passed", boot, passed)
	}
	// It is no clock that anybody sets: virtual time does not move it.
	synctest.Test(t, func(t *testing.T) {
		before := SinceBoot()
		time.Sleep(24 * time.Hour)
		if passed := SinceBoot() - before; passed > time.Minute {
			t.Errorf("%v passed with the wall clock", passed)
		}
	})
}
