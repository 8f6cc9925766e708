package engineio

import (
	"net"
	"sync"
	"time"
)

// scratchSize bounds how much of small messages is put together for one write.
const scratchSize = 64 << 10

var scratches = sync.Pool{New: func() any { return new([scratchSize]byte) }}

// scratch lends a buffer out at most once.
type scratch struct{ buf *[scratchSize]byte }

func (s *scratch) get() []byte {
	if s.buf == nil {
		s.buf = scratches.Get().(*[scratchSize]byte)
	}
	return s.buf[:]
}

func (s *scratch) free() {
	if s.buf != nil {
		scratches.Put(s.buf)
	}
}

// netPipe carries any net.Conn: TLS, systems without loops of ours, connections in memory. It
// has one goroutine that reads, and one that writes while there is a backlog.
type netPipe struct {
	conn *conn
	nc   net.Conn
	wake chan struct{} // holds a value when the reader may have something to do again

	writing, half bool // guarded by conn.sock.mu
}

func newNetPipe(c *conn, nc net.Conn) *netPipe {
	return &netPipe{conn: c, nc: nc, wake: make(chan struct{}, 1)}
}

func (p *netPipe) startLocked() {
	p.conn.sock.server.tasks.Add(1)
	go p.readLoop()
}

func (p *netPipe) readLoop() {
	c := p.conn
	s := c.sock
	defer s.server.tasks.Done() // Server.Close waits
	buf := make([]byte, 4096)
	for {
		n, err := p.nc.Read(buf)
		s.recvMu.Lock()
		s.mu.Lock()
		c.enterLocked()
		deaf := c.broken
		s.mu.Unlock()
		if n > 0 && !deaf {
			c.feed(buf[:n])
		}
		var lost Reason
		if err != nil {
			lost = lossReason(err)
		}
		c.settle(lost)
		for !c.dead && c.holds {
			s.recvMu.Unlock()
			<-p.wake
			s.recvMu.Lock()
			s.mu.Lock()
			c.enterLocked()
			s.mu.Unlock()
			c.settle(0)
		}
		dead := c.dead
		s.recvMu.Unlock()
		if dead {
			return
		}
	}
}

func (p *netPipe) writeLoop() {
	c := p.conn
	s := c.sock
	defer s.server.tasks.Done() // Server.Close waits
	var buf scratch
	defer buf.free()
	for {
		s.mu.Lock()
		var out []byte
		if !c.doomed {
			if out = c.gatherLocked(buf.get); out == nil {
				c.drainedLocked()
			}
		}
		if out == nil {
			p.writing, c.blocked = false, false
			half := p.half
			s.mu.Unlock()
			if w, ok := p.nc.(interface{ CloseWrite() error }); ok && half {
				p.nc.SetWriteDeadline(time.Now().Add(s.server.config.CloseTimeout))
				w.CloseWrite() // if it fails, the client has to close, or time does
			}
			return
		}
		// It counts as written from now on, so that what is queued meanwhile comes behind it.
		c.wroteLocked(len(out), false)
		s.mu.Unlock()
		p.nc.SetWriteDeadline(time.Now().Add(s.server.config.WriteTimeout))
		if _, err := p.nc.Write(out); err != nil {
			s.mu.Lock()
			r := lossReason(err)
			if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
				s.server.refused("websocket", "slow")
				r = SlowConsumer
			}
			c.lostLocked(r)
			s.mu.Unlock()
		}
	}
}

func (p *netPipe) flushLocked() {
	c := p.conn
	if p.writing || c.doomed {
		return
	}
	if len(c.ctl) == 0 && c.bye == nil && (c.probing || c.sock.out == nil) {
		c.drainedLocked()
		return
	}
	p.writing, c.blocked = true, true
	c.sock.server.tasks.Add(1)
	go p.writeLoop()
}

func (p *netPipe) resumeLocked() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// finishLocked leaves it to writeLoop, since to end one direction of TLS means to write.
func (p *netPipe) finishLocked() { p.half = true }

func (p *netPipe) destroyLocked() {
	p.nc.Close()
	p.resumeLocked()
}
