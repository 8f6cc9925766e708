package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// commitLoop is the committer: the only one who writes.
func (s *Store) commitLoop() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if s.busy() {
			timer.Reset(time.Second)
		}
		select {
		case <-s.wake:
		case <-timer.C:
			s.tend()
			continue
		case <-s.closing:
			s.last()
			return
		}
		// The first change after a quiet time is written at once; a stream of them is
		// gathered, so that no more than one commit begins in every Every.
		if wait := s.opt.Every - time.Since(s.began); wait > 0 && !s.batchFull() {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-s.wake: // the batch is full
			case <-s.closing:
			}
		}
		for s.commitOnce() {
			if !s.pause(timer) {
				break
			}
		}
		s.tend()
	}
}

// pause waits before a commit that failed is tried again. Meanwhile whoever asks is told that
// nothing is written. It returns false when the store closes.
func (s *Store) pause(timer *time.Timer) bool {
	for timer.Reset(s.opt.Retry); ; {
		select {
		case <-timer.C:
			return true
		case <-s.closing:
			return false
		case <-s.wake:
			s.mu.Lock()
			waiters := s.pending.waiters
			s.pending.waiters = nil
			state := s.state
			s.mu.Unlock()
			for _, f := range waiters {
				f(state.err())
			}
		}
	}
}

// last writes what there is when the store closes, or says that it was not written.
func (s *Store) last() {
	for again := false; !again; {
		s.mu.Lock()
		s.closed = s.pending.size() == 0
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		again = s.commitOnce()
	}
	s.mu.Lock()
	s.closed = true
	waiters := s.pending.waiters
	s.pending.waiters = nil
	state := s.state
	s.mu.Unlock()
	for _, f := range waiters {
		f(state.err())
	}
}

func (s *Store) batchFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending.size() >= s.opt.Batch
}

// take begins a commit: what is put from now on belongs to the next.
func (s *Store) take() batch {
	s.whole.Lock()
	defer s.whole.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	spare := s.spare
	s.spare = nil
	return s.pending.take(spare)
}

// largestSpare is how many records a map may have held that is used again.
const largestSpare = 512

// commitOnce writes what is pending and says whether it has to be tried again.
func (s *Store) commitOnce() (again bool) {
	taken := s.take()
	s.began = time.Now()
	err := s.commit(&taken)
	if isDamage(err) {
		// What bbolt made of the file may be wrong, and not the file.
		err = s.commit(&taken)
	}
	if isDamage(err) {
		if err = s.replace(err, &taken); err == nil {
			err = s.commit(&taken)
		}
	}

	s.mu.Lock()
	before := s.state
	switch {
	case err == nil:
		s.state = Healthy
		s.stats.Commits++
		s.stats.Records += uint64(len(taken.values))
	case isFull(err):
		s.state = Full
	default:
		s.state = Broken
	}
	if err != nil {
		s.stats.Failures++
		s.pending.behind(&taken)
	}
	s.stats.Last = time.Since(s.began)
	s.stats.Took.Add(s.stats.Last)
	state := s.state
	s.mu.Unlock()
	if state != before {
		s.tell(state, err)
		s.watched()
	}
	for _, f := range taken.waiters {
		f(state.err())
	}
	if err == nil && len(taken.values) <= largestSpare {
		clear(taken.values)
		s.spare = taken.values
	}
	return err != nil
}

// commit writes one batch. nil means that it is on disk.
func (s *Store) commit(b *batch) error {
	if err := s.ensure(); err != nil || b.changes() == 0 {
		return err
	}
	var size int64
	s.file.mapped = true
	err := s.file.update(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return b.apply(tx)
	})
	switch {
	case err == nil:
		s.mu.Lock()
		s.stats.FileBytes = size
		s.file.live += b.grown
		s.mu.Unlock()
	case isDamage(err):
		s.swapping.Lock()
		s.file.abandon()
		s.file = nil
		s.swapping.Unlock()
	default:
		s.unsure = isUnsure(err) || s.file.half
	}
	return err
}

// ensure sees to it that there is a file whose every byte can be trusted to be on disk.
func (s *Store) ensure() error {
	if s.file != nil && !s.unsure {
		return nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.rewrite(f); err != nil {
		return err
	}
	s.rewritten()
	s.unsure = false
	s.opt.Log.Warn("store written anew after a fault of the disk", "store", s.path)
	return nil
}

func (s *Store) rewritten() {
	s.mu.Lock()
	s.stats.Rewrites++
	s.mu.Unlock()
}

// replace sets a file that is damaged, and not open any more, aside. The file that takes its place
// holds what Rebuild has put, which is in the batch then, or else what was good.
func (s *Store) replace(why error, b *batch) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	s.mu.Lock()
	rebuild := s.rebuild
	s.mu.Unlock()
	kept := func(put func(change, []byte) error) error { _, err := inspectFile(f, newest, put); return err }
	consequence := "what was good is kept"
	if rebuild != nil {
		rebuild()
		s.mu.Lock()
		s.pending.behind(b)
		s.pending.waiters = append(b.waiters, s.pending.waiters...)
		s.mu.Unlock()
		*b = s.take()
		kept = b.each
		consequence = "all that is in memory is written again; clients and backends do not notice"
	}
	if err := s.write(kept); err != nil {
		return err
	}
	aside, err := s.setAside()
	if err != nil {
		return err
	}
	s.swapping.Lock()
	err = s.install()
	s.swapping.Unlock()
	if err != nil {
		return err
	}
	s.unsure = false
	s.mu.Lock()
	s.stats.Replaced++
	s.mu.Unlock()
	s.opt.Log.Error(fmt.Sprintf("store %s: %s; set aside as %s; %s", s.path, why, filepath.Base(aside), consequence))
	return nil
}

func (s *Store) tell(state State, err error) {
	switch state {
	case Healthy:
		s.opt.Log.Info(fmt.Sprintf("store %s: written again, nothing was lost", s.path))
	case Full:
		s.opt.Log.Error(fmt.Sprintf("store %s: no room (%v); emits that must be kept are refused and new state is only in memory until there is some; clients stay connected", s.path, err))
	case Broken:
		s.opt.Log.Error(fmt.Sprintf("store %s: cannot be written (%v); state is only in memory until it can; clients stay connected, a crash would lose it", s.path, err))
	}
}

// busy says whether something has to be looked at even when nothing is put.
func (s *Store) busy() bool {
	if s.wasLow {
		return true
	}
	if s.file == nil {
		return false
	}
	return s.file.mapped || s.wasteful()
}

// What commits have read of the file is let go of when there was none for quiet, and every so often
// in any case: a page that is needed again costs less than a microsecond.
const (
	quiet     = time.Second
	letGoEach = 10 * time.Second
)

// tend does what is due now and then: it looks at the room of the disk and at that in the file, and
// lets go of memory.
func (s *Store) tend() {
	now := time.Now()
	if now.Sub(s.felt) >= time.Second {
		s.feel()
	}
	if s.file != nil && s.file.mapped && (now.Sub(s.began) >= quiet || now.Sub(s.letGo) >= letGoEach) {
		s.letGo = now
		s.file.relieve()
	}
	if s.file == nil || s.unsure || now.Sub(s.looked) < s.opt.ShrinkEvery {
		return
	}
	s.looked = now
	before := s.file
	if err := s.shrink(); err != nil {
		s.opt.Log.Warn("store not compacted", "store", s.path, "error", err)
		s.unsure = s.file == nil
	} else if s.file != before {
		s.rewritten()
	}
}

// feel looks at the room of the disk.
func (s *Store) feel() {
	s.felt = time.Now()
	total, free := room(filepath.Dir(s.path))
	reserve := uint64(max(s.opt.Reserve, 0))
	if s.opt.Reserve == 0 {
		reserve = min(512<<20, total/20)
	}
	low := total > 0 && free < reserve
	s.mu.Lock()
	s.low = low
	s.mu.Unlock()
	if low != s.wasLow {
		s.wasLow = low
		if low {
			s.opt.Log.Error(fmt.Sprintf("store %s: %d MiB are free on its disk, %d MiB must be: emits that must be kept are refused until then; clients stay connected", s.path, free>>20, reserve>>20))
		} else {
			s.opt.Log.Info(fmt.Sprintf("store %s: there is room on its disk again", s.path))
		}
		s.watched()
	}
}

// watched tells who watches whether the store takes what must be kept.
func (s *Store) watched() {
	s.mu.Lock()
	f := s.watch
	s.mu.Unlock()
	if f != nil {
		f(s.Refuses())
	}
}
