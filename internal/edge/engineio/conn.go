package engineio

import (
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/deadline"
)

// conn is one WebSocket connection: of a Socket, or one that a polling client means to upgrade to.
type conn struct {
	sock *Socket // static
	pipe pipe    // static

	// Guarded by sock.recvMu.
	in *assembly // what arrived and cannot be handled yet

	// Guarded by sock.mu.
	ctl        []byte             // frames that go out between messages: pongs, answers to probes
	bye        []byte             // the close frame, once everything else is out
	stall      *deadline.Deadline // runs while the client accepts nothing
	assembling *deadline.Deadline // of the message that is arriving in parts
	limit      *deadline.Deadline // of the upgrade, then of the close
	pongAt     int                // if pongs is not 0, ctl[pongAt:] is a pong
	pongs      uint8              // that are the last in ctl
	probing    bool               // not the drainer of sock, and perhaps never; written with recvMu held too
	busy       bool               // between enterLocked and settle
	holds      bool               // in.held waits for Socket.stop to be 0
	blocked    bool               // the client accepts nothing for now
	peerDone   bool               // the client sent a close frame
	closing    bool               // the close frame is the last thing in ctl
	finished   bool               // and is out
	broken     bool               // what arrives is not looked at any more
	doomed     bool               // to be destroyed
	dead       bool
}

// pipe is what carries the bytes of a conn. Its methods are called with sock.mu held and never
// block.
type pipe interface {
	// startLocked begins to read.
	startLocked()
	// flushLocked writes what there is to write, or sees to it that it will be.
	flushLocked()
	// resumeLocked reads on: Socket.stop has become 0.
	resumeLocked()
	// finishLocked ends our direction.
	finishLocked()
	// destroyLocked frees everything. sock.recvMu is held as well.
	destroyLocked()
}

// emptyClose is a close frame without a status code, as the official server sends it.
var emptyClose = []byte{finClose, 0}

// drainedLocked is called by the pipe when nothing is left to write.
func (c *conn) drainedLocked() {
	if c.stall != nil {
		c.stall.Remove()
		c.stall = nil
	}
	if !c.closing || c.finished {
		return
	}
	c.finished = true
	if c.peerDone {
		c.doomLocked()
		return
	}
	c.pipe.finishLocked()
	c.limitLocked(dueLinger)
}

// stalledLocked is called by the pipe when the client accepts no more bytes; progress says that
// it accepted some until now.
func (c *conn) stalledLocked(progress bool) {
	if c.stall == nil {
		c.stall = new(deadline.Deadline)
		progress = true
	}
	if progress {
		c.sock.server.deadlines[dueStall].Add(c.stall, c)
	}
}

// lostLocked ends a connection that cannot be written to or read from any more.
func (c *conn) lostLocked(r Reason) {
	if !c.probing {
		c.sock.closeLocked(r)
	}
	c.doomLocked()
}

// closeLocked sends a close frame behind everything that is queued.
func (c *conn) closeLocked(frame []byte) {
	if c.closing || c.doomed {
		return
	}
	if c.bye == nil {
		c.bye = frame
		c.limitLocked(dueLinger)
	}
	if c.sock.corked && !c.probing {
		return // leaves with everything else
	}
	c.pipe.flushLocked()
}

// failLocked ends a connection whose client broke the rules, or ours, with a close frame.
func (c *conn) failLocked(frame []byte, r Reason) {
	if c.broken || c.doomed {
		return
	}
	c.broken = true
	if c.closing || c.bye != nil {
		return
	}
	if c.probing {
		c.closeLocked(frame)
		return
	}
	c.bye = frame
	c.limitLocked(dueLinger)
	c.sock.closeLocked(r)
}

// limitLocked gives the connection a time until which it has to become something else.
func (c *conn) limitLocked(kind due) {
	if c.limit == nil {
		c.limit = new(deadline.Deadline)
	}
	c.sock.server.deadlines[kind].Add(c.limit, c)
}

func (c *conn) unlimitLocked() {
	if c.limit != nil {
		c.limit.Remove()
		c.limit = nil
	}
}

// doomLocked has the connection destroyed by whoever can: destroying needs recvMu, which whoever
// is handling input holds already.
func (c *conn) doomLocked() {
	if c.doomed {
		return
	}
	c.doomed = true
	c.broken = true
	c.ctl, c.bye = nil, nil
	if !c.probing {
		c.sock.dropLocked()
	}
	if c.busy {
		return // settle does it
	}
	c.sock.server.tasks.Add(1)
	go c.destroy()
}

func (c *conn) destroy() {
	defer c.sock.server.tasks.Done() // Server.Close waits
	c.sock.recvMu.Lock()
	c.sock.mu.Lock()
	c.destroyLocked()
	c.sock.mu.Unlock()
	c.sock.recvMu.Unlock()
}

// destroyLocked frees the connection. recvMu is held as well.
func (c *conn) destroyLocked() {
	if c.dead {
		return
	}
	c.dead, c.doomed, c.broken = true, true, true
	c.unlimitLocked()
	if c.stall != nil {
		c.stall.Remove()
		c.stall = nil
	}
	if c.assembling != nil {
		c.assembling.Remove()
		c.assembling = nil
	}
	c.in.free(c.sock.server.config.Budget)
	c.in = nil
	c.ctl, c.bye = nil, nil
	if out := c.sock.out; out != nil && c == c.sock.conn {
		out.recycle() // a message of which a part was sent
		c.sock.out = nil
	}
	c.sock.server.config.Budget.Free(budget.Kernel, kernelBytes)
	if p := c.sock.polls; p != nil && p.probe == c {
		p.probe = nil
	}
	c.pipe.destroyLocked()
	c.sock.server.tasks.Done()
}

// Expired implements deadline.Owner: it ends the waits of a connection.
func (c *conn) Expired(list *deadline.List) {
	s := c.sock
	s.mu.Lock()
	defer s.mu.Unlock()
	switch due(list.Kind) {
	case dueStall:
		if c.stall != nil && c.stall.Passed(list) {
			s.server.refused("websocket", "slow")
			c.lostLocked(SlowConsumer)
		}
	case dueAssembly:
		if c.assembling != nil && c.assembling.Passed(list) && !s.deafLocked() {
			s.server.refused("websocket", "assembly timeout")
			c.failLocked(closeFrame(1008, "message takes too long"), TransportError)
		}
	case dueUpgrade:
		if c.limit != nil && c.limit.Passed(list) && c.probing {
			s.server.refused("websocket", "upgrade timeout")
			c.abandonLocked()
		}
	case dueLinger:
		if c.limit != nil && c.limit.Passed(list) && !c.blocked {
			c.doomLocked()
		}
	}
}

// enterLocked begins the handling of what arrived, settle ends it. recvMu is held.
func (c *conn) enterLocked() {
	c.sock.corked, c.busy = true, true
}

// settle ends the handling of what arrived: it writes what was queued meanwhile, and handles what
// had to wait if it need not any more. A reason says that nothing more will arrive. recvMu is held.
func (c *conn) settle(lost Reason) {
	s := c.sock
	s.mu.Lock()
	for c.holding() && s.stop.Load()&^stopClosed == 0 && !c.broken {
		s.mu.Unlock()
		c.refeed()
		s.mu.Lock()
	}
	c.holds, c.pongs = c.holding(), 0
	if lost != 0 {
		c.lostLocked(lost)
	}
	s.uncorkLocked()
	if c.probing && !c.doomed {
		c.pipe.flushLocked()
	}
	c.busy = false
	if c.doomed {
		c.destroyLocked()
	}
	s.mu.Unlock()
}
