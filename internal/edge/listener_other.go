//go:build !linux

package edge

import (
	"net"
	"syscall"
	"time"
)

func prepareSocket(_, _ string, _ syscall.RawConn) error { return nil }

// waited is not known here.
func waited(net.Conn) (age time.Duration, gone bool) { return 0, false }

func resizeQueue(net.Listener, int) {}

// turnAway answers and closes. The buffer is empty, so that it does not block.
func turnAway(c net.Conn, answer []byte) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(answer)
	c.Close()
}
