package bench

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// sealed is the TLS of one client. It speaks over an ordinary connection until that is taken, then
// over a descriptor that never waits: reading ends with errNotNow, and what is written is kept in
// out.
type sealed struct {
	*tls.Conn
	below carrier
}

type carrier struct {
	net.Conn     // until it is taken
	fd       int // from then on; before that -1
	out      []byte
}

// connect opens a connection to the server, over TLS if the target says so.
func (t Target) connect() (net.Conn, error) {
	c, err := net.DialTimeout("tcp", t.Addr, patience)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	if t.TLS == nil {
		return c, nil
	}
	config := t.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(t.Addr)
	}
	s := &sealed{below: carrier{Conn: c, fd: -1}}
	s.Conn = tls.Client(&s.below, config)
	if err := s.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// move has the TLS go on over a descriptor.
func (s *sealed) move(fd int) { s.below.Conn, s.below.fd = nil, fd }

// errNotNow is temporary: after it crypto/tls goes on.
var errNotNow net.Error = notNow{}

type notNow struct{}

// Error, Timeout and Temporary implement net.Error.
func (notNow) Error() string   { return "no more bytes for now" }
func (notNow) Timeout() bool   { return false }
func (notNow) Temporary() bool { return true }

// Read implements net.Conn.
func (c *carrier) Read(b []byte) (int, error) {
	if c.fd < 0 {
		return c.Conn.Read(b)
	}
	n, errno := nonblock.Recv(c.fd, b)
	switch {
	case errno == unix.EAGAIN:
		return 0, errNotNow
	case errno != 0:
		return 0, os.NewSyscallError("recvfrom", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *carrier) Write(b []byte) (int, error) {
	if c.fd < 0 {
		return c.Conn.Write(b)
	}
	c.out = append(c.out, b...)
	return len(b), nil
}
