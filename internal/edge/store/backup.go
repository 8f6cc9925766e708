package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// Snapshot returns a copy of the file as it is once everything put before is on disk. The copy has
// no name and is gone when it is closed; its offset is at its beginning. It needs as much room
// beside the file as the file takes. Commits go on meanwhile.
func (s *Store) Snapshot() (*os.File, error) {
	f, err := s.snapshot()
	if err != nil {
		return nil, fmt.Errorf("copy store %s: %w", s.path, err)
	}
	return f, nil
}

func (s *Store) snapshot() (*os.File, error) {
	if err := s.Sync(); err != nil {
		return nil, err
	}
	dir := filepath.Dir(s.path)
	s.swapping.RLock()
	defer s.swapping.RUnlock()
	if s.file == nil {
		return nil, ErrBroken
	}
	used, _ := s.file.space()
	if total, free := room(dir); total > 0 && free < uint64(used) {
		return nil, fmt.Errorf("%w: %d MiB are free, %d MiB are needed for a while", ErrFull, free>>20, used>>20)
	}
	copied, err := os.CreateTemp(dir, filepath.Base(s.path)+".copy-*")
	if err != nil {
		return nil, err
	}
	os.Remove(copied.Name()) // where that is refused it stays until it is removed by hand
	err = s.file.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(copied)
		return err
	})
	if err == nil {
		_, err = copied.Seek(0, io.SeekStart)
	}
	if err != nil {
		copied.Close()
		return nil, err
	}
	return copied, nil
}

// restoredKey marks a file that was put in place by Restore, until it is opened: what happened
// after the copy was made is missing, and nobody can say what that is.
var restoredKey = []byte("restored")

// ErrExists is what Restore returns if there is a store already.
var ErrExists = errors.New("there is a store already")

// Restore makes a store of a copy. It is an error if the copy is damaged or if a process has the
// store; ErrExists if there is one and replace is not set. With replace the present one is kept
// under another name, which is returned.
//
// The edge that opens the store begins a new log, because the old one went on after the copy was
// made: backends are told, clients come back to their sessions and see recovered=false.
// progress, if it is not nil, is told how many bytes are done.
func Restore(from, path string, replace bool, progress func(done int64)) (aside string, err error) {
	if aside, err = restore(from, path, replace, progress); err != nil {
		return "", fmt.Errorf("restore %s: %w", path, err)
	}
	return aside, nil
}

func restore(from, path string, replace bool, progress func(int64)) (aside string, err error) {
	r, err := Inspect(from, nil)
	if err != nil {
		return "", err
	}
	if !r.Sound {
		return "", fmt.Errorf("%s is damaged: sio-edge inspect says how", from)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	held, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer held.Close()
	if err := lock(held, 0); err != nil {
		return "", err
	}
	_, err = os.Lstat(path)
	exists := err == nil
	if exists && !replace {
		return "", ErrExists
	}
	if err := putInPlace(from, path+".new", r.Identity, progress); err != nil {
		os.Remove(path + ".new")
		return "", err
	}
	if exists {
		aside = fmt.Sprintf("%s.before-%s", path, time.Now().UTC().Format("20060102T150405.000"))
		if err := os.Rename(path, aside); err != nil {
			return "", err
		}
	}
	return aside, rename(path+".new", path)
}

// putInPlace copies a file and marks the copy as restored.
func putInPlace(from, to string, id Identity, progress func(int64)) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(&meter{w: out, told: progress}, in); err != nil {
		return err
	}
	opt := Options{}.withDefaults()
	db, err := bbolt.Open(to, 0o600, &bbolt.Options{Timeout: opt.LockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	id.LogID = randomHex(8)
	err = guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			meta := tx.Bucket(metaBucket)
			if err := meta.Put(metaKey, appendIdentity(nil, id)); err != nil {
				return err
			}
			return meta.Put(restoredKey, []byte{1})
		})
	})
	if e := db.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = out.Sync()
	}
	return err
}

// meter counts what is written.
type meter struct {
	w    io.Writer
	done int64
	told func(int64)
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.done += int64(n)
	if m.told != nil {
		m.told(m.done)
	}
	return n, err
}
