package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A copy of a store in use holds all that was put before, and what is restored from it says that
// the time after it is forgotten: once.
func TestD5_BackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "edge.db"), filepath.Join(dir, "backup.db")
	s := open(t, path, Options{})
	for i := range uint64(500) {
		s.Put(Sessions, "", i+1, bytes.Repeat([]byte("s"), 100))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // awaited by stopped
		defer close(stopped)
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
				s.Put(Packets, "/", i, []byte("packet"))
			}
		}
	}()
	copied, err := s.Snapshot()
	close(stop)
	<-stopped
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(copied)
	copied.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + ".copy-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	r, err := Inspect(backup, nil)
	if err != nil || !r.Sound || r.Identity != s.Identity {
		t.Fatalf("the copy: %+v, %v", r, err)
	}

	if _, err := Restore(backup, path, true, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("a store in use: %v", err)
	}
	was := s.Identity
	s.Put(Sessions, "", 501, []byte("later"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(backup, path, false, nil); !errors.Is(err, ErrExists) {
		t.Errorf("a store that is there: %v", err)
	}
	var done int64
	aside, err := Restore(backup, path, true, func(n int64) { done = n })
	if err != nil || done != int64(len(b)) {
		t.Fatalf("restore: %v, %d of %d bytes", err, done, len(b))
	}
	if r, err := Inspect(aside, nil); err != nil || !r.Sound {
		t.Errorf("what was there: %+v, %v", r, err)
	}

	s = open(t, path, Options{})
	if s.EdgeID != was.EdgeID || s.LogID == was.LogID || s.Epoch != was.Epoch+1 {
		t.Errorf("%+v after %+v", s.Identity, was)
	}
	if s.Whole(Packets) {
		t.Error("nothing says that packets may be missing")
	}
	if sessions, _ := load(t, s, Sessions); len(sessions) != 500 {
		t.Errorf("%d sessions", len(sessions))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = open(t, path, Options{}); !s.Whole(Packets) {
		t.Error("it says so again at the next start")
	}
}

// Nothing is made of a damaged copy, and what is there stays.
func TestRestoreRefusesDamage(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "edge.db"), filepath.Join(dir, "backup.db")
	s := open(t, backup, Options{})
	s.Put(Sessions, "", 1, bytes.Repeat([]byte("s"), 100))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(backup)
	b[bytes.Index(b, []byte("sssss"))] = 'x'
	if err := os.WriteFile(backup, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(backup, path, false, nil); err == nil {
		t.Error("restored")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is there: %v", err)
	}
}
