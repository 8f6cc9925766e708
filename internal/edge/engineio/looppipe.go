package engineio

import (
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// loopPipe carries a descriptor that a loop watches: no goroutine waits for it.
type loopPipe struct {
	conn *conn
	tls  *sealed         // nil: plain
	desc loop.Descriptor // what it is watched for is guarded by conn.sock.mu
}

// sealed is TLS on a descriptor.
type sealed struct {
	conn    *tls.Conn
	carrier *Carrier
}

// watched is how a connection that a loop watches already hands itself over, in the course of its
// Ready.
type watched interface{ Descriptor() *loop.Descriptor }

// wrapped is how a listener that wraps its connections hands out the TCP connection, nil if it
// has to see the bytes itself.
type wrapped interface{ TCPConn() *net.TCPConn }

// secured is the same for a connection on which TLS is spoken.
type secured interface{ TLSConn() (*tls.Conn, *Carrier) }

// adopt takes the descriptor of a hijacked connection over and closes nc. It returns nil if nc is
// neither plain TCP nor TLS over a Carrier of that, or if there are no loops here. ahead is what TLS
// has read already.
func (s *Server) adopt(c *conn, nc net.Conn) (_ pipe, ahead []byte, _ error) {
	if w, is := nc.(watched); is {
		e := &loopPipe{conn: c}
		e.desc = w.Descriptor().Hand(e)
		return e, nil, nil
	}
	tcp, ok := nc.(*net.TCPConn)
	if w, is := nc.(wrapped); is && !ok {
		tcp = w.TCPConn()
	}
	var seal *sealed
	if w, is := nc.(secured); is && tcp == nil {
		if conn, carrier := w.TLSConn(); conn != nil {
			seal = &sealed{conn, carrier}
			tcp, _ = carrier.Conn.(*net.TCPConn)
			if w, is := carrier.Conn.(wrapped); is {
				tcp = w.TCPConn()
			}
		}
	}
	if tcp == nil {
		return nil, nil, nil
	}
	desc, err := s.loops.Duplicate(tcp)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	e := &loopPipe{conn: c, desc: desc}
	if seal == nil {
		nc.Close()
		return e, nil, nil
	}
	e.tls = seal
	tcp.Close() // not nc, which would say goodbye
	seal.carrier.move(&e.desc)
	// What TLS has read of the network is not readable any more, as far as can be watched for.
	var buf scratch
	defer buf.free()
	n, err := e.read(buf.get(), 0)
	if err != nil {
		e.desc.CloseRead() // the end is readable, and the loop finds it
	}
	return e, append([]byte(nil), buf.get()[:n]...), nil
}

// startLocked has the pipe watched; from now on what arrives is handled.
func (e *loopPipe) startLocked() {
	if e.desc.Started() {
		e.lookLocked(e.desc.Mask() | loop.In)
		return
	}
	if err := e.desc.Start(e.desc.Mask()|loop.In, e); err != nil {
		e.conn.lostLocked(TransportError)
	}
}

// lookLocked changes what is watched for.
func (e *loopPipe) lookLocked(mask loop.Events) {
	if err := e.desc.Look(mask); err != nil {
		e.conn.lostLocked(TransportError)
	}
}

// Ready implements loop.Handler.
func (e *loopPipe) Ready(events loop.Events, buf []byte) {
	c := e.conn
	s := c.sock
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.mu.Lock()
	if c.dead {
		s.mu.Unlock()
		return
	}
	if events&loop.Out != 0 {
		c.blocked = false
		e.flushLocked()
	}
	if events&loop.In == 0 && !events.Gone() {
		s.mu.Unlock()
		return
	}
	if s.stop.Load()&^stopClosed != 0 && !c.probing {
		// Reading is paused. Found out now, not by Pause, so that a short pause costs nothing.
		if events.Gone() {
			c.lostLocked(TransportError)
		} else {
			e.lookLocked(e.desc.Mask() &^ loop.In)
		}
		s.mu.Unlock()
		return
	}
	c.enterLocked()
	deaf := c.broken
	s.mu.Unlock()

	n, err := e.read(buf, tlsTurn)
	if n > 0 && !deaf {
		c.feed(buf[:n])
	}
	var lost Reason
	switch err {
	case nil:
	case io.EOF:
		lost = TransportClose
	default:
		lost = TransportError
	}
	c.settle(lost)
}

// tlsTurn is how much of the network a TLS connection may read in one turn. What its records hold
// fits into the buffer of a loop together with the one record that may be there from before, so
// that nothing readable is ever left where it cannot be watched for.
const tlsTurn = 40 << 10

// read takes what has arrived, up to one buffer, without waiting. Of TLS it reads no more than
// budget from the network.
func (e *loopPipe) read(buf []byte, budget int) (n int, err error) {
	if e.tls == nil {
		n, err = e.desc.Read(buf)
		if err == nil && n == 0 {
			err = io.EOF
		}
	} else {
		e.tls.carrier.budget = budget
		for err == nil {
			var k int
			k, err = e.tls.conn.Read(buf[n:])
			n += k
		}
	}
	if err == loop.ErrNotNow {
		err = nil
	}
	return n, err
}

func (e *loopPipe) flushLocked() {
	if e.tls != nil {
		e.flushTLSLocked()
		return
	}
	c := e.conn
	if c.blocked || c.doomed {
		return
	}
	var buf scratch
	defer buf.free()
	for progress := false; ; progress = true {
		out := c.gatherLocked(buf.get)
		if out == nil {
			e.lookLocked(e.desc.Mask() &^ loop.Out)
			c.drainedLocked()
			return
		}
		var n int
		var err error
		if c.closing && c.peerDone {
			n, err = e.desc.WriteMore(out) // drainedLocked closes
		} else {
			n, err = e.desc.Write(out)
		}
		if err != nil && err != loop.ErrNotNow {
			c.lostLocked(TransportError)
			return
		}
		c.wroteLocked(n, true)
		if n < len(out) {
			c.blocked = true
			e.lookLocked(e.desc.Mask() | loop.Out)
			c.stalledLocked(progress || n > 0)
			return
		}
	}
}

// tlsWrite is how much is encrypted at once: with what TLS adds to it, it fits into a scratch.
const tlsWrite = 32 << 10

func (e *loopPipe) flushTLSLocked() {
	c := e.conn
	if c.blocked || c.doomed {
		return
	}
	var plain, wire scratch
	defer plain.free()
	defer wire.free()
	for progress := false; ; {
		out := c.gatherLocked(plain.get)
		if out != nil {
			out = out[:min(len(out), tlsWrite)]
			e.tls.carrier.collect(wire.get)
			if _, err := e.tls.conn.Write(out); err != nil {
				c.lostLocked(TransportError)
				e.tls.carrier.send() // the alert that says why
				return
			}
			c.wroteLocked(len(out), true)
		}
		sent, all, err := e.tls.carrier.send()
		switch {
		case err != nil:
			c.lostLocked(TransportError)
			return
		case !all:
			c.blocked = true
			e.lookLocked(e.desc.Mask() | loop.Out)
			c.stalledLocked(progress || sent > 0)
			return
		case out == nil:
			e.lookLocked(e.desc.Mask() &^ loop.Out)
			c.drainedLocked()
			return
		}
		progress = true
	}
}

func (e *loopPipe) resumeLocked() {
	c := e.conn
	e.lookLocked(e.desc.Mask() | loop.In)
	if c.holds && !c.doomed {
		c.holds = false
		c.sock.server.tasks.Add(1)
		go e.catchUp()
	}
}

// catchUp handles what was held while reading was paused.
func (e *loopPipe) catchUp() {
	s := e.conn.sock
	defer s.server.tasks.Done() // Server.Close waits
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.mu.Lock()
	e.conn.enterLocked()
	s.mu.Unlock()
	e.conn.settle(0)
}

func (e *loopPipe) finishLocked() {
	if e.tls != nil {
		e.tls.conn.CloseWrite()
		e.tls.carrier.send() // if there is no room for it, the client sees an end without a goodbye
	}
	e.desc.CloseWrite()
}

// destroyLocked implements pipe: nobody reads, since recvMu is held, nor writes, since mu is.
func (e *loopPipe) destroyLocked() { e.desc.Close() }
