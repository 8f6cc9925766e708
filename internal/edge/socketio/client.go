package socketio

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// client is the Socket.IO side of one connection.
type client struct {
	// Static after construction.
	srv  *Server
	conn *engineio.Socket

	// Owned by the calls of engineio.Handler, which never overlap for one connection.
	dec     sio.Decoder
	refused uint16    // CONNECTs to namespaces that do not exist
	strays  uint8     // acknowledgements since strayAt that nobody waited for
	strayAt time.Time // when the count of strays began

	mu       sync.Mutex // guards the following
	sockets  []*Socket  // joined; one that a backend ended stays until it is joined again
	pending  []*request // CONNECTs that wait for a decision
	reason   Reason     // why the edge closes the connection, if the transport cannot know
	rejects  uint8      // by groups since rejectAt
	rejectAt time.Time  // when the count of rejects began
	assembly uint32     // counts packets with attachments; odd while one is incomplete
	ended    bool
}

// assembly is one packet that waits for its attachments.
type assembly struct {
	c *client
	n uint32
}

// receive handles one message of the client.
func (c *client) receive(binary bool, data []byte) {
	pending, held := c.dec.Pending(), c.dec.Held()
	var p sio.Packet
	var complete bool
	var err error
	if binary {
		p, complete, err = c.dec.Binary(data)
	} else {
		p, complete, err = c.dec.Text(data)
	}
	switch {
	case errors.Is(err, sio.ErrAuthTooLarge):
		c.srv.cfg.Refused(refusedAuth)
		// Closing the transport would make a stock client send the same again every 5 s.
		c.refuse(nspName(p.Namespace), "Auth payload too large", nil)
		return
	case err != nil:
		c.srv.cfg.Refused(refusedPacket)
		how := engineio.ForcedClose
		if errors.Is(err, sio.ErrAttachmentsTooLarge) {
			how = engineio.TooLarge
		}
		c.failAs(ForcedClose, how)
		return
	}
	if more := c.dec.Held() - held; more > 0 && !c.srv.cfg.Budget.Take(budget.Input, more) {
		c.srv.cfg.Budget.Add(budget.Input, more) // it is there; closed frees it
		c.srv.cfg.Refused(refusedMemory)
		c.fail(ForcedServerClose)
		return
	} else if more < 0 {
		c.srv.cfg.Budget.Free(budget.Input, -more)
	}
	if pending != c.dec.Pending() {
		c.assembling(!pending)
	}
	if complete {
		c.handle(&p)
	}
}

func (c *client) handle(p *sio.Packet) {
	if p.Type == sio.Connect {
		c.connect(p)
		return
	}
	s := c.find(p.Namespace)
	if s == nil {
		// Also what a client gets that sends before it was let in.
		c.srv.cfg.Refused(refusedStranger)
		c.fail(ForcedServerClose)
		return
	}
	switch p.Type {
	case sio.Event:
		s.receive(c, p)
	case sio.Ack:
		if !p.HasID {
			c.srv.cfg.Refused(refusedAck)
			return
		}
		s.acknowledge(c, p)
	case sio.Disconnect:
		s.end(c, ClientDisconnect)
	}
}

// find returns the socket of the namespace, ended by a backend or not, or nil.
func (c *client) find(nsp []byte) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if nsp == nil && s.Nsp.Name == "/" || string(nsp) == s.Nsp.Name {
			return s
		}
	}
	return nil
}

// attach adds the socket, in the place of one of the same namespace that has ended. It returns
// false if the connection has ended.
func (c *client) attach(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	for i, old := range c.sockets {
		if old.Nsp.Name == s.Nsp.Name {
			c.sockets[i] = s
			return true
		}
	}
	if c.sockets == nil {
		c.sockets = make([]*Socket, 0, 1)
	}
	c.sockets = append(c.sockets, s)
	return true
}

// detach removes the socket. A later packet for its namespace breaks the protocol.
func (c *client) detach(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
}

// id is what the sessions of this connection have in common: the sid of the first.
func (c *client) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sockets) == 0 {
		return ""
	}
	return c.sockets[0].SID
}

// fail closes the connection without a DISCONNECT packet, so that a stock client comes back.
func (c *client) fail(r Reason) { c.failAs(r, engineio.ForcedClose) }

// failAs is fail with what the transport is told.
func (c *client) failAs(r Reason, how engineio.Reason) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = r
	}
	c.mu.Unlock()
	c.conn.Close(how)
}

// closed tells the sessions that their connection is gone. It is the last call of the Handler.
func (c *client) closed(r Reason) {
	c.srv.cfg.Budget.Free(budget.Input, c.dec.Held())
	c.mu.Lock()
	c.ended = true
	if c.reason != "" {
		r = c.reason
	}
	sockets := c.sockets
	c.sockets, c.pending = nil, nil
	c.mu.Unlock()
	for _, s := range sockets {
		s.lost(c, r)
	}
}

// joinTimeout closes a connection that has joined no namespace.
func (c *client) joinTimeout() {
	c.mu.Lock()
	idle := !c.ended && len(c.sockets) == 0 && len(c.pending) == 0
	c.mu.Unlock()
	if idle {
		c.srv.cfg.Refused(refusedIdle)
		c.fail(ForcedServerClose)
	}
}

// assembling notes that a packet begins or ends to wait for attachments.
func (c *client) assembling(begins bool) {
	c.mu.Lock()
	c.assembly++
	n := c.assembly
	c.mu.Unlock()
	if begins {
		c.srv.assemblies.add(assembly{c, n})
	}
}

func (a assembly) timeout() {
	a.c.mu.Lock()
	late := !a.c.ended && a.c.assembly == a.n
	a.c.mu.Unlock()
	if late {
		a.c.srv.cfg.Refused(refusedAssembly)
		a.c.fail(ForcedClose)
	}
}

// queue encodes a packet of about the given size for this client alone.
func (c *client) queue(size int, encode func([]byte) []byte, attachments [][]byte, f *Flush) {
	f.Queue(c.conn, engineio.NewMessageOnce(size, encode, attachments), false)
}

// packetSize is about how large the packets are that the edge sends of its own.
const packetSize = 112

// refuse answers a CONNECT with CONNECT_ERROR. The connection stays: other namespaces use it.
func (c *client) refuse(nsp, message string, data []byte) {
	var f Flush
	c.queue(packetSize, func(b []byte) []byte { return sio.AppendConnectError(b, nsp, message, data) }, nil, &f)
	f.Do()
}

// A connection may be rejected this often in this time.
const (
	maxRejects   = 5
	rejectWindow = 10 * time.Second
)

// reject refuses a CONNECT that a group said no to, or whose token was not good. It is counted
// before the client hears of it, so that whoever has had the answer cannot come in again uncounted.
// Who tries one credential after the other has to come in again each time.
func (c *client) reject(nsp, message string, data []byte) {
	c.srv.cfg.Rejected(c.conn.Handshake.RemoteAddr)
	c.refuse(nsp, message, data)
	c.mu.Lock()
	if now := time.Now(); now.Sub(c.rejectAt) > rejectWindow {
		c.rejectAt, c.rejects = now, 0
	}
	c.rejects++
	over := c.rejects >= maxRejects
	c.mu.Unlock()
	if over {
		c.srv.cfg.Refused(refusedRejects)
		c.fail(ForcedServerClose)
	}
}

func nspName(b []byte) string {
	if b == nil {
		return "/"
	}
	return string(b)
}

// strayAcks is how many acknowledgements that nobody waits for a client may send in a second.
const strayAcks = 100

// stray counts an acknowledgement that nobody waits for. Late ones are usual; a flood is not.
func (c *client) stray() {
	c.srv.cfg.Refused(refusedAck)
	if now := time.Now(); now.Sub(c.strayAt) > time.Second {
		c.strayAt, c.strays = now, 0
	}
	if c.strays++; c.strays >= strayAcks {
		c.srv.cfg.Refused(refusedStrayFloods)
		c.fail(ForcedServerClose)
	}
}
