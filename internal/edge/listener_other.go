//go:build !linux

package edge

import (
	"errors"
	"net"
	"syscall"
	"time"
)

func prepareSocket(_, _ string, _ syscall.RawConn) error { return nil }

// newRawSource fails: there is none here.
func newRawSource(*net.TCPListener) (source, error) { return nil, errors.ErrUnsupported }

func (s netSource) resize(int) {}

// waited is not known here.
func (c caller) waited() (age time.Duration, gone bool) { return 0, false }

// turnAway answers and closes. The buffer is empty, so that it does not block.
func (c caller) turnAway(answer []byte) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(answer)
	c.Close()
}
