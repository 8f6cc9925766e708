package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sio-edge/sio-edge/test/disk"
)

// storage is the disk of the edge when the run has one of its own: a file system in memory that
// can stop the edge in the middle of a commit, refuse what it is told, be full, or lose what was
// not synced.
type storage struct {
	dir   string // where it is mounted
	mount *disk.Disk

	mu      sync.Mutex // guards the following
	platter *disk.Platter
	trap    *trap
	refuses syscall.Errno // of every write
	dead    bool          // the power is off: nothing is done any more
}

// trap is something that happens at one operation of the disk.
type trap struct {
	in    int // operations to come before
	after bool
	do    func() (refuse syscall.Errno, wait time.Duration) // called with the lock held
	done  chan struct{}
}

// newStorage mounts an empty disk.
func newStorage(dir string) (*storage, error) {
	s := &storage{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return s, s.insert(nil)
}

// insert mounts a disk that holds files.
func (s *storage) insert(files []disk.File) error {
	s.platter = disk.NewPlatter(grain, files)
	s.dead = false
	s.mount = &disk.Disk{Ask: s.ask, Start: files}
	if err := s.mount.Mount(s.dir); err != nil {
		return fmt.Errorf("%w: %w", errMount, err)
	}
	return nil
}

// errMount is that the system does not let the run mount a disk.
var errMount = errors.New("no disk can be mounted")

// grain is what the disk writes whole.
const grain = 512

func (s *storage) close() { s.mount.Unmount(s.dir) }

// ask is told of every operation.
func (s *storage) ask(o disk.Op) syscall.Errno {
	s.mu.Lock()
	var wait time.Duration
	defer func() {
		s.mu.Unlock()
		time.Sleep(wait)
	}()
	if s.dead {
		return syscall.EIO
	}
	if s.refuses != 0 && (o.Kind == disk.Write || o.Kind == disk.Truncate) {
		return s.refuses
	}
	if t := s.trap; t != nil {
		if t.in--; t.in < 0 {
			s.trap = nil
			defer close(t.done)
			if t.after {
				s.platter.Do(o)
				_, wait = t.do()
				return 0
			}
			var refuse syscall.Errno
			if refuse, wait = t.do(); refuse != 0 {
				if o.Kind == disk.Sync || o.Kind == disk.SyncDir {
					o.Failed = true
					s.platter.Do(o)
				}
				return refuse
			}
		}
	}
	s.platter.Do(o)
	return 0
}

// set sets a trap and waits until something has stepped into it.
func (s *storage) set(ctx context.Context, t *trap) error {
	t.done = make(chan struct{})
	s.mu.Lock()
	s.trap = t
	s.mu.Unlock()
	select {
	case <-t.done:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("nothing is written to the disk for a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuse makes every write fail; 0: no more.
func (s *storage) refuse(errno syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = errno
}

// cut puts the disk back as a power cut leaves it. The edge must have ended.
func (s *storage) cut(rng *rand.Rand) error {
	s.mount.Unmount(s.dir)
	return s.insert(s.platter.Cut(rng.Float64(), rng))
}

// diskFaults are those that a disk of the run's own makes possible.
func (w *world) diskFaults() []fault {
	if w.storage == nil {
		return nil
	}
	return []fault{{"commit", w.killInCommit}, {"power", w.cutPower}, {"refused", w.refuseOne}, {"held", w.holdOne}, {"full", w.fillDisk}}
}

// within is how many operations of the disk are chosen from: those of some commits. bbolt writes
// the pages, syncs, writes the meta page, syncs.
const within = 24

// killInCommit ends the edge at an operation of the disk: before it is done, or when it is done
// and the edge does not know yet.
func (w *world) killInCommit(ctx context.Context) error { return w.endAt(ctx, false) }

// cutPower does it with the machine: what was not synced is lost, or some of it.
func (w *world) cutPower(ctx context.Context) error { return w.endAt(ctx, true) }

func (w *world) endAt(ctx context.Context, power bool) error {
	after := w.rng.IntN(2) == 0
	err := w.storage.set(ctx, &trap{in: w.rng.IntN(within), after: after, do: func() (syscall.Errno, time.Duration) {
		w.storage.dead = power
		w.edge.cmd.Process.Kill()
		return syscall.EIO, 0
	}})
	if err != nil {
		return err
	}
	w.edge.kill()
	w.log.add("kill", "")
	if power {
		if err := w.storage.cut(w.rng); err != nil {
			return err
		}
	}
	return w.again(ctx)
}

// refuseOne lets one operation fail: the edge has to write the file anew.
func (w *world) refuseOne(ctx context.Context) error {
	errno := []syscall.Errno{syscall.EIO, syscall.ENOSPC}[w.rng.IntN(2)]
	if err := w.storage.set(ctx, &trap{in: w.rng.IntN(within), do: func() (syscall.Errno, time.Duration) { return errno, 0 }}); err != nil {
		return err
	}
	return w.heal(ctx)
}

// holdOne lets one operation take long.
func (w *world) holdOne(ctx context.Context) error {
	return w.storage.set(ctx, &trap{in: w.rng.IntN(within), after: w.rng.IntN(2) == 0, do: func() (syscall.Errno, time.Duration) { return 0, 100 * time.Millisecond }})
}

// fillDisk leaves no room on the disk for a while.
func (w *world) fillDisk(ctx context.Context) error {
	w.storage.refuse(syscall.ENOSPC)
	time.Sleep(2 * time.Second)
	w.storage.refuse(0)
	return w.heal(ctx)
}

// heal waits until the edge has written everything. What it has accepted meanwhile of other things than
// emits is in its memory only, and a kill before would lose it: the edge has said so.
func (w *world) heal(ctx context.Context) error {
	began := time.Now()
	written := w.edge.commits(ctx) // the next may have begun before
	if !w.wait(ctx, time.Minute, func() bool { return w.edge.commits(ctx) >= written+2 && w.edge.health(ctx) == "ready" }) {
		return fmt.Errorf("the edge does not write after a minute")
	}
	w.log.add("healed", "%d", time.Since(began).Nanoseconds())
	return ctx.Err()
}
