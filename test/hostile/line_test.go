package hostile

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait, and slack is how late the edge may be with what has a time: both are generous, for
// the machine may be busy.
const (
	patience = 60 * time.Second
	slack    = 10 * time.Second
)

// line is one TCP connection of a client.
type line struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

func (e *edge) dial(t *testing.T) *line { t.Helper(); return e.dialFrom(t, "127.0.0.1") }

// dialFrom comes from another address of the loopback network.
func (e *edge) dialFrom(t *testing.T, ip string) *line {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c, err := d.Dial("tcp", e.clients)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &line{c.(*net.TCPConn), t, bufio.NewReader(c)}
}

// send writes all it can: the edge may have closed before it was read.
func (l *line) send(b string) {
	l.t.Helper()
	if _, err := io.WriteString(l.TCPConn, b); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		l.t.Errorf("send: %v", err)
	}
}

// reply is a response that was read to its end.
type reply struct {
	status int
	body   string
	header http.Header
	last   bool // the connection ends behind it
}

// response reads the answer to a request of that method.
func (l *line) response(method string) reply {
	l.t.Helper()
	resp, err := http.ReadResponse(l.in, &http.Request{Method: method})
	if err != nil {
		l.t.Fatalf("no response: %v", err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return reply{status: resp.StatusCode, header: resp.Header}
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatalf("response of %s: %v after %.100q", resp.Status, err, b)
	}
	return reply{resp.StatusCode, string(b), resp.Header, resp.Close}
}

// wantEnd fails unless the edge has closed the connection, or does, without another word.
func (l *line) wantEnd() {
	l.t.Helper()
	b, err := io.ReadAll(io.LimitReader(l.in, 1<<10))
	if len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		l.t.Errorf("got %q and %v, want the end", b, err)
	}
}

// request writes the head of a request to Engine.IO, a body behind it, and returns both.
func request(method, query, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s /socket.io/?%s HTTP/1.1\r\nHost: edge.test\r\n", method, query)
	for _, h := range header {
		b.WriteString(h + "\r\n")
	}
	if body != "" || method == "POST" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

const (
	pollingQuery   = "EIO=4&transport=polling"
	webSocketQuery = "EIO=4&transport=websocket"
)

// wsHeader asks for a WebSocket.
var wsHeader = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

// opening makes the head of a WebSocket handshake.
func opening(query string, header ...string) string {
	return request("GET", query, "", append(wsHeader[:len(wsHeader):len(wsHeader)], header...)...)
}

// ask sends a request on a connection of its own.
func (e *edge) http(t *testing.T, method, query, body string, header ...string) reply {
	t.Helper()
	l := e.dial(t)
	defer l.Close()
	l.send(request(method, query, body, header...))
	return l.response(method)
}

// webSocket opens a session on a WebSocket, joined to "/" if so. The frame that the handshake
// answers with is read.
func (e *edge) webSocket(t *testing.T, join bool) *line {
	t.Helper()
	l := e.dial(t)
	l.send(opening(webSocketQuery))
	if r := l.response("GET"); r.status != http.StatusSwitchingProtocols {
		t.Fatalf("no WebSocket: %d %s", r.status, r.body)
	}
	sidOf(t, l.packet())
	if join {
		l.say("40")
		l.wantPacket(`40{"sid":"`)
	}
	return l
}

// polling is a session that requests carry.
type polling struct {
	t     *testing.T
	e     *edge
	sid   string
	query string
}

func (e *edge) polling(t *testing.T, join bool) polling {
	t.Helper()
	r := e.http(t, "GET", pollingQuery, "")
	sid := sidOf(t, r.body)
	p := polling{t, e, sid, pollingQuery + "&sid=" + sid}
	if join {
		p.post("40").want(t, 200, "ok")
		p.get().want(t, 200, `40{"sid":"*`)
	}
	return p
}

func (p polling) get() reply { p.t.Helper(); return p.e.http(p.t, "GET", p.query, "") }

func (p polling) post(body string, header ...string) reply {
	p.t.Helper()
	return p.e.http(p.t, "POST", p.query, body, header...)
}

// wantGone fails unless the session is over: nobody knows its sid.
func (p polling) wantGone() {
	p.t.Helper()
	p.get().want(p.t, 400, sessionUnknown)
}

const sessionUnknown = `{"code":1,"message":"Session ID unknown"}`

// want checks a response; a body that ends in * is a beginning.
func (r reply) want(t *testing.T, status int, body string) {
	t.Helper()
	begin, open := strings.CutSuffix(body, "*")
	if r.status != status || open && !strings.HasPrefix(r.body, begin) || !open && r.body != body {
		t.Fatalf("got %d %.200q, want %d %.200q", r.status, r.body, status, body)
	}
}

// sidOf reads an open packet.
func sidOf(t *testing.T, packet string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(packet, `0{"sid":"`)
	if !ok {
		t.Fatalf("got %.200q, want an open packet", packet)
	}
	sid, _, _ := strings.Cut(rest, `"`)
	return sid
}

// Opcodes of WebSocket frames with FIN.
const (
	text        = 0x81
	binaryFrame = 0x82
	closing     = 0x88
	ping        = 0x89
	pong        = 0x8a
)

// frame is one frame of a client. The first byte has FIN, RSV and opcode.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary16(append(b, 0x80|126), n)
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

func binary16(b []byte, n int) []byte { return binary.BigEndian.AppendUint16(b, uint16(n)) }

// bin is a binary message among packets: what follows it.
const bin = "\x00"

// say sends packets, each as a frame.
func (l *line) say(packets ...string) {
	l.t.Helper()
	var b strings.Builder
	for _, p := range packets {
		if rest, ok := strings.CutPrefix(p, bin); ok {
			b.WriteString(frame(binaryFrame, rest))
		} else {
			b.WriteString(frame(text, p))
		}
	}
	l.send(b.String())
}

// frame reads one frame.
func (l *line) frame() (first byte, payload string, err error) {
	var h [10]byte
	if _, err := io.ReadFull(l.in, h[:2]); err != nil {
		return 0, "", err
	}
	n := uint64(h[1])
	switch n {
	case 126:
		io.ReadFull(l.in, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		io.ReadFull(l.in, h[2:10])
		n = binary.BigEndian.Uint64(h[2:])
	}
	b := make([]byte, n)
	_, err = io.ReadFull(l.in, b)
	return h[0], string(b), err
}

// packet reads the next message, as a polling payload would show it, and answers heartbeats.
func (l *line) packet() string {
	l.t.Helper()
	for {
		first, payload, err := l.frame()
		switch {
		case err != nil:
			l.t.Fatalf("no packet: %v", err)
		case first == text && payload == "2":
			l.say("3")
		case first == text:
			return payload
		case first == binaryFrame:
			return "b" + base64.StdEncoding.EncodeToString([]byte(payload))
		case first == closing:
			l.t.Fatalf("no packet: a close frame %q", payload)
		}
	}
}

// wantPacket reads a packet that begins so.
func (l *line) wantPacket(begin string) string {
	l.t.Helper()
	p := l.packet()
	if !strings.HasPrefix(p, begin) {
		l.t.Fatalf("got %.200q, want %.200q…", p, begin)
	}
	return p
}

// wantClose reads on to a close frame with the code, 1005 for none, answers it, and wants the end.
// It returns the messages before it.
func (l *line) wantClose(code int) (before []string) {
	l.t.Helper()
	for {
		first, payload, err := l.frame()
		if err != nil {
			l.t.Fatalf("no close frame: %v after %.200q", err, before)
		}
		if first != closing {
			if first == text || first == binaryFrame {
				before = append(before, payload)
			}
			continue
		}
		got := 1005
		if len(payload) >= 2 {
			got = int(binary.BigEndian.Uint16([]byte(payload)))
		}
		if got != code {
			l.t.Errorf("close code %d %q, want %d", got, payload, code)
		}
		l.send(frame(closing, ""))
		l.wantEnd()
		return before
	}
}

// wantAlive fails unless the session goes on: the backend answers.
func (l *line) wantAlive() {
	l.t.Helper()
	l.say(`4299["echo","alive"]`)
	for {
		if p := l.packet(); p == `4399["alive"]` {
			return
		} else if !strings.HasPrefix(p, "42") {
			l.t.Fatalf("got %.200q, want to be answered", p)
		}
	}
}

// wantAlive is the same for a polling session.
func (p polling) wantAlive() {
	p.t.Helper()
	p.post(`4299["echo","alive"]`).want(p.t, 200, "ok")
	for range 10 {
		r := p.get()
		if r.status != 200 {
			p.t.Fatalf("got %d %.200q, want to be answered", r.status, r.body)
		}
		if strings.Contains(r.body, `4399["alive"]`) {
			return
		}
	}
	p.t.Fatal("not answered")
}
