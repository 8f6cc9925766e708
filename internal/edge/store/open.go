package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// format is the version of what the records look like. A newer one is not touched.
const format = 1

// Identity is what a file says of its edge.
type Identity struct {
	EdgeID string // made with the first file
	LogID  string // changes when the file was lost
	Epoch  uint64 // grows with each Open
}

var (
	metaBucket = []byte("meta")
	metaKey    = []byte("identity")
)

// errFormat is a file that this program must not touch.
var errFormat = errors.New("written by a newer version")

// open opens the file, sets it aside if it is damaged, makes it if it is not there.
func (s *Store) open() error {
	if info, err := os.Lstat(s.path); err == nil {
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			return errors.New("a symbolic link: give the path of the file itself")
		case !info.Mode().IsRegular():
			return errors.New("not a file")
		case info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("mode %04o lets others read the sessions: chmod 0600", info.Mode().Perm())
		}
		err := s.openExisting()
		if err == nil || errors.Is(err, ErrInUse) || errors.Is(err, errFormat) || errors.Is(err, os.ErrPermission) {
			return err
		}
		if err := s.setAside(err); err != nil {
			return err
		}
	}
	return s.create()
}

func (s *Store) openExisting() error {
	if s.opt.Check != nil && !s.closedClean() {
		if err := s.opt.Check(s.path); err != nil {
			return err
		}
	}
	db, err := bbolt.Open(s.path, 0o600, s.boltOptions())
	if errors.Is(err, berrors.ErrTimeout) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	s.db = db
	if err = guarded(func() error { return s.adopt(db) }); err == nil {
		return guarded(s.compact)
	}
	db.Close()
	return err
}

func (s *Store) boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         s.opt.LockTimeout,
		NoFreelistSync:  true, // else every commit writes the whole list of what churn left free
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 1 << 30, // address space only; growing the map waits for all readers
		MmapFlags:       mmapPopulate,
		MaxSize:         s.opt.MaxSize,
		OpenFile:        s.opt.openFile,
	}
}

// closedClean says whether the last process that had the file closed it in good order. It reads
// a mark beside the file, because reading the file is what may go wrong.
func (s *Store) closedClean() bool {
	mark, err := os.ReadFile(s.path + ".clean")
	if err != nil {
		return false
	}
	info, err := os.Stat(s.path)
	return err == nil && string(mark) == cleanMark(info)
}

func cleanMark(info os.FileInfo) string {
	return fmt.Sprintf("%d %d\n", info.Size(), info.ModTime().UnixNano())
}

// markClean leaves the mark that saves the next Open its check, or takes it away.
func (s *Store) markClean(clean bool) error {
	if !clean {
		if err := os.Remove(s.path + ".clean"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path+".clean", []byte(cleanMark(info)), 0o600)
}

// adopt checks the format and begins a new epoch.
func (s *Store) adopt(db *bbolt.DB) error {
	if err := s.markClean(false); err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return errors.New("not a store of sio-edge, or its creation was cut short")
		}
		id, err := parseIdentity(meta.Get(metaKey))
		if err != nil {
			return err
		}
		id.Epoch++
		s.Identity = id
		return meta.Put(metaKey, appendIdentity(nil, id))
	})
}

// create makes the file under another name and renames it when it is whole: power loss during
// creation is the one moment that bbolt does not survive.
func (s *Store) create() error {
	fresh := s.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	opt := s.boltOptions()
	opt.InitialMmapSize = 0
	db, err := bbolt.Open(fresh, 0o600, opt)
	if err != nil {
		return err
	}
	if s.EdgeID == "" {
		s.EdgeID = "edge-" + randomHex(4)
	}
	s.LogID = randomHex(8)
	s.Epoch++
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		for _, name := range tableNames[1:] {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return meta.Put(metaKey, appendIdentity(nil, s.Identity))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := s.markClean(false); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	s.New = true
	s.db, err = bbolt.Open(s.path, 0o600, s.boltOptions())
	return err
}

// setAside renames a damaged file, so that the edge starts and the file can be looked at.
func (s *Store) setAside(why error) error {
	aside := fmt.Sprintf("%s.damaged-%s", s.path, time.Now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(s.path, aside); err != nil {
		return errors.Join(why, err)
	}
	s.Damaged = aside
	s.opt.Log.Error("store damaged: it was set aside, all sessions start anew", "store", s.path, "aside", aside, "fault", why)
	return syncDir(filepath.Dir(s.path))
}

// compact rewrites a file of which more than half is free. It never grows smaller by itself.
func (s *Store) compact() error {
	const worthwhile = 16 << 20
	var size, free int64
	s.db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	free = int64(s.db.Stats().FreePageN+s.db.Stats().PendingPageN) * int64(s.db.Info().PageSize)
	if size < worthwhile || free < size/2 {
		return nil
	}
	fresh := s.path + ".compact"
	os.Remove(fresh)
	small, err := bbolt.Open(fresh, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return nil // it is only larger than it need be
	}
	err = bbolt.Compact(small, s.db, 1<<20)
	err = errors.Join(err, small.Sync(), small.Close())
	if err != nil {
		os.Remove(fresh)
		s.opt.Log.Warn("store not compacted", "store", s.path, "error", err)
		return nil
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	s.db, err = bbolt.Open(s.path, 0o600, s.boltOptions())
	return err
}

// Check opens a file and reads all of it. It may panic or hang on a damaged one: it is meant for
// a process of its own.
func Check(path string) error {
	s := &Store{path: path, opt: Options{}.withDefaults()}
	opt := s.boltOptions()
	db, err := bbolt.Open(path, 0o600, opt)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil // somebody uses it, so it opens
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	})
}

// guarded runs f and turns a panic of bbolt into an error, and a fault in its memory map too: a
// page that is missing behind it is an error of the file, not of the program.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fault: %v", p)
		}
	}()
	return f()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func appendIdentity(dst []byte, id Identity) []byte {
	dst = append(dst, format)
	dst = binary.BigEndian.AppendUint64(dst, id.Epoch)
	dst = append(dst, byte(len(id.EdgeID)))
	dst = append(dst, id.EdgeID...)
	dst = append(dst, id.LogID...)
	return appendRecord(nil, change{}, dst)
}

func parseIdentity(b []byte) (Identity, error) {
	if len(b) > 0 && b[0] > format {
		return Identity{}, errFormat
	}
	v, err := parseRecord(change{}, b)
	if err != nil {
		return Identity{}, err
	}
	if len(v) < 10 || len(v) < 10+int(v[9]) {
		return Identity{}, errRecord
	}
	n := 10 + int(v[9])
	return Identity{Epoch: binary.BigEndian.Uint64(v[1:]), EdgeID: string(v[10:n]), LogID: string(v[n:])}, nil
}
