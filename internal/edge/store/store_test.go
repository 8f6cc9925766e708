package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, path string, opt Options) *Store {
	t.Helper()
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func load(t *testing.T, s *Store, table Table) (map[string][]byte, int) {
	t.Helper()
	got := make(map[string][]byte)
	damaged, err := s.Load(table, func(sub string, key uint64, v []byte) { got[fmt.Sprint(sub, "#", key)] = v })
	if err != nil {
		t.Fatal(err)
	}
	return got, damaged
}

func TestRecordsComeBackAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "edge.db")
	s := open(t, path, Options{})
	if !s.New || s.Epoch != 1 {
		t.Fatalf("new %v, epoch %d", s.New, s.Epoch)
	}
	s.Put(Sessions, "", 7, []byte("seven"))
	s.Put(Sessions, "", 8, []byte("eight"))
	s.Put(Sessions, "", 8, nil)
	for i := range uint64(5) {
		s.Put(Packets, "/chat", i+1, []byte{byte(i)})
	}
	s.Trim(Packets, "/chat", 3)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	first := s.Identity
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path, Options{})
	if s.New || s.Epoch != 2 || s.EdgeID != first.EdgeID || s.LogID != first.LogID {
		t.Fatalf("identity %+v after %+v", s.Identity, first)
	}
	if got, _ := load(t, s, Sessions); len(got) != 1 || string(got["#7"]) != "seven" {
		t.Errorf("sessions: %q", got)
	}
	if got, _ := load(t, s, Packets); len(got) != 3 || !bytes.Equal(got["/chat#5"], []byte{4}) {
		t.Errorf("packets: %v", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestASecondProcessIsToldThatTheFileIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	open(t, path, Options{})
	if _, err := Open(path, Options{LockTimeout: 1}); !errors.Is(err, ErrInUse) {
		t.Fatalf("err = %v", err)
	}
}

func TestP21_D4_ANewerFormatIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{})
	s.Close()
	raw, _ := os.ReadFile(path)
	i := bytes.Index(raw, append([]byte{format, 0, 0, 0, 0, 0, 0, 0}, 1, byte(len(s.EdgeID))))
	if i < 0 {
		t.Fatal("no identity in the file")
	}
	raw[i] = format + 1
	n := 10 + len(s.EdgeID) + len(s.LogID)
	binary.BigEndian.PutUint32(raw[i+n:], checksum(change{}, raw[i:i+n]))
	os.WriteFile(path, raw, 0o600)
	if _, err := Open(path, Options{}); !errors.Is(err, errFormat) {
		t.Fatalf("err = %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, raw) {
		t.Error("the file was changed")
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	open(t, path, Options{}).Close()
	os.Chmod(path, 0o644)
	if _, err := Open(path, Options{}); err == nil {
		t.Fatal("opened")
	}
	link := filepath.Join(filepath.Dir(path), "link.db")
	os.Chmod(path, 0o600)
	os.Symlink(path, link)
	if _, err := Open(link, Options{}); err == nil {
		t.Fatal("a symbolic link was opened")
	}
}
