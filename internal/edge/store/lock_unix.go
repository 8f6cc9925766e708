//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lock takes the lock of a file, or returns ErrInUse when another process has had it for so long.
// It is the same lock that bbolt takes.
func lock(f *os.File, timeout time.Duration) error {
	for end := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return ErrInUse
		}
	}
}

// checkOwner refuses a file that its owner could change under the edge.
func checkOwner(info os.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, not to user %d who runs the edge: chown it", st.Uid, os.Geteuid())
	}
	return nil
}
