package engineio

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

type opened struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

func parseOpen(t testing.TB, packet string) opened {
	t.Helper()
	var o opened
	if !strings.HasPrefix(packet, "0{") || json.Unmarshal([]byte(packet[1:]), &o) != nil {
		t.Fatalf("not an open packet: %q", packet)
	}
	return o
}

// poll opens a polling session and returns its sid, with the query every request repeats.
func (e *edge) poll() (sid, query string) {
	e.t.Helper()
	_, body := e.do("GET", "EIO=4&transport=polling", "")
	sid = parseOpen(e.t, body).SID
	return sid, "EIO=4&transport=polling&sid=" + sid
}

// client is a WebSocket client that can do what no library would.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	text string // of the 101 response
}

const upgradeRequest = "GET /socket.io/?%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"

// dial opens a WebSocket without reading its first frame; ahead goes out with the request.
func (e *edge) dial(query string, ahead []byte, lines ...string) *client {
	e.t.Helper()
	nc, err := e.dialer()
	if err != nil {
		e.t.Fatal(err)
	}
	return newClient(e.t, nc, query, ahead, lines...)
}

func newClient(t testing.TB, nc net.Conn, query string, ahead []byte, lines ...string) *client {
	t.Helper()
	c := &client{t: t, conn: nc, in: bufio.NewReader(nc)}
	t.Cleanup(func() { nc.Close() })
	extra := ""
	for _, l := range lines {
		extra += l + "\r\n"
	}
	c.send(append([]byte(fmt.Sprintf(upgradeRequest, query, "edge.test", extra)), ahead...))
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatalf("reading the response: %v after %q", err, c.text)
		}
		c.text += line
		if line == "\r\n" {
			return c
		}
	}
}

// ws opens a session on a WebSocket.
func (e *edge) ws() (*client, opened) {
	e.t.Helper()
	c := e.dial("EIO=4&transport=websocket", nil)
	return c, parseOpen(e.t, c.read())
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Logf("send: %v", err)
	}
}

func (c *client) say(packets ...string) {
	c.t.Helper()
	var b []byte
	for _, p := range packets {
		b = append(b, frame(0x81, []byte(p))...)
	}
	c.send(b)
}

// frame is one masked frame.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	for i, x := range payload {
		b = append(b, x^key[i&3])
	}
	return b
}

// next reads one frame.
func (c *client) next() (first byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(c.in, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(h[1])
	switch n {
	case 126:
		var l [2]byte
		io.ReadFull(c.in, l[:])
		n = int(binary.BigEndian.Uint16(l[:]))
	case 127:
		var l [8]byte
		io.ReadFull(c.in, l[:])
		n = int(binary.BigEndian.Uint64(l[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.in, payload)
	return h[0], payload, err
}

// read reads one text or binary frame.
func (c *client) read() string {
	c.t.Helper()
	first, payload, err := c.next()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if first != 0x81 && first != 0x82 {
		c.t.Fatalf("read a frame %#x %q, want a message", first, payload)
	}
	return string(payload)
}

func (c *client) want(packets ...string) {
	c.t.Helper()
	for _, p := range packets {
		if got := c.read(); got != p {
			c.t.Fatalf("read %.60q, want %.60q", got, p)
		}
	}
}

// wantClose expects a close frame with the code, 1005 for none, then the end. It closes too.
func (c *client) wantClose(code int) {
	c.t.Helper()
	for {
		first, payload, err := c.next()
		if err != nil {
			c.t.Fatalf("no close frame: %v", err)
		}
		if first != 0x88 {
			c.t.Logf("before the close frame: %#x %.40q", first, payload)
			continue
		}
		got := 1005
		if len(payload) >= 2 {
			got = int(binary.BigEndian.Uint16(payload))
		}
		if got != code {
			c.t.Errorf("close code %d %q, want %d", got, payload[2:], code)
		}
		break
	}
	c.send(frame(0x88, nil))
	rest, err := io.ReadAll(c.in)
	if len(rest) > 0 {
		c.t.Errorf("after the close frame: %q", rest)
	}
	if err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Errorf("after the close frame: %v", err)
	}
}
