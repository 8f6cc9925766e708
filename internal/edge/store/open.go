package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// errFormat is a file that this program must not touch.
var errFormat = errors.New("written by a newer version: it is left as it is")

// Loss is what an Open found damaged. The damaged file was set aside, and what was good in it is
// in the file that took its place.
type Loss struct {
	Aside  string   // where the damaged file is now
	Faults []string // what was wrong, the first few
	Kept   int      // records that were good
	// Sessions is how many sessions are lost; -1: that cannot be told.
	Sessions int
	// Hidden is set if records may be missing that nobody can name, or be of an earlier time.
	Hidden bool

	tables map[Table]struct{} // that are not whole
}

// Whole says whether Open found everything in a table that was put there.
func (s *Store) Whole(t Table) bool { return s.Loss == nil || s.Loss.whole(t) }

func (l *Loss) whole(t Table) bool {
	_, lost := l.tables[t]
	return !lost && !l.Hidden
}

// open opens the file, sets it aside if it is damaged, makes it if it is not there.
func (s *Store) open() error {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The lock is a file of its own, because the file itself is replaced now and then.
	var err error
	if s.lock, err = os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := lock(s.lock, s.opt.LockTimeout); err != nil {
		return err
	}
	info, err := os.Lstat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.New = true
		err = s.make()
	case err != nil:
	case info.Mode()&os.ModeSymlink != 0:
		err = errors.New("it is a symbolic link: give the path of the file itself")
	case !info.Mode().IsRegular():
		err = errors.New("it is not a file")
	case info.Mode().Perm()&0o077 != 0:
		err = fmt.Errorf("mode %04o lets others read the sessions: chmod 0600", info.Mode().Perm())
	default:
		if err = checkOwner(info); err == nil {
			err = s.adopt()
		}
	}
	if err != nil {
		return err
	}
	id := s.Identity
	id.Epoch++
	if err := s.file.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if err := meta.Delete(restoredKey); err != nil {
			return err
		}
		return meta.Put(metaKey, appendIdentity(nil, id))
	}); err != nil {
		return err
	}
	s.Identity = id
	return nil
}

// make makes the file under another name and renames it when it is whole: power loss during
// creation is the one moment that bbolt does not survive.
func (s *Store) make() error {
	s.EdgeID = "edge-" + randomHex(4)
	s.LogID = randomHex(8)
	if err := s.write(func(func(change, []byte) error) error { return nil }); err != nil {
		return err
	}
	return s.install()
}

// write makes the file that is to take the place of the present one.
func (s *Store) write(put func(func(change, []byte) error) error) error {
	live, err := writeFile(s.path+".new", &s.opt, s.Identity, put)
	s.written = live
	return err
}

// install gives what write has made its name and opens it.
func (s *Store) install() error {
	if err := rename(s.path+".new", s.path); err != nil {
		return err
	}
	f, err := s.openLocked()
	if err != nil {
		return err
	}
	fresh, err := openFile(f, &s.opt)
	if err != nil {
		return err
	}
	fresh.live = s.written
	if used, _ := fresh.space(); used >= s.opt.Shrink/4 {
		fresh.packed = float64(used) / float64(max(fresh.live, 1))
	}
	s.file = fresh
	return nil
}

func (s *Store) openLocked() (*os.File, error) {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := lock(f, s.opt.LockTimeout); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// adopt reads all of a file that is there and opens it, or what is good of it.
func (s *Store) adopt() error {
	f, err := s.openLocked()
	if err != nil {
		return err
	}
	found, err := inspectFile(f, newest, nil)
	if err != nil {
		f.Close()
		return err
	}
	s.identify(found.id)
	if !found.sound() {
		defer f.Close()
		return s.salvage(f, found)
	}
	if found.restored {
		s.Loss = &Loss{Kept: found.good(), Hidden: true}
		s.opt.Log.Warn(fmt.Sprintf("store %s: restored from a backup; sessions go on (clients see recovered=false), what happened after the backup is forgotten", s.path))
	}
	s.tops = found.tops()
	os.Remove(s.path + ".new") // of a process that did not finish it
	if s.file, err = openFile(f, &s.opt); err != nil {
		return err
	}
	s.file.live = found.live
	if err := s.shrink(); err != nil {
		s.opt.Log.Warn("store not compacted", "store", s.path, "error", err)
		if s.file == nil {
			return err
		}
	}
	return nil
}

func (f *finding) tops() tops {
	t := make(tops, len(f.places))
	for p, v := range f.places {
		if v.good > 0 {
			t[p] = v.top
		}
	}
	return t
}

func (s *Store) identify(id Identity) {
	s.Identity = id
	if s.EdgeID == "" {
		s.EdgeID = "edge-" + randomHex(4)
	}
}

// salvage sets a damaged file aside and goes on with what is good of it.
func (s *Store) salvage(f *os.File, found *finding) error {
	v := newest
	if len(found.faults) > 0 {
		// The commit before may have more: a root that cannot be read hides everything.
		before, err := inspectFile(f, earlier, nil)
		if err != nil {
			return err
		}
		if before.good() > found.good() {
			before.faults = found.faults
			v, found = earlier, before
			s.identify(before.id)
		}
	}
	s.LogID = randomHex(8)
	if err := s.write(func(put func(change, []byte) error) error {
		_, err := inspectFile(f, v, put)
		return err
	}); err != nil {
		return err
	}
	aside, err := s.setAside()
	if err != nil {
		return err
	}
	s.Loss = found.loss(aside)
	s.opt.Log.Error(fmt.Sprintf("store %s: %s; set aside as %s; %s", s.path, s.Loss.fault(), filepath.Base(aside), s.Loss.consequence()))
	s.tops = found.tops()
	return s.install()
}

// setAside gives the file a second name, so that it can be looked at when another has taken its
// place.
func (s *Store) setAside() (aside string, err error) {
	aside = fmt.Sprintf("%s.damaged-%s", s.path, time.Now().UTC().Format("20060102T150405.000"))
	err = os.Link(s.path, aside)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) {
		err = os.Rename(s.path, aside) // of a file system without links
	}
	// A disk that damages one file after the other must not be filled with them.
	if all, _ := filepath.Glob(s.path + ".damaged-*"); len(all) > maxAside {
		for _, old := range all[:len(all)-maxAside] { // by name, and so by time
			os.Remove(old)
		}
	}
	return aside, err
}

// maxAside is how many damaged files are kept.
const maxAside = 4

func (f *finding) loss(aside string) *Loss {
	l := &Loss{Aside: aside, Faults: f.faults, Hidden: len(f.faults) > 0, tables: make(map[Table]struct{})}
	bad := 0
	for p, v := range f.places {
		l.Kept += v.good
		bad += v.bad
		l.Hidden = l.Hidden || !v.told()
		if !v.whole() {
			l.tables[p.table] = struct{}{}
		}
		if p.table == Sessions {
			l.Sessions = max(int(v.want.records)-v.good, v.bad)
		}
	}
	if v := f.places[place{table: Sessions}]; v == nil || l.Hidden && v.want.records == 0 {
		l.Sessions = -1
	}
	if len(l.Faults) == 0 && bad > 0 {
		l.Faults = []string{fmt.Sprintf("%s of %s records failed their check", thousands(bad), thousands(bad+l.Kept))}
	} else if len(l.Faults) == 0 {
		l.Faults = []string{"it holds records of an earlier time"}
	}
	return l
}

func (l *Loss) fault() string { return strings.Join(l.Faults[:min(len(l.Faults), 3)], ", ") }

// consequence says what the damage means for clients.
func (l *Loss) consequence() string {
	lost := "sessions that were lost start anew"
	switch {
	case l.Sessions == 1:
		lost = "1 session starts anew"
	case l.Sessions >= 0:
		lost = thousands(l.Sessions) + " sessions start anew"
	}
	if l.Hidden {
		return lost + ", the others go on (clients see recovered=false)"
	}
	return lost
}

// thousands is n as people read it.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shrink rewrites a file that is wasteful: it never grows smaller by itself.
func (s *Store) shrink() error {
	if !s.wasteful() {
		return nil
	}
	return s.rewrite(s.file.os)
}

// wasteful says whether more than half of the file is free, or its pages are so sparse that it is
// nearly twice what it holds: bbolt merges only pages that are less than a quarter full. Records
// of which but one fits into a page do not get denser by writing them again.
func (s *Store) wasteful() bool {
	used, free := s.file.space()
	if used < s.opt.Shrink {
		return false
	}
	ratio := float64(used) / float64(max(s.file.live, 1))
	return free > used/2 || ratio > 1.7 && ratio > 1.25*s.file.packed
}

// rewrite copies what is in the present file, open as f, into a new one that takes its place. An
// error leaves the present one in use if it is.
func (s *Store) rewrite(f *os.File) error {
	if err := s.write(func(put func(change, []byte) error) error {
		found, err := inspectFile(f, newest, put)
		if err == nil && !found.sound() {
			return &damage{found.loss("").fault()}
		}
		return err
	}); err != nil {
		return err
	}
	s.swapping.Lock()
	defer s.swapping.Unlock()
	old := s.file
	s.file = nil
	err := s.install()
	if old != nil {
		old.close()
	}
	return err
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
