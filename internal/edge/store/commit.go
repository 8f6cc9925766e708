package store

import (
	"cmp"
	"errors"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// retryAfter is how long to wait before a commit that failed is tried again.
const retryAfter = time.Second

// commitLoop is the committer: the only one who writes.
func (s *Store) commitLoop() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		<-s.wake
		s.mu.Lock()
		closing, full := s.closing, s.pending.size() >= s.opt.Batch
		s.mu.Unlock()
		// The first change after a quiet time is written at once; a stream of them is
		// gathered, so that no more than one commit begins in every Every.
		if wait := s.opt.Every - time.Since(s.began); wait > 0 && !closing && !full {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-s.wake: // the batch is full, or the store closes
			}
		}
		for s.commitOnce() {
			timer.Reset(retryAfter)
			select {
			case <-timer.C:
			case <-s.wake:
				if s.isClosing() {
					s.commitOnce()
					return
				}
			}
		}
		if s.isClosing() {
			return
		}
	}
}

func (s *Store) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// commitOnce writes what is pending and says whether it has to be tried again.
func (s *Store) commitOnce() (again bool) {
	s.whole.Lock()
	s.mu.Lock()
	taken := s.pending
	s.pending = batch{}
	s.mu.Unlock()
	s.whole.Unlock()
	s.began = time.Now()
	var err error
	if len(taken.values)+len(taken.trims) > 0 {
		err = s.write(&taken)
	}
	if isDamage(err) {
		err = s.replace(err)
		taken.values, taken.trims = nil, nil // Rebuild puts what still counts
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
		again = true
	}
	s.stats.Last = time.Since(s.began)
	state := s.state
	s.mu.Unlock()
	if state != before {
		s.tell(state, err)
	}
	for _, f := range taken.waiters {
		f(state.err())
	}
	return again
}

func (s *Store) tell(state State, err error) {
	switch state {
	case Healthy:
		s.opt.Log.Info("store writes again", "store", s.path)
	case Full:
		s.opt.Log.Error("store has no room: emits that must be kept are refused until there is some", "store", s.path, "error", err)
	case Broken:
		s.opt.Log.Error("store cannot be written: sessions are only in memory", "store", s.path, "error", err)
	}
}

// write commits one batch, in the order of keys: neighbours share their pages.
func (s *Store) write(b *batch) error {
	changes := make([]change, 0, len(b.values))
	for c := range b.values {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(x, y change) int {
		return cmp.Or(cmp.Compare(x.table, y.table), cmp.Compare(x.sub, y.sub), cmp.Compare(x.key, y.key))
	})
	commit := func(tx *bbolt.Tx) error {
		var bucket *bbolt.Bucket
		for i, c := range changes {
			if i == 0 || c.table != changes[i-1].table || c.sub != changes[i-1].sub {
				var err error
				if bucket, err = bucketOf(tx, c.table, c.sub); err != nil {
					return err
				}
			}
			value := b.values[c]
			if value == nil {
				if err := bucket.Delete(keyBytes(c.key)); err != nil {
					return err
				}
				continue
			}
			if err := bucket.Put(keyBytes(c.key), appendRecord(make([]byte, 0, len(value)+crcSize), c, value)); err != nil {
				return err
			}
		}
		for k, key := range b.trims {
			if err := trim(tx, k, key); err != nil {
				return err
			}
		}
		s.setFileSize(tx.Size())
		return nil
	}
	return guarded(func() error { return s.db.Update(commit) })
}

func (s *Store) setFileSize(n int64) {
	s.mu.Lock()
	s.stats.FileBytes = n
	s.mu.Unlock()
}

// bucketOf returns the bucket of a table, made if it is one of a sub.
func bucketOf(tx *bbolt.Tx, t Table, sub string) (*bbolt.Bucket, error) {
	b := tx.Bucket([]byte(tableNames[t]))
	if b == nil {
		return nil, errRecord
	}
	if sub != "" {
		var err error
		if b, err = b.CreateBucketIfNotExists([]byte(sub)); err != nil {
			return nil, err
		}
	}
	b.FillPercent = 0.95 // keys only grow
	return b, nil
}

// trim removes the records with keys below key, walking from the oldest.
func trim(tx *bbolt.Tx, k trimmed, key uint64) error {
	b, err := bucketOf(tx, k.table, k.sub)
	if err != nil {
		return err
	}
	c := b.Cursor()
	end := string(keyBytes(key))
	for at, _ := c.First(); at != nil && string(at) < end; at, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, berrors.ErrMaxSizeReached)
}

// isDamage says whether the file is what is wrong: anything but the system refusing to write.
func isDamage(err error) bool {
	var refused syscall.Errno
	return err != nil && !isFull(err) && !errors.As(err, &refused) && !errors.Is(err, berrors.ErrDatabaseNotOpen)
}

// replace sets a file that turned out damaged aside and goes on with an empty one.
func (s *Store) replace(why error) error {
	guarded(s.db.Close) // whatever it says
	if err := s.setAside(why); err != nil {
		return err
	}
	if err := s.create(); err != nil {
		return err
	}
	if s.opt.Rebuild != nil {
		s.opt.Rebuild()
	}
	return nil
}
