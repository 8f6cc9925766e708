package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestALongRunningStoreShrinks: after most of it has gone no more than half of the file is free,
// without a restart, and what is put meanwhile is there.
func TestALongRunningStoreShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{Shrink: 2 << 20, ShrinkEvery: 10 * time.Millisecond})
	record := func(i uint64) []byte { return fmt.Appendf(nil, "%d %01000d", i, 0) }
	const n, left = 20_000, 3000
	for i := range uint64(n) {
		s.Put(Sessions, "", i+1, record(i))
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	big := size(t, path)
	for i := range uint64(n - left) {
		s.Put(Sessions, "", i+1, nil)
	}
	// From now on nobody puts anything, or next to nothing. Three records fill a page to three quarters.
	live := int64(left * 1024 * 4 / 3)
	waitFor(t, "the file shrinks", func() bool {
		s.swapping.RLock()
		defer s.swapping.RUnlock()
		used, _ := s.file.space()
		return used <= 2*live
	})
	most := 2*live + 16<<20 // bbolt grows a file by 16 MiB, which it does not write
	if now := size(t, path); now > most || big <= most {
		t.Errorf("%d MiB of %d for %d MiB", now>>20, big>>20, live>>20)
	}
	for i := range uint64(100) {
		s.Put(Sessions, "", n+i+1, record(n+i))
	}
	s.Close()
	s = open(t, path, Options{})
	if got, _ := load(t, s, Sessions); len(got) != left+100 || string(got[fmt.Sprint("#", n)]) != string(record(n-1)) {
		t.Errorf("%d sessions", len(got))
	}
	if s.Loss != nil {
		t.Errorf("%+v", s.Loss)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A file that is mostly free shrinks at the start as well, and what a killed rewrite left goes.
func TestAFileShrinksAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{Shrink: 1 << 40})
	for i := range uint64(5000) {
		s.Put(Packets, "/", i+1, make([]byte, 1000))
	}
	s.Sync()
	s.Trim(Packets, "/", 4900)
	s.Close()
	before, _ := os.Stat(path)
	os.WriteFile(path+".new", []byte("cut short"), 0o600)
	s = open(t, path, Options{Shrink: 1 << 20})
	after, _ := os.Stat(path)
	if after.Size() >= before.Size()/2 {
		t.Errorf("%d bytes after %d", after.Size(), before.Size())
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the leftover is still there")
	}
	if got, _ := load(t, s, Packets); len(got) != 101 {
		t.Errorf("%d packets", len(got))
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}
