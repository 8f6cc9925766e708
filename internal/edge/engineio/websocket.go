package engineio

import (
	"net"
	"net/http"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
)

// openWebSocket opens a session on a WebSocket.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request) {
	switching, nc, ahead, ok := s.switchProtocols(w, r)
	if !ok {
		s.dismissed(r)
		return
	}
	sock := s.newSocket(r, WebSocket)
	if sock == nil {
		nc.Close()
		s.dismissed(r)
		return
	}
	sock.recvMu.Lock()
	defer sock.recvMu.Unlock()
	c, more := s.newConn(sock, nc, switching)
	s.tasks.Add(1) // c; the Socket is counted, so that Close has not given up waiting
	sock.mu.Lock()
	sock.conn = c
	if sock.reason == 0 {
		s.counters.webSockets.Add(1)
	}
	c.busy = true
	sock.mu.Unlock()
	sock.greet(nil)
	c.begin(append(ahead, more...))
}

// upgradeWebSocket lets a WebSocket try to take a polling session over.
func (s *Server) upgradeWebSocket(w http.ResponseWriter, r *http.Request, sock *Socket) {
	switching, nc, ahead, ok := s.switchProtocols(w, r)
	if !ok {
		return
	}
	sock.recvMu.Lock()
	defer sock.recvMu.Unlock()
	sock.mu.Lock()
	if sock.reason != 0 {
		sock.mu.Unlock()
		nc.Close()
		return
	}
	s.tasks.Add(1)
	sock.mu.Unlock()
	c, more := s.newConn(sock, nc, switching)
	c.probing = true
	sock.mu.Lock()
	c.enterLocked()
	switch p := sock.polls; {
	case sock.reason != 0:
		c.closeLocked(emptyClose)
	case sock.conn != nil || p == nil || p.probe != nil || s.upgrades == nil:
		s.refused("websocket", "second upgrade")
		c.closeLocked(emptyClose)
	default:
		p.probe, p.probes = c, 0
		c.limitLocked(dueUpgrade)
	}
	sock.mu.Unlock()
	c.begin(append(ahead, more...))
}

// begin writes what a new connection begins with, handles what the client sent without waiting
// for it, and starts reading.
func (c *conn) begin(ahead []byte) {
	if len(ahead) > 0 {
		c.feed(ahead)
	}
	c.settle(0)
	c.sock.mu.Lock()
	if !c.dead {
		c.pipe.startLocked()
	}
	c.sock.mu.Unlock()
}

// newConn makes the conn of a hijacked connection. ahead is what was read of it already.
func (s *Server) newConn(sock *Socket, nc net.Conn, first []byte) (c *conn, ahead []byte) {
	c = &conn{sock: sock, ctl: first}
	s.config.Budget.Add(budget.Kernel, kernelBytes)
	p, ahead, err := s.adopt(c, nc)
	if err != nil {
		s.log.Warn("no loop takes a connection", "error", err)
	}
	if p == nil {
		p = newNetPipe(c, nc)
	}
	c.pipe = p
	return c, ahead
}

// message handles one WebSocket message and reports whether the connection may go on.
func (c *conn) message(binary bool, data []byte) bool {
	s := c.sock
	if c.probing {
		return c.probe(binary, data)
	}
	if s.stop.Load()&stopClosed != 0 {
		return true // it has nowhere to go, but the close frame may be behind it
	}
	p := eio.Packet{Type: eio.Message, Binary: true, Data: data}
	if !binary {
		var err error
		if p, err = eio.ParseText(data); err != nil {
			s.server.refused("packet", "parse")
			s.Close(ParseError)
			return true
		}
	}
	if r := s.receive(p); r != 0 {
		s.Close(r)
	}
	return true
}
