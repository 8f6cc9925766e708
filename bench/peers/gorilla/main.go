// Command gorilla is the limit of a server with gorilla/websocket and a goroutine per connection:
// a small read buffer, pooled write buffers, one ticker for all heartbeats, answers to what one
// read brought in one write.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/sio-edge/sio-edge/bench/peers/faked"
)

var upgrader = websocket.Upgrader{WriteBufferPool: new(sync.Pool), CheckOrigin: func(*http.Request) bool { return true }}

// server is all connections.
type server struct {
	ping time.Duration

	mu    sync.Mutex // guards the following
	conns []*conn
}

// conn is one connection. Its writes are kept while the reader has more to handle.
type conn struct {
	net.Conn
	ws   *websocket.Conn
	read *bufio.Reader

	mu   sync.Mutex // one writer at a time
	held bytes.Buffer
	hold bool
}

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address for clients")
	ping := flag.Duration("ping-interval", 25*time.Second, "time between heartbeats")
	flag.Parse()
	s := &server{ping: *ping}
	go s.heartbeat() // until the process ends
	log.Fatal(http.ListenAndServe(*listen, s))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := new(conn)
	ws, err := upgrader.Upgrade(hijacker{w, c}, r, nil)
	if err != nil {
		return
	}
	c.ws = ws
	go s.serve(c) // on a fresh stack; net/http's ends with its buffers
}

func (s *server) serve(c *conn) {
	c.write(faked.Handshake(s.ping))
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	defer s.remove(c)
	var answer []byte
	for {
		_, packet, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		var everyone []byte
		if answer, everyone = faked.Answer(answer[:0], packet); everyone != nil {
			s.broadcast(everyone)
		}
		c.mu.Lock()
		c.hold = true
		if len(answer) > 0 {
			c.ws.WriteMessage(websocket.TextMessage, answer)
		}
		if c.hold = c.read.Buffered() > 0; !c.hold {
			c.release()
		}
		c.mu.Unlock()
	}
}

func (s *server) remove(c *conn) {
	c.ws.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns[i] = s.conns[len(s.conns)-1]
		s.conns = s.conns[:len(s.conns)-1]
	}
}

func (s *server) broadcast(packet []byte) {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, packet)
	if err != nil {
		return
	}
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		c.ws.WritePreparedMessage(m)
		c.release()
		c.mu.Unlock()
	}
}

func (s *server) heartbeat() {
	for range time.Tick(s.ping) {
		s.broadcast(faked.Ping)
	}
}

func (c *conn) write(packet []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws.WriteMessage(websocket.TextMessage, packet)
}

// Write implements net.Conn for gorilla.
func (c *conn) Write(b []byte) (int, error) {
	if c.hold {
		return c.held.Write(b)
	}
	return c.Conn.Write(b)
}

func (c *conn) release() {
	if c.held.Len() > 0 {
		c.Conn.Write(c.held.Bytes())
		c.held = bytes.Buffer{}
	}
}

// hijacker gives gorilla the connection that holds writes, and a reader that tells what it has.
type hijacker struct {
	http.ResponseWriter
	c *conn
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := h.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.c.Conn, h.c.read = nc, bufio.NewReaderSize(nc, 1024)
	return h.c, bufio.NewReadWriter(h.c.read, rw.Writer), nil
}
