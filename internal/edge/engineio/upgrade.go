package engineio

import "github.com/sio-edge/sio-edge/internal/edge/wire/eio"

// maxProbes bounds how often a client may try a WebSocket out before it upgrades to it.
const maxProbes = 10

// probeAnswer is the packet "3probe" as a frame.
var probeAnswer = newPacket("3probe").frames

// probe handles what arrives on a WebSocket that has not taken its session over: the packet
// "2probe" asks whether it works, "5" makes it the drainer, and nothing else belongs there.
// Polling goes on until the "5". recvMu is held.
func (c *conn) probe(binary bool, data []byte) bool {
	if c.probed(binary, data) {
		c.sock.server.handler.Upgraded(c.sock)
	}
	return true
}

// probed handles such a message and reports whether it made c the drainer.
func (c *conn) probed(binary bool, data []byte) bool {
	s := c.sock
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.polls
	if c.closing || c.bye != nil || c.doomed || p == nil || p.probe != c {
		return false // only the close frame still matters
	}
	packet, err := eio.ParseText(data)
	switch {
	case binary || err != nil:
	case packet.Type == eio.Ping && string(packet.Data) == "probe" && p.probes < maxProbes:
		p.probes++
		c.pongs = 0
		c.ctl = append(c.ctl, probeAnswer...)
		// The client waits for its GET to end before it sends the "5".
		s.releaseLocked()
		return false
	case packet.Type == eio.Upgrade && len(packet.Data) == 0 && p.probes > 0:
		c.takeOverLocked()
		return true
	}
	s.server.refused("websocket", "probe")
	c.abandonLocked()
	return false
}

// takeOverLocked makes c the drainer of its Socket.
func (c *conn) takeOverLocked() {
	s := c.sock
	p := s.polls
	p.probe = nil
	c.probing = false
	c.unlimitLocked()
	s.conn = c
	s.server.counters.webSockets.Add(1)
	s.server.counters.upgraded.Add(1)
	if p.waiting != nil {
		waiting := p.waiting
		p.waiting = nil
		waiting.out = queues.Get().(*queue)
		waiting.out.add(noopPacket)
		close(waiting.done)
	}
	if p.posting != nil {
		s.stop.Or(stopPost) // its packets were sent before anything that comes here
	}
	s.startHeartLocked()
}

// abandonLocked ends an upgrade. The session goes on as it was.
func (c *conn) abandonLocked() {
	if p := c.sock.polls; p.probe == c {
		p.probe = nil
	}
	c.unlimitLocked()
	c.closeLocked(emptyClose)
}
