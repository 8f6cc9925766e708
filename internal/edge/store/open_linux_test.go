package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

func inUse(err error) bool { return errors.Is(err, ErrInUse) }

// TestD1_FilesThatAreNotTheEdges: none of them is touched, and each is refused in words that say
// what to do.
func TestD1_FilesThatAreNotTheEdges(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		says string
	}{
		{"directory", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "not a file"},
		{"fifo", func(t *testing.T, path string) { syscall.Mkfifo(path, 0o600) }, "not a file"},
		{"symbolic link", func(t *testing.T, path string) {
			makeFile(t, path+".real")
			os.Symlink(path+".real", path)
		}, "symbolic link"},
		{"readable by others", func(t *testing.T, path string) {
			makeFile(t, path)
			os.Chmod(path, 0o644)
		}, "mode 0644 lets others read the sessions: chmod 0600"},
		{"of somebody else", func(t *testing.T, path string) {
			makeFile(t, path)
			if os.Chown(path, 65534, 65534) != nil {
				t.Skip("needs root")
			}
		}, "belongs to user 65534"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edge.db")
			c.make(t, path)
			before, _ := os.ReadDir(filepath.Dir(path))
			s, err := Open(path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
			after, _ := os.ReadDir(filepath.Dir(path))
			for _, e := range after {
				if strings.Contains(e.Name(), "damaged") {
					t.Errorf("%s: %d entries became %d", e.Name(), len(before), len(after))
				}
			}
		})
	}
}

// makeFile makes a file and leaves it.
func makeFile(t *testing.T, path string) {
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Put(Sessions, "", 1, []byte("one"))
	s.Close()
}

// TestAFileThatCannotBeWritten: an edge that may not write its file says so, and leaves it.
func TestAFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	makeFile(t, path)
	raw, _ := os.ReadFile(path)
	os.Chmod(path, 0o400)
	if os.Geteuid() == 0 { // root may write everything: be somebody else for a moment
		os.Chown(path, 65534, 65534)
		os.Chown(path+".lock", 65534, 65534)
		os.Chmod(filepath.Dir(path), 0o777)
		for dir := filepath.Dir(path); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
			os.Chmod(dir, 0o777)
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); errno != 0 {
			t.Skip(errno)
		}
		defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	}
	s, err := Open(path, Options{})
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	if os.Geteuid() != 0 && !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
	if now, _ := os.ReadFile(path); string(now) != string(raw) {
		t.Error("the file was changed")
	}
}

func TestAFileThatBboltToolsHaveIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	makeFile(t, path)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(path, Options{LockTimeout: 1}); !inUse(err) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNotAStoreIsSetAside(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "text": strings.Repeat("not a database\n", 1000)} {
		path := filepath.Join(t.TempDir(), "edge.db")
		os.WriteFile(path, []byte(content), 0o600)
		s := open(t, path, Options{})
		if s.Loss == nil || s.Loss.Sessions != -1 {
			t.Errorf("%s: %+v", name, s.Loss)
		}
		if raw, _ := os.ReadFile(s.Loss.Aside); string(raw) != content {
			t.Errorf("%s: not kept", name)
		}
	}
}
