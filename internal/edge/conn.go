package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// methodRefused is the method of the request that net/http reads in place of one that was
// refused, so that the answer takes its turn behind those of earlier requests. head refuses it
// from clients.
const methodRefused = "REFUSED"

const refusedHead = methodRefused + " / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"

// maxEarly bounds what a client may send before it knows whether its upgrade is accepted.
const maxEarly = 4 << 10

var errEarly = errors.New("too much data before the upgrade")

// conn is a client's connection while net/http serves it: it hands a request head on only once
// the head is complete and checked. Bodies pass through, and after a WebSocket upgrade so does
// everything; TCPConn and TLSConn then get this layer out of the way.
type conn struct {
	net.Conn
	secure  *tls.Conn         // Conn, if it is that
	carrier *engineio.Carrier // beneath secure
	place   *place

	// Owned by the reader: net/http has one at a time, and whoever takes the connection over
	// is the next.
	held   []byte // read from the network and not handed on; nil between requests
	ready  int    // so many of held may be handed on
	head   head
	body   body
	asks   bool   // the request being answered asks for an upgrade
	raw    bool   // nothing is inspected any more
	shaken bool   // the TLS handshake is over
	fault  *fault // why no more requests are read
	end    error  // what Read returns once held was handed on

	mu      sync.Mutex // guards the following fields
	asked   time.Time  // the read deadline that net/http asked for
	headEnd time.Time  // when a head of which a part is here must be complete; zero if none is
}

// newConn wraps an accepted connection. If the listener has a TLS configuration the client has to
// speak it.
func newConn(c net.Conn, p *place) *conn {
	own := &conn{Conn: c, place: p}
	if config := p.listener.tls; config != nil {
		own.carrier = engineio.NewCarrier(c)
		own.secure = tls.Server(own.carrier, config)
		own.Conn = own.secure
	}
	return own
}

func (c *conn) seat() *place { return c.place }

// Read hands on what may be handed on. It waits in the caller's buffer, so that a connection
// waiting for its next request holds no memory of ours.
func (c *conn) Read(p []byte) (int, error) {
	c.place.begin()
	if c.secure != nil && !c.shaken {
		if err := c.shake(); err != nil {
			c.end = err
		}
	}
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case c.ready > 0:
			n := copy(p, c.held[:c.ready])
			c.ready -= n
			c.drop(0, n)
			return n, nil
		case c.end != nil:
			return 0, c.end
		case c.raw:
			return c.Conn.Read(p)
		case c.asks:
			// Whether this is another request or the new protocol already is not decided yet.
			n, err := c.Conn.Read(p)
			if c.held = append(c.held, p[:n]...); len(c.held) > maxEarly {
				return 0, &net.OpError{Op: "read", Net: "tcp", Err: errEarly}
			}
			if n == 0 {
				return 0, err
			}
		case len(c.held) == 0:
			n, err := c.Conn.Read(p)
			if n == 0 {
				return 0, err
			}
			ready, used := c.inspect(p[:n])
			c.held = append(c.held, p[used:n]...)
			if c.fault != nil {
				c.refuse()
			}
			if ready > 0 {
				return ready, nil
			}
		default:
			ready, used := c.inspect(c.held)
			c.drop(ready, used)
			c.ready = ready
			if c.fault != nil {
				c.refuse()
			}
			if ready > 0 || c.fault != nil {
				continue
			}
			c.held = slices.Grow(c.held, 1<<10)
			n, err := c.Conn.Read(c.held[len(c.held):cap(c.held)])
			c.held = c.held[:len(c.held)+n]
			if n == 0 {
				return 0, err
			}
		}
	}
}

// inspect looks at bytes in the order in which the client sent them, up to the end of a request.
// The first ready of them may be handed on, the first used are done with; used is more where
// fields were dropped. 0, 0 means that a head is incomplete, or that c.fault was set.
func (c *conn) inspect(b []byte) (ready, used int) {
	if c.body.done() {
		n, f := c.head.scan(b, &c.place.listener.head)
		if f != nil {
			c.fault = f
			return 0, 0
		}
		c.awaitHead(n == 0)
		if n == 0 {
			return 0, 0
		}
		ready, used = n, n
		if c.head.underscored {
			ready = len(dropUnderscored(b[:n]))
		}
		c.body = newBody(&c.head)
		c.asks = c.head.upgrade && c.body.done()
		c.head = head{}
	}
	n, f := c.body.take(b[used:])
	copy(b[ready:], b[used:used+n])
	c.fault = f
	return ready + n, used + n
}

// refuse replaces what is not handed on yet by the request that net/http is to read instead; in
// the middle of a body there is a handler already, which gets an error.
func (c *conn) refuse() {
	c.held = c.held[:c.ready]
	if c.body.done() {
		c.held = append(c.held, refusedHead...)
		c.ready = len(c.held)
		c.end = io.EOF
		return
	}
	// net/http says nothing of its own to an error of this type.
	c.end = &net.OpError{Op: "read", Net: "tcp", Err: c.fault}
}

// drop removes held[from:to].
func (c *conn) drop(from, to int) {
	c.held = slices.Delete(c.held, from, to)
	if len(c.held) == 0 {
		c.held = nil
	}
}

// awaitHead starts and stops the clock of a head that came in part. It does not run while a
// handler runs (net/http then asks for no deadline): that is for the handler to bound.
func (c *conn) awaitHead(incomplete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !incomplete {
		c.headEnd = time.Time{}
		return
	}
	if !c.headEnd.IsZero() {
		return
	}
	c.headEnd = time.Now().Add(c.place.listener.headerTimeout)
	if !c.asked.IsZero() && c.headEnd.Before(c.asked) {
		c.Conn.SetReadDeadline(c.headEnd)
	}
}

// SetReadDeadline implements net.Conn. A head of which a part is here has its own deadline, if
// that is earlier: net/http, which has not seen that part, still allows for idling.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = t
	if !t.IsZero() && !c.headEnd.IsZero() && c.headEnd.Before(t) {
		t = c.headEnd
	}
	return c.Conn.SetReadDeadline(t)
}

// answered ends the doubt of an upgrade that was refused: what came since is another request.
func (c *conn) answered() { c.asks = false }

// takeOver ends inspection: a handler has taken the connection from net/http. Bytes read ahead
// come first out of Read.
func (c *conn) takeOver() {
	c.raw = true
	c.ready = len(c.held)
	c.place.leave()
}

// TCPConn returns the connection beneath for whoever took this one over, nil if bytes that were
// read ahead have to come out of Read, or if it is not plain TCP.
func (c *conn) TCPConn() *net.TCPConn {
	if !c.raw || len(c.held) > 0 || c.end != nil {
		return nil
	}
	if p, ok := c.Conn.(*proxied); ok {
		return p.TCPConn()
	}
	tcp, _ := c.Conn.(*net.TCPConn)
	return tcp
}

// TLSConn is TCPConn for a connection on which TLS is spoken: what lies beneath is the Carrier's.
func (c *conn) TLSConn() (*tls.Conn, *engineio.Carrier) {
	if !c.raw || len(c.held) > 0 || c.end != nil {
		return nil, nil
	}
	return c.secure, c.carrier
}

// CloseWrite tells the client that no more will come.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// linger lets the answer to a refused request arrive: closing with bytes unread would make the
// kernel take it back.
func (c *conn) linger() {
	c.CloseWrite()
	c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.place.leave()
	return c.Conn.Close()
}
