package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A report counts what is there, finds what is damaged, and changes nothing.
func TestInspect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{})
	for i := range uint64(40) {
		s.Put(Sessions, "", i+1, bytes.Repeat([]byte{'A' + byte(i)}, 100))
		s.Put(Packets, "/chat", i+1, []byte("packet"))
	}
	s.Put(Groups, "a", 0, []byte("spec"))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	r, err := Inspect(path, func(Table, string, uint64, []byte) error { seen++; return nil })
	if err != nil || !r.InUse || !r.Sound || r.Identity != s.Identity || seen != 81 {
		t.Errorf("in use: %+v, %v, %d records", r, err, seen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err = Inspect(path, nil)
	want := []Part{{Table: "groups", Of: "a", Records: 1, Bytes: 4}, {Table: "packets", Of: "/chat", Records: 40, Bytes: 240}, {Table: "sessions", Records: 40, Bytes: 4000}}
	if err != nil || r.InUse || !r.Sound || len(r.Parts) != len(want) {
		t.Fatalf("%+v, %v", r, err)
	}
	for i := range want {
		if r.Parts[i] != want[i] {
			t.Errorf("%+v, want %+v", r.Parts[i], want[i])
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}

	// Pages that are free may hold it too, from commits before the last.
	bad := bytes.ReplaceAll(before, []byte("FFFFFFFFFF"), []byte("xFFFFFFFFF"))
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err = Inspect(path, nil)
	if err != nil || r.Sound {
		t.Fatalf("damaged: %+v, %v", r, err)
	}
	damaged := 0
	for _, p := range r.Parts {
		damaged += p.Damaged
	}
	if damaged != 1 {
		t.Errorf("%d damaged records: %+v", damaged, r.Parts)
	}
	if _, err := Inspect(path+".not", nil); err == nil {
		t.Error("no file, no error")
	}
}
