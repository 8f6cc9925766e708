package grpcconn

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// wrap returns nc, which the caller gives up, with calls of package nonblock; or as it is if it is
// not plain TCP.
func wrap(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	c := &conn{Conn: tcp, raw: raw}
	c.in.try, c.out.try = c.in.recv, c.out.send
	return c
}

// conn is a TCP connection that waits in Go's poller as every other does. Only its calls differ.
type conn struct {
	net.Conn
	raw syscall.RawConn
	in  input
	out output
}

// input is the side that reads.
type input struct {
	mu     sync.Mutex         // held while one reads, and guards the following fields
	try    func(uintptr) bool // recv, made once
	p      []byte             // where to; nil: into a buffer of pool
	pool   mem.BufferPool
	size   int
	buf    *[]byte
	n      int
	errno  syscall.Errno
	roused time.Time
}

// recv reports whether it is over, one way or the other.
func (in *input) recv(fd uintptr) bool {
	p := in.p
	if in.pool != nil {
		in.buf = in.pool.Get(in.size)
		p = *in.buf
	}
	in.n, in.errno = nonblock.Recv(int(fd), p)
	if in.errno != 0 && in.pool != nil {
		in.pool.Put(in.buf)
		in.buf = nil
	}
	return in.errno != syscall.EAGAIN
}

// rousing is how often the runtime's monitor is called for at most: what a message leads to may take
// long, above all in a backend.
const rousing = 10 * time.Millisecond

func (c *conn) readLocked() error {
	in := &c.in
	err := c.raw.Read(in.try)
	switch {
	case err != nil:
	case in.errno != 0:
		err = os.NewSyscallError("recvfrom", in.errno)
	case in.n == 0:
		err = io.EOF
	}
	if now := time.Now(); now.Sub(in.roused) > rousing {
		in.roused = now
		nonblock.Rouse()
	}
	return err
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.p, in.n = p, 0
	err := c.readLocked()
	in.p = nil
	return in.n, err
}

// ReadOnReady reads into a buffer of pool, which is taken when there is something to read: gRPC asks
// its connections for that.
func (c *conn) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pool, in.size, in.n = pool, size, 0
	err := c.readLocked()
	buf := in.buf
	in.pool, in.buf = nil, nil
	if err != nil && buf != nil {
		pool.Put(buf)
		buf = nil
	}
	return buf, in.n, err
}

// output is the side that writes.
type output struct {
	mu    sync.Mutex         // held while one writes, and guards the following fields
	try   func(uintptr) bool // send, made once
	p     []byte             // what is left
	errno syscall.Errno
}

// send reports whether it is over, one way or the other.
func (out *output) send(fd uintptr) bool {
	for len(out.p) > 0 {
		n, errno := nonblock.Send(int(fd), out.p, 0)
		if errno != 0 {
			out.errno = errno
			return errno != syscall.EAGAIN
		}
		out.p = out.p[n:]
	}
	out.errno = 0
	return true
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	out := &c.out
	out.mu.Lock()
	defer out.mu.Unlock()
	out.p = p
	err := c.raw.Write(out.try)
	if err == nil && out.errno != 0 {
		err = os.NewSyscallError("sendto", out.errno)
	}
	n := len(p) - len(out.p)
	out.p = nil
	return n, err
}
