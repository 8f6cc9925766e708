// Package store keeps what an edge must not forget in one bbolt file: sessions, packets, events,
// groups. It knows records as bytes and never what they mean.
//
// Memory is the truth while the process lives. Everything is written by one goroutine, the
// committer, in batches: at most Options.Every after the first change, with one fsync. Whoever
// needs to know that his record is on disk asks with Committed; nobody else waits.
//
// Every record carries a CRC over its table, its key and its bytes, and every table a tally of
// its records, for bbolt itself checks nothing but its two meta pages. A file is read in full
// before bbolt gets it. Keys grow with time, so that neighbours in time are neighbours on a page:
// a commit then writes a tenth of what random keys cost.
//
// There is one way to heal a file: write what is good into a fresh one and rename that. It is
// used for damage, for a file that is mostly free, and after a sync that failed.
package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/latency"
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
	// Reserve is how much of the file system has to be free for Refuses to say nothing. Default
	// 512 MiB, but no more than a twentieth of the file system; negative: none.
	Reserve int64
	// Shrink is from which size on a file that is mostly free is rewritten, in bytes, and
	// ShrinkEvery how often that is looked at. Defaults 32 MiB and a minute.
	Shrink      int64
	ShrinkEvery time.Duration
	// Retry is how long to wait before a commit that failed is tried again. Default 1 s.
	Retry time.Duration
	// Log is where faults are told.
	Log *slog.Logger
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
	if o.Shrink == 0 {
		o.Shrink = 32 << 20
	}
	if o.ShrinkEvery == 0 {
		o.ShrinkEvery = time.Minute
	}
	if o.Retry == 0 {
		o.Retry = time.Second
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

// ErrBroken is what commits return while the file cannot be written for another reason.
var ErrBroken = errors.New("the store cannot be written")

// ErrClosed is what commits return after Close.
var ErrClosed = errors.New("the store is closed")

// Store is one open file. All methods may be called concurrently.
type Store struct {
	// Static after Open.
	path string
	opt  Options
	lock *os.File
	// Identity is what the file says of the edge.
	Identity
	// New is set if the file was made by this Open; Loss says what it found damaged, if anything.
	New  bool
	Loss *Loss

	wake    chan struct{} // holds a token while a commit is due
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the committer has ended

	// whole is read-locked by Together, and locked to take a batch.
	whole sync.RWMutex

	mu      sync.Mutex // guards the following
	pending batch
	tops    tops
	closed  bool // the committer has taken its last batch
	state   State
	low     bool // the file system has less room than the reserve
	stats   Stats
	rebuild func()
	watch   func(error)

	swapping sync.RWMutex // read-locked while file is read by others than the committer
	file     *file        // written by the committer; nil while there is none

	// Owned by the committer after Open.
	began   time.Time        // the last commit
	spare   map[change]value // empty, for the next batch
	looked  time.Time        // for what can be shrunk
	felt    time.Time        // for room
	letGo   time.Time        // of what the file has mapped
	wasLow  bool
	written int64 // live bytes of the file that write has made
	unsure  bool  // a sync has failed: the file must be rewritten before it is used again
	closeMu sync.Mutex
}

// State is whether changes reach the disk.
type State uint8

// The states of a Store.
const (
	Healthy State = iota
	Full          // they wait for room
	Broken        // they are only in memory until the file can be written again
)

// Stats is what a Store has done since Open.
type Stats struct {
	Commits   uint64
	Records   uint64         // that were written
	Failures  uint64         // commits that failed
	Rewrites  uint64         // of the whole file
	Replaced  uint64         // files that were damaged while in use
	Last      time.Duration  // how long the last commit took
	Took      latency.Counts // all commits, those that failed too
	FileBytes int64
	State     State
}

// Open opens the file, or makes it. Of a file that is damaged what is good is kept: see Loss. One
// of a newer format, or that another process has, is an error and stays untouched.
func Open(path string, opt Options) (*Store, error) {
	s := &Store{path: path, opt: opt.withDefaults(), tops: make(tops),
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	if err := s.open(); err != nil {
		if s.file != nil {
			s.file.close()
		}
		if s.lock != nil {
			s.lock.Close()
		}
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s.feel()
	go s.commitLoop() // Close waits for it
	return s, nil
}

// Close commits what is pending and gives the file up.
func (s *Store) Close() error {
	s.closeMu.Lock()
	defer s.closeMu.Unlock()
	select {
	case <-s.done:
		return nil
	default:
	}
	close(s.closing)
	<-s.done
	defer s.lock.Close()
	s.mu.Lock()
	lost, state := s.pending.changes(), s.state
	s.mu.Unlock()
	var err error
	s.swapping.Lock()
	if s.file != nil {
		err = s.file.close()
		s.file = nil
	}
	s.swapping.Unlock()
	if lost > 0 && err == nil {
		err = fmt.Errorf("%d changes were not written: %w", lost, state.err())
	}
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// Put keeps a record. A nil value removes it. Of several changes of one key the last counts.
func (s *Store) Put(t Table, sub string, key uint64, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := change{t, sub, key}
	fresh := value != nil && s.tops.fresh(c.place(), key)
	s.pending.put(c, value, fresh)
	s.dueLocked()
}

// Trim removes the records of a table that were put before and whose keys are below key.
func (s *Store) Trim(t Table, sub string, key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := place{t, sub}
	s.pending.trim(p, key)
	s.tops.trim(p, key)
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
// Committed, from the committer: f must not wait. After Close f gets ErrClosed.
func (s *Store) Committed(f func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go f(ErrClosed) // who is late to ask; nobody waits for it
		return
	}
	s.pending.waiters = append(s.pending.waiters, f)
	s.dueLocked()
}

// Rebuild sets what is called when the file turns out damaged while in use: f puts everything
// again that is to be kept, for the file that takes its place. It runs on the committer and must
// not wait for a commit. Until it is set, what is good of the file is kept instead: memory is not
// the truth yet.
func (s *Store) Rebuild(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rebuild = f
}

// Watch calls f with what Refuses says, now and whenever that changes, from the committer: f must
// not wait for it.
func (s *Store) Watch(f func(error)) {
	s.mu.Lock()
	s.watch = f
	s.mu.Unlock()
	f(s.Refuses())
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

// Refuses says why what must be kept cannot be taken now; nil if it can. It is cheap.
func (s *Store) Refuses() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.low {
		return ErrFull
	}
	return s.state.err()
}

func (st State) err() error {
	switch st {
	case Full:
		return ErrFull
	case Broken:
		return ErrBroken
	}
	return nil
}

// dueLocked wakes the committer for the first change of a batch, for one that fills it, and for
// whoever waits while nothing can be written.
func (s *Store) dueLocked() {
	if n := s.pending.size(); n > 1 && n < s.opt.Batch && s.state == Healthy {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
