package engineio

import (
	"encoding/binary"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/deadline"
)

// frameHeader is the header of one frame a client sent, RFC 6455 section 5.2.
type frameHeader struct {
	size    int // of the header
	payload int
	opcode  byte
	final   bool
	legal   bool // as far as the bytes up to the length tell
}

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

func (h *frameHeader) control() bool { return h.opcode >= 8 }

// parseFrameHeader reads the header that b begins with. It returns false if b is too short. It
// looks for what has to be known before the payload is there; the rest is gorilla's to find.
func parseFrameHeader(b []byte) (h frameHeader, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	h.opcode, h.final = b[0]&0x0f, b[0]&0x80 != 0
	h.legal = b[0]&0x70 == 0 && b[1]&0x80 != 0 && (h.opcode <= opBinary || h.opcode >= opClose && h.opcode <= opPong)
	length := int(b[1] & 0x7f)
	if h.control() && (length > 125 || !h.final) {
		h.legal = false
	}
	if !h.legal {
		h.size = 2
		return h, true
	}
	h.size, h.payload = 6, length
	switch length {
	case 126:
		if h.size = 8; len(b) < h.size {
			return h, false
		}
		h.payload = int(binary.BigEndian.Uint16(b[2:]))
		h.legal = h.payload >= 126
	case 127:
		if h.size = 14; len(b) < h.size {
			return h, false
		}
		n := binary.BigEndian.Uint64(b[2:])
		h.legal = n>>63 == 0 && n >= 1<<16 // the shortest form is required
		h.payload = int(min(n, 1<<62))
	}
	return h, len(b) >= h.size
}

// assembly is what arrived of a message that is not complete, and what arrived behind it.
type assembly struct {
	// buf holds the complete frames of a message in parts, and from start on the frame that is
	// arriving. It grows with what arrives, never with what is announced.
	buf    []byte
	start  int
	need   int // size of the arriving frame; 0 until its header is complete
	frames int // complete ones
	sum    int // their payload
	text   textCheck
	// checked is how much of the payload of the arriving frame text has seen.
	checked int

	held []byte // not looked at yet, because of Socket.stop

	charged int // for both
}

// settle charges what the buffers hold by now.
func (a *assembly) settle(b *budget.Budget) {
	if now := cap(a.buf) + cap(a.held); now != a.charged {
		b.Add(budget.Input, now-a.charged)
		a.charged = now
	}
}

// free takes the charge back.
func (a *assembly) free(b *budget.Budget) {
	if a != nil {
		b.Free(budget.Input, a.charged)
		a.charged = 0
	}
}

// feed handles what arrived, between cork and settle, and with recvMu held. b is the caller's
// again afterwards.
func (c *conn) feed(b []byte) {
	if c.holding() {
		c.hold(b) // settle comes to it
		return
	}
	for len(b) > 0 {
		if c.sock.stop.Load()&^stopClosed != 0 && !c.probing {
			c.hold(b)
			return
		}
		var frame []byte
		var h frameHeader
		var ok bool
		arriving := c.in != nil && len(c.in.buf) > c.in.start
		if arriving {
			frame, h, b, ok = c.resume(b)
		} else {
			frame, h, b, ok = c.take(b)
		}
		if !ok || !c.dispatch(h, frame, arriving) {
			return
		}
	}
}

// take cuts one frame off b. If b ends within it, what there is of it is kept.
func (c *conn) take(b []byte) (frame []byte, h frameHeader, rest []byte, ok bool) {
	h, ok = parseFrameHeader(b)
	if ok && !c.admit(h, b) {
		return nil, h, nil, false
	}
	size := h.size + h.payload
	if ok && len(b) >= size {
		return b[:size], h, b[size:], true
	}
	a := c.assemble()
	if !c.append(a, b, size) {
		return nil, h, nil, false
	}
	if ok {
		a.begin(h)
		c.checkAhead(h)
	}
	return nil, h, nil, false
}

// resume completes the frame that is arriving with the beginning of b.
func (c *conn) resume(b []byte) (frame []byte, h frameHeader, rest []byte, ok bool) {
	a := c.in
	for a.need == 0 && len(b) > 0 {
		a.buf = append(a.buf, b[0])
		b = b[1:]
		if h, ok = parseFrameHeader(a.buf[a.start:]); ok {
			if !c.admit(h, a.buf[a.start:]) {
				return nil, h, nil, false
			}
			a.begin(h)
		}
	}
	if a.need == 0 {
		return nil, h, nil, false
	}
	missing := a.need - (len(a.buf) - a.start)
	n := min(missing, len(b))
	if !c.append(a, b[:n], a.need) {
		return nil, h, nil, false
	}
	frame = a.buf[a.start:]
	h, _ = parseFrameHeader(frame)
	if n < missing {
		c.checkAhead(h)
		return nil, h, nil, false
	}
	return frame, h, b[n:], true
}

// begin notes that the header of the arriving frame is complete.
func (a *assembly) begin(h frameHeader) {
	a.need = h.size + h.payload
	if a.frames == 0 && !h.control() {
		a.text = textCheck{on: h.opcode == opText}
	}
}

// checkAhead looks at the text of the frame that is arriving as far as it is there.
func (c *conn) checkAhead(h frameHeader) {
	a := c.in
	if !a.text.on || h.control() {
		return
	}
	frame := a.buf[a.start:]
	payload := frame[h.size:]
	if !a.text.add(frame[h.size-4:h.size], payload[a.checked:], a.checked) {
		c.invalidText()
		return
	}
	a.checked = len(payload)
}

// append adds a part of a frame of the given size, announced by the client. It returns false if
// there is no memory for that; then the connection has failed.
func (c *conn) append(a *assembly, b []byte, size int) bool {
	if want := len(a.buf) + len(b); want > cap(a.buf) {
		// To make us hold memory a client has to send half of it. The first frame of a message may be
		// its last.
		room := 2 * want
		if a.frames == 0 {
			room = max(want, min(room, size))
		}
		if !c.sock.server.config.Budget.Take(budget.Input, room-cap(a.buf)) {
			return c.fail("memory", closeFrame(1013, "try again later"), TransportError)
		}
		a.charged += room - cap(a.buf)
		grown := make([]byte, len(a.buf), room)
		copy(grown, a.buf)
		a.buf = grown
	}
	a.buf = append(a.buf, b...)
	return true
}

// admit decides about a frame by its header alone, before anything is kept for it.
func (c *conn) admit(h frameHeader, b []byte) bool {
	config := &c.sock.server.config
	sum, frames := 0, 0
	if c.in != nil {
		sum, frames = c.in.sum, c.in.frames
	}
	switch {
	case !h.legal && h.size == 2:
		c.read(b[:2], 0, nil) // gorilla knows what to say
		return false
	case !h.legal:
		return c.fail("protocol", closeFrame(1002, "bad length"), TransportError)
	case h.control():
		if h.opcode == opClose && h.payload == 1 {
			return c.fail("protocol", closeFrame(1002, "bad close payload"), TransportError)
		}
		return true
	case frames > 0 && h.opcode != opContinuation:
		return c.fail("protocol", closeFrame(1002, "data before FIN"), TransportError)
	case frames == 0 && h.opcode == opContinuation:
		return c.fail("protocol", closeFrame(1002, "continuation after FIN"), TransportError)
	case sum+h.payload > config.MaxPayload:
		return c.fail("too large", closeFrame(1009, ""), TransportError)
	case frames >= config.MaxFragments:
		return c.fail("fragments", closeFrame(1008, "too many fragments"), TransportError)
	}
	return true
}

// dispatch handles one complete frame, which lies at the end of c.in.buf if arriving. It reports
// whether the connection may go on.
func (c *conn) dispatch(h frameHeader, frame []byte, arriving bool) bool {
	a := c.in
	switch {
	case h.control():
		if arriving {
			a.buf, a.need = a.buf[:a.start], 0
		}
		ok := c.control(frame, h)
		if arriving {
			c.release()
		}
		return ok
	case h.final && (a == nil || a.frames == 0):
		if arriving {
			a.buf, a.need, a.checked = nil, 0, 0
			c.release()
		}
		if usualPong(frame, h) {
			return c.message(false, pong)
		}
		return c.read(frame, h.payload, nil)
	}
	a = c.assemble()
	// The text of a message is checked when it is complete, and before that as far as it goes.
	if a.frames == 0 && !arriving {
		a.text = textCheck{on: h.opcode == opText}
	}
	if !h.final && !a.text.add(frame[h.size-4:h.size], frame[h.size+a.checked:], a.checked) {
		return c.invalidText()
	}
	a.checked = 0
	if !arriving && !c.append(a, frame, len(frame)) {
		return false
	}
	a.start, a.need = len(a.buf), 0
	a.frames++
	a.sum += h.payload
	if !h.final {
		return true
	}
	message, size := a.buf, a.sum
	*a = assembly{held: a.held, charged: a.charged}
	c.release()
	return c.read(message, size, nil)
}

// control handles one control frame.
func (c *conn) control(frame []byte, h frameHeader) bool {
	if h.opcode == opClose {
		if answer := usualClose(frame, h); answer != nil {
			return c.farewell(answer)
		}
	} else {
		s := c.sock
		s.mu.Lock()
		ok := s.tolerateLocked()
		s.mu.Unlock()
		if !ok {
			return c.fail("control flood", closeFrame(1008, "too many control frames"), TransportError)
		}
	}
	return c.read(frame, 0, terminator)
}

// hold keeps what cannot be looked at now.
func (c *conn) hold(b []byte) {
	a := c.in
	if a == nil {
		a = new(assembly)
		c.in = a
	}
	a.held = append(a.held, b...)
	a.settle(c.sock.server.config.Budget)
}

// refeed handles what was held.
func (c *conn) refeed() {
	held := c.in.held
	c.in.held = nil
	c.in.settle(c.sock.server.config.Budget)
	c.release()
	c.feed(held)
}

func (c *conn) holding() bool { return c.in != nil && len(c.in.held) > 0 }

// assemble returns c.in, for a message that begins now or has begun.
func (c *conn) assemble() *assembly {
	if c.in == nil {
		c.in = new(assembly)
	}
	c.sock.mu.Lock()
	if c.assembling == nil {
		c.assembling = new(deadline.Deadline)
		c.sock.server.deadlines[dueAssembly].Add(c.assembling, c)
	}
	c.sock.mu.Unlock()
	return c.in
}

// release lets go of what the assembly of a message needed, once no message is under way.
func (c *conn) release() {
	a := c.in
	if a == nil {
		return
	}
	a.settle(c.sock.server.config.Budget)
	if len(a.buf) > 0 || a.frames > 0 {
		return
	}
	c.sock.mu.Lock()
	if c.assembling != nil {
		c.assembling.Remove()
		c.assembling = nil
	}
	c.sock.mu.Unlock()
	if a.held == nil {
		a.free(c.sock.server.config.Budget) // an empty buffer that could be used again
		c.in = nil
	}
}

// fail ends the connection with a close frame. It returns false.
func (c *conn) fail(reason string, frame []byte, r Reason) bool {
	c.sock.server.refused("websocket", reason)
	c.sock.mu.Lock()
	c.failLocked(frame, r)
	c.sock.mu.Unlock()
	return false
}

func closeFrame(code uint16, text string) []byte {
	b := append(make([]byte, 0, 4+len(text)), finClose, byte(2+len(text)))
	return append(binary.BigEndian.AppendUint16(b, code), text...)
}
