package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// client is one Socket.IO client as far as recovery is concerned: it keeps the pid of its last
// CONNECT reply and the last argument of every event without a callback, if that is a string,
// and sends both when it connects. It does not forget the offset with the session: the stock
// client does not either.
type client struct {
	pool *pool
	id   int
	gone chan struct{} // closed when the client has said goodbye

	mu      sync.Mutex // guards the following, and writing to ws
	ws      *websocket.Conn
	joined  bool // on ws
	leaving bool
	life    int // counts the calls of live; the last one has the client
	pid     string
	offset  string
	sid     string
	early   [][]byte         // events that came before the CONNECT reply
	k       int              // the last event
	waits   map[int]struct{} // events whose callbacks may still be called
}

// live connects again and again until the client has said goodbye or goes on elsewhere.
func (c *client) live(life int) {
	failures := 0
	for {
		opened := c.connect()
		c.mu.Lock()
		over := c.leaving || c.life != life
		c.mu.Unlock()
		if over {
			return
		}
		if opened {
			failures = 0
		}
		// The stock client's back-off: doubled, spread by half, at most five times the first.
		first := float64(c.pool.plan.Backoff)
		wait := min(first*float64(int(1)<<min(failures, 10))*(0.5+rand.Float64()), 5*first)
		failures++
		select {
		case <-time.After(time.Duration(wait)):
		case <-c.gone:
			return
		}
	}
}

// connect runs one connection to its end and says whether its transport was opened.
func (c *client) connect() bool {
	dialer := websocket.Dialer{HandshakeTimeout: 20 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 512,
		NetDialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+c.id%200))}}).DialContext}
	ws, _, err := dialer.Dial("ws://"+c.pool.addr+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return false
	}
	defer ws.Close()
	if _, _, err := ws.ReadMessage(); err != nil { // the handshake
		return false
	}
	if !c.begin(ws) {
		return true
	}
	for {
		// A heartbeat that does not come is a lost connection, as for the stock client.
		ws.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
		_, m, err := ws.ReadMessage()
		if err != nil {
			break
		}
		c.receive(ws, m)
	}
	c.end(ws)
	return true
}

// begin makes ws the client's connection and asks for its session.
func (c *client) begin(ws *websocket.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return false
	}
	c.ws, c.joined, c.early, c.waits = ws, false, nil, make(map[int]struct{})
	auth := map[string]any{"c": c.id}
	if c.pid != "" {
		auth["pid"] = c.pid
		if c.offset != "" {
			auth["offset"] = c.offset
		}
	}
	text, _ := json.Marshal(auth) // plain data
	c.pool.log.add("try", "%d %s", c.id, orDash(c.pid))
	return c.writeLocked("40" + string(text))
}

func (c *client) end(ws *websocket.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws == ws {
		c.ws, c.joined = nil, false
		c.pool.log.add("lost", "%d", c.id)
	}
}

func (c *client) writeLocked(text string) bool {
	c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return c.ws.WriteMessage(websocket.TextMessage, []byte(text)) == nil
}

func (c *client) receive(ws *websocket.Conn, m []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != ws {
		// The connection has lost the session to a newer one. The edge may not know at once.
		if c.joined && len(m) > 1 && string(m[:2]) == "42" {
			if name, args := eventOf(m[2:]); name == "n" && len(args) >= 3 {
				c.pool.log.add("stale", "%d %s %s %s", c.id, args[0], args[1], args[2])
			}
		}
		return
	}
	switch {
	case string(m) == "2":
		c.writeLocked("3")
	case len(m) < 2 || m[0] != '4':
		// noop, close: nothing to do
	case m[1] == '0':
		c.welcomeLocked(m[2:])
	case m[1] == '2' && !c.joined:
		c.early = append(c.early, m)
	case m[1] == '2':
		c.eventLocked(m[2:])
	case m[1] == '3':
		c.answerLocked(m[2:])
	default:
		c.pool.log.add("odd", "%d received %.80q", c.id, m)
	}
}

func (c *client) welcomeLocked(m []byte) {
	var reply struct{ SID, PID string }
	if json.Unmarshal(m, &reply) != nil || reply.SID == "" || reply.PID == "" {
		c.pool.log.add("odd", "%d was welcomed with %.80q", c.id, m)
	}
	c.sid, c.pid, c.joined = reply.SID, reply.PID, true
	c.pool.log.add("on", "%d %s %s", c.id, c.sid, c.pid)
	for _, early := range c.early {
		c.eventLocked(early[2:])
	}
	c.early = nil
}

func (c *client) eventLocked(m []byte) {
	id := 0
	for id < len(m) && m[id] >= '0' && m[id] <= '9' {
		id++
	}
	name, args := eventOf(m[id:])
	if name != "n" || len(args) < 4 {
		c.pool.log.add("odd", "%d received event %.80q", c.id, m)
		return
	}
	if string(args[3]) != strconv.Quote(pad(string(args[0])+string(args[1])+string(args[2]))) {
		c.pool.log.add("odd", "%d received event %.80q with another content", c.id, m)
	}
	c.pool.log.add("got", "%d %s %s %s", c.id, args[0], args[1], args[2])
	if id > 0 {
		c.writeLocked("43" + string(m[:id]) + "[" + string(args[2]) + "]")
		return
	}
	if last := args[len(args)-1]; last[0] == '"' {
		json.Unmarshal(last, &c.offset)
	}
}

func (c *client) answerLocked(m []byte) {
	var k, answer int
	if n, err := fmt.Sscanf(string(m), "%d[%d]", &k, &answer); n != 2 || err != nil || k != answer {
		c.pool.log.add("odd", "%d event was answered with %.80q", c.id, m)
		return
	}
	if _, waiting := c.waits[k]; !waiting {
		c.pool.log.add("odd", "%d event %d was answered twice or on another connection", c.id, k)
	}
	delete(c.waits, k)
	c.pool.log.add("ack", "%d %d", c.id, k)
}

// emit sends the client's next event, if it is connected.
func (c *client) emit(ack bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joined || c.ws == nil || c.leaving {
		return
	}
	c.k++
	id := ""
	if ack {
		id = strconv.Itoa(c.k)
		c.waits[c.k] = struct{}{}
	}
	c.pool.log.add("up", "%d %d %d", c.id, c.k, len(id[:min(len(id), 1)]))
	c.writeLocked(fmt.Sprintf(`42%s["say",%d,%d,%q]`, id, c.id, c.k, pad(fmt.Sprint(c.id, c.k))))
}

// cut breaks the connection as a network does.
func (c *client) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		c.ws.UnderlyingConn().Close()
	}
}

// vanish leaves the connection half open: the client goes on with another one and the edge is
// not told. What the old one still sends afterwards must reach nobody.
func (c *client) vanish() {
	c.mu.Lock()
	old := c.ws
	if old == nil || !c.joined || c.leaving {
		c.mu.Unlock()
		return
	}
	c.ws, c.joined = nil, false
	c.pool.log.add("lost", "%d", c.id)
	c.life++
	life := c.life
	c.mu.Unlock()
	c.pool.running.Go(func() { c.live(life) })
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		back := c.joined
		c.mu.Unlock()
		if back {
			old.SetWriteDeadline(time.Now().Add(time.Second))
			old.WriteMessage(websocket.TextMessage, []byte(fmt.Sprintf(`42["ghost",%d,0]`, c.id)))
			break
		}
	}
	time.Sleep(time.Second)
	old.Close()
}

// leave ends the session and begins another, as an application that calls disconnect and connect:
// the stock client shows the pid of the session that it has ended.
func (c *client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || !c.joined {
		return
	}
	c.pool.log.add("leave", "%d", c.id)
	c.writeLocked("41")
	c.ws.Close()
}

// bye ends the session for good.
func (c *client) bye() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || !c.joined {
		return
	}
	c.leaving = true
	c.pool.log.add("bye", "%d", c.id)
	c.writeLocked("41")
	close(c.gone)
	c.ws.Close()
}

// eventOf is the name of an event and its arguments as they came.
func eventOf(m []byte) (string, []json.RawMessage) {
	var args []json.RawMessage
	var name string
	if json.Unmarshal(m, &args) != nil || len(args) == 0 || json.Unmarshal(args[0], &name) != nil {
		return "", nil
	}
	return name, args[1:]
}

// pad is some text that depends on s, so that contents cannot be mixed up unseen.
func pad(s string) string {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return strconv.FormatUint(h, 36) + "-" + strconv.FormatUint(h*0x9e3779b97f4a7c15, 36)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
