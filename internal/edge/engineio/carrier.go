package engineio

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// Carrier is the connection beneath TLS. It is an ordinary net.Conn until it moves to a loop: from
// then on reading takes what the descriptor has and never waits, and what is written is collected
// until the loop sends it. That is how crypto/tls, which wants to block, serves connections
// that have no goroutine.
type Carrier struct {
	net.Conn // nil once moved

	desc   *loop.Descriptor // nil until moved; static then
	budget int              // bytes that may still be read in this turn; owned by whoever reads

	mu  sync.Mutex // guards the following fields; nothing is taken with it held
	out []byte     // written, and not sent
}

// NewCarrier returns a Carrier for an accepted connection.
func NewCarrier(c net.Conn) *Carrier { return &Carrier{Conn: c} }

// move gives it to a loop: desc is a descriptor of Conn, which is closed.
func (c *Carrier) move(desc *loop.Descriptor) { c.Conn, c.desc = nil, desc }

// Read implements net.Conn.
func (c *Carrier) Read(b []byte) (int, error) {
	if c.desc == nil {
		return c.Conn.Read(b)
	}
	if c.budget <= 0 {
		return 0, loop.ErrNotNow
	}
	n, err := c.desc.Read(b[:min(len(b), c.budget)])
	c.budget -= n
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *Carrier) Write(b []byte) (int, error) {
	if c.desc == nil {
		return c.Conn.Write(b)
	}
	c.mu.Lock()
	c.out = append(c.out, b...)
	c.mu.Unlock()
	return len(b), nil
}

// SetWriteDeadline implements net.Conn. Nothing waits once it is moved.
func (c *Carrier) SetWriteDeadline(t time.Time) error {
	if c.desc == nil {
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

// collect begins to collect in the buffer that scratch lends, unless there is something already.
func (c *Carrier) collect(scratch func() []byte) {
	c.mu.Lock()
	if len(c.out) == 0 {
		c.out = scratch()[:0]
	}
	c.mu.Unlock()
}

// send writes as much of what was collected as the kernel takes: sent bytes, and whether that was
// all. The rest stays in memory of the Carrier's own: the buffer of collect is free again.
func (c *Carrier) send() (sent int, all bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 {
		n, err := c.desc.Write(c.out)
		if err == loop.ErrNotNow {
			c.out = bytes.Clone(c.out)
			return sent, false, nil
		}
		if err != nil {
			c.out = nil
			return sent, false, err
		}
		sent += n
		c.out = c.out[n:]
	}
	c.out = nil
	return sent, true, nil
}
