package store

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestD7_NoReaderStays: whoever reads, also one who takes a copy and then does not look at it, has let go of
// the file when the call returns. A reader that stayed would keep every page from being used again.
func TestD7_NoReaderStays(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "edge.db"), Options{})
	put := func() {
		for i := range uint64(100) {
			s.Put(Sessions, "", i+1, bytes.Repeat([]byte("s"), 1000))
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	put()
	copied, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if _, err := s.Load(Sessions, func(string, uint64, []byte) {}); err != nil {
		t.Fatal(err)
	}
	if n := s.file.db.Stats().OpenTxN; n != 0 {
		t.Errorf("%d readers have stayed", n)
	}
	size := func() int64 { n, _ := s.file.space(); return n }
	put()
	before := size()
	for range 50 {
		put()
	}
	if after := size(); after > 2*before {
		t.Errorf("the file grew from %d to %d bytes with what it held being replaced", before, after)
	}
}
