// Package store keeps what an edge must not forget in one bbolt file: sessions, packets, events,
// groups. It knows records as bytes and never what they mean.
//
// Memory is the truth while the process lives. Everything is written by one goroutine, the
// committer, in batches: at most Options.Every after the first change, with one fsync. Whoever
// needs to know that his record is on disk asks with Committed; nobody else waits.
//
// Every record carries a CRC over its table, its key and its bytes, for bbolt itself checks
// nothing but its two meta pages. Keys grow with time, so that neighbours in time are neighbours
// on a page: a commit then writes a tenth of what random keys cost.
package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Options is how a Store works. The zero value of a field means its default.
type Options struct {
	// Every is the shortest time from one commit to the next, and so the longest that a change
	// waits for its commit to begin. Default 5 ms.
	Every time.Duration
	// Batch is how many changes begin a commit at once. Default 4096.
	Batch int
	// MaxSize bounds the file, in bytes. Default 4 GiB.
	MaxSize int
	// LockTimeout is how long to wait for another process that has the file. Default 3 s.
	LockTimeout time.Duration
	// Check runs another process that opens the file and reads all of it, because a damaged
	// file can end or hang the process that opens it. nil: the check is left out.
	Check func(path string) error
	// Rebuild is called after the file was damaged while in use and replaced by an empty one:
	// all that is to be kept must be put again.
	Rebuild func()
	// Log is where faults are told.
	Log *slog.Logger
	// openFile replaces os.OpenFile, for tests that make the disk fail.
	openFile func(string, int, os.FileMode) (*os.File, error)
}

func (o Options) withDefaults() Options {
	if o.Every == 0 {
		o.Every = 5 * time.Millisecond
	}
	if o.Batch == 0 {
		o.Batch = 4096
	}
	if o.MaxSize == 0 {
		o.MaxSize = 4 << 30
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 3 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ErrInUse is what Open returns for a file that another process has.
var ErrInUse = errors.New("another process has it")

// ErrFull is what commits return while the disk, or the file, has no room.
var ErrFull = errors.New("no room on the disk")

// Store is one open file. All methods may be called concurrently.
type Store struct {
	// Static after Open.
	path string
	opt  Options
	// Identity is what the file says of the edge.
	Identity
	// New is set if the file was made by this Open; Damaged names the file that was set aside.
	New     bool
	Damaged string

	wake chan struct{} // holds a token while a commit is due
	done chan struct{} // closed when the committer has ended

	// whole is read-locked by Together, and locked to take a batch.
	whole sync.RWMutex

	mu      sync.Mutex // guards the following
	pending batch
	closing bool
	state   State
	stats   Stats

	// Owned by the committer after Open.
	db    *bbolt.DB
	began time.Time // the last commit
}

// State is whether changes reach the disk.
type State uint8

// The states of a Store.
const (
	Healthy State = iota
	Full          // they wait for room
	Broken        // the file cannot be written and not be replaced; they are only in memory
)

// Stats is what a Store has done since Open.
type Stats struct {
	Commits   uint64
	Records   uint64
	Failures  uint64
	Last      time.Duration // how long the last commit took
	FileBytes int64
	State     State
}

// Open opens the file, or makes it. A file that is damaged is set aside and replaced. One of a
// newer format, or that another process has, is an error and stays untouched.
func Open(path string, opt Options) (*Store, error) {
	s := &Store{path: path, opt: opt.withDefaults(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	go s.commitLoop() // Close waits for it
	return s, nil
}

// Close commits what is pending, marks the file as closed in good order and gives it up.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	s.mu.Unlock()
	s.signal()
	<-s.done
	if s.db == nil {
		return nil
	}
	if err := s.markClean(true); err != nil {
		s.db.Close()
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// Put keeps a record. A nil value removes it. Of several changes of one key the last counts.
func (s *Store) Put(t Table, sub string, key uint64, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.put(change{t, sub, key}, value)
	s.dueLocked()
}

// Trim removes the records of a table whose keys are below key.
func (s *Store) Trim(t Table, sub string, key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.trim(t, sub, key)
	s.dueLocked()
}

// Together runs f so that everything it puts is in one commit: all of it survives, or nothing.
// f must be short, and must not call Together.
func (s *Store) Together(f func()) {
	s.whole.RLock()
	defer s.whole.RUnlock()
	f()
}

// Committed calls f once everything put before is on disk, with nil, or could not be written,
// with the reason; it is tried again later all the same. Calls come in the order of the calls of
// Committed, from the committer: f must not wait.
func (s *Store) Committed(f func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.waiters = append(s.pending.waiters, f)
	s.dueLocked()
}

// Sync waits until everything put before is on disk.
func (s *Store) Sync() error {
	c := make(chan error, 1)
	s.Committed(func(err error) { c <- err })
	return <-c
}

// Stats says what the Store has done.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.State = s.state
	return st
}

// State says whether changes reach the disk. It is cheap.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (st State) err() error {
	switch st {
	case Full:
		return ErrFull
	case Broken:
		return errors.New("the store cannot be written")
	}
	return nil
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// dueLocked wakes the committer for the first change of a batch, and for one that fills it.
func (s *Store) dueLocked() {
	if n := s.pending.size(); n == 1 || n >= s.opt.Batch {
		s.signal()
	}
}
