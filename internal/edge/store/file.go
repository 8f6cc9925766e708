package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	metaBucket = []byte("meta")
	metaKey    = []byte("identity")
)

// file is an open bbolt file that was sound when it was opened.
type file struct {
	db *bbolt.DB
	os *os.File // that of db, which has the lock
	// half is set when a commit failed that can be read all the same: its last write was refused,
	// but the system shows it. The next commit would be built on what may not be on disk.
	half bool
	// live is the bytes of keys and records, and packed what the file took for each of them when it
	// was written in one go; 0: it was not, or with next to nothing in it.
	live   int64
	packed float64
	// mapped is set while pages may be mapped that are worth letting go of. It is the committer's.
	mapped bool

	begin sync.Mutex // held while a transaction begins
	ruin  error      // what bbolt panicked with, guarded by begin: its locks may be held for ever
}

// openFile opens a file that inspect has read through f. f is the file's from then on, or closed.
func openFile(f *os.File, opt *Options) (*file, error) {
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(f.Name(), 0o600, &bbolt.Options{
			Timeout:         opt.LockTimeout,
			NoFreelistSync:  true, // else every commit writes the whole list of what churn left free
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: 1 << 30, // address space only; growing the map waits for all readers
			MmapFlags:       mmapPopulate,
			MaxSize:         opt.MaxSize,
			OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		return err
	})
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrInUse
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{db: db, os: f, mapped: true}, nil
}

// update changes the file. After a panic in the middle of bbolt nothing of it can be used: the
// error is then a damage, and the file must be abandoned.
func (f *file) update(change func(*bbolt.Tx) error) error {
	tx, err := f.tx(true)
	if err != nil {
		return err
	}
	err = guarded(func() error {
		if err := change(tx); err != nil {
			tx.Rollback()
			return err
		}
		id := tx.ID()
		err := tx.Commit()
		if err != nil {
			f.view(func(now *bbolt.Tx) error { f.half = now.ID() >= id; return nil })
		}
		return err
	})
	var d *damage
	if errors.As(err, &d) {
		f.begin.Lock()
		defer f.begin.Unlock()
		f.ruin = err
	}
	return err
}

func (f *file) view(read func(*bbolt.Tx) error) error {
	tx, err := f.tx(false)
	if err != nil {
		return err
	}
	return guarded(func() error {
		defer tx.Rollback()
		return read(tx)
	})
}

// tx begins a transaction. If bbolt panics there it keeps locks that the next would wait for: the
// file is ruined then, and whoever comes next is told so.
func (f *file) tx(writable bool) (tx *bbolt.Tx, err error) {
	f.begin.Lock()
	defer f.begin.Unlock()
	if f.ruin != nil {
		return nil, f.ruin
	}
	err = guarded(func() (err error) {
		tx, err = f.db.Begin(writable)
		return err
	})
	var d *damage
	if errors.As(err, &d) {
		f.ruin = err
	}
	return tx, err
}

// space is the bytes of the file that are in use or were, and how many of them are free.
func (f *file) space() (used, free int64) {
	stats := f.db.Stats()
	f.view(func(tx *bbolt.Tx) error {
		free = int64(stats.FreePageN+stats.PendingPageN) * int64(f.db.Info().PageSize)
		used = tx.Size()
		return nil
	})
	return used, free
}

// relieve takes what was read of the file, through its memory map, out of the process.
func (f *file) relieve() {
	f.mapped = false
	f.view(func(tx *bbolt.Tx) error { // and so nobody maps it anew
		forget(f.db.Info().Data, tx.Size())
		return nil
	})
}

// close gives the file up, in good order unless it is ruined.
func (f *file) close() error {
	f.begin.Lock()
	ruin := f.ruin
	f.begin.Unlock()
	if ruin != nil {
		f.abandon()
		return nil
	}
	return guarded(f.db.Close)
}

// abandon gives up a file in which bbolt has panicked. Its locks are held for ever, so it cannot
// be closed; what it has mapped stays mapped.
func (f *file) abandon() { f.os.Close() }

// damage is what bbolt panicked with, or what it read that it cannot have written.
type damage struct{ what string }

// Error says what was found.
func (d *damage) Error() string { return d.what }

// guarded runs f and turns a panic of bbolt into an error, and a fault in its memory map too: a
// page that is missing behind it is an error of the file, not of the program.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &damage{strings.TrimPrefix(fmt.Sprint(p), "assertion failed: ")}
		}
	}()
	return f()
}

// isDamage says whether the file is what is wrong, and not the system that refuses.
func isDamage(err error) bool {
	var d *damage
	return errors.As(err, &d) || errors.Is(err, errRecord) || errors.Is(err, berrors.ErrIncompatibleValue) ||
		errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch)
}

// isFull says whether there is no room for the file to grow.
func isFull(err error) bool {
	return err != nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		errors.Is(err, berrors.ErrMaxSizeReached) || strings.HasPrefix(err.Error(), "file resize error")) // bbolt drops the cause
}

// isUnsure says whether the system may have lost what it was given before: after a sync that
// failed, it calls pages written that are not, and the next sync succeeds.
func isUnsure(err error) bool {
	var path *os.PathError
	return err != nil && !(isFull(err) && (errors.As(err, &path) || errors.Is(err, berrors.ErrMaxSizeReached) ||
		strings.HasPrefix(err.Error(), "file resize error")))
}

// writeFile makes a file that holds what put puts. It is on disk under its name when writeFile
// returns, but for the name itself. live is the bytes of keys and records in it.
func writeFile(path string, opt *Options, id Identity, put func(put func(change, []byte) error) error) (live int64, err error) {
	const portion = 8 << 20 // bytes of a transaction
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		NoSync: true, NoGrowSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, MaxSize: opt.MaxSize,
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
		if err != nil {
			os.Remove(path)
		}
	}()
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
		return meta.Put(metaKey, appendIdentity(nil, id))
	})
	if err != nil {
		return 0, err
	}
	var b batch
	size := 0
	flush := func() error {
		taken := b.take(nil)
		size = 0
		err := guarded(func() error { return db.Update(taken.apply) })
		live += taken.grown
		return err
	}
	err = put(func(c change, v []byte) error {
		b.put(c, append(make([]byte, 0, len(v)), v...), false)
		if size += len(v) + 64; size < portion {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = db.Sync()
	}
	return live, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// rename gives a file that is on disk its name, on disk too.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
