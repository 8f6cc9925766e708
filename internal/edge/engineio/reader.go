package engineio

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// frameReader is a gorilla connection that reads from memory: it is handed the bytes of one
// complete message, or of one control frame, removes the mask and checks them against RFC 6455.
// Between messages it holds nothing of a client, so that a few of them serve all connections.
type frameReader struct {
	ws     *websocket.Conn
	memory memory
	ping   []byte // payload of the ping that was read
	pinged bool
	one    [1]byte
}

// terminator is an empty message behind a control frame: without it gorilla would go on reading
// for a message, and a reader that once met the end of its input cannot be used again.
var terminator = []byte{finBinary, 0x80, 0, 0, 0, 0}

// readers are per Server: a connection made in one synctest bubble must not get into another.
type readers struct{ pool sync.Pool }

func (p *readers) get() *frameReader {
	if r, ok := p.pool.Get().(*frameReader); ok {
		return r
	}
	return newFrameReader()
}

// newFrameReader performs an upgrade over memory, for want of another way to such a connection.
func newFrameReader() *frameReader {
	r := &frameReader{}
	request := &http.Request{Method: http.MethodGet, Header: http.Header{
		"Connection": {"upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}}
	u := websocket.Upgrader{ReadBufferSize: 4096, WriteBufferPool: &sync.Pool{}, CheckOrigin: anyOrigin}
	ws, err := u.Upgrade(&memoryResponse{memory: &r.memory}, request, nil)
	if err != nil {
		panic("engineio: upgrade over memory: " + err.Error()) // the request above is wrong
	}
	r.memory.out = nil
	ws.SetPingHandler(func(payload string) error {
		r.ping, r.pinged = append(r.ping[:0], payload...), true
		return nil
	})
	ws.SetPongHandler(func(string) error { return nil })
	r.ws = ws
	return r
}

func anyOrigin(*http.Request) bool { return true } // checked before, for every transport

// read handles the frames of one message of n bytes, or a control frame with the terminator
// behind it. It reports whether the connection may go on.
func (c *conn) read(frames []byte, n int, behind []byte) bool {
	pool := &c.sock.server.readers
	r := pool.get()
	r.memory.in, r.memory.behind = frames, behind
	typ, data, err := r.message(n)
	r.memory.in, r.memory.behind = nil, nil
	if err != nil {
		return c.rejected(err, r.memory.out) // and the reader is dropped
	}
	if r.pinged {
		r.pinged = false
		c.answerPing(r.ping)
	}
	pool.pool.Put(r)
	if behind != nil {
		return true
	}
	if typ == websocket.TextMessage && !utf8.Valid(data) {
		return c.invalidText()
	}
	return c.message(typ == websocket.BinaryMessage, data)
}

func (r *frameReader) message(n int) (typ int, data []byte, err error) {
	typ, body, err := r.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(body, data); err != nil {
		return 0, nil, err
	}
	if _, err := body.Read(r.one[:]); err != io.EOF {
		return 0, nil, errors.New("message is longer than its frames say")
	}
	return typ, data, nil
}

// rejected ends the connection after gorilla refused a frame, or met a close frame, with the close
// frame it answered.
func (c *conn) rejected(err error, answer []byte) bool {
	if answer == nil {
		answer = closeFrame(websocket.CloseProtocolError, "")
	}
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		return c.fail("protocol", answer, TransportError)
	}
	return c.farewell(answer)
}

// usualClose returns the answer to a close frame as clients send it: without a payload, or with a
// code that browsers have for it and no reason. A gorilla reader that has met a close frame cannot
// be used again, and making one for each client that leaves was a fifth of what a visit allocates.
// Any other frame is for gorilla: nil.
func usualClose(frame []byte, h frameHeader) []byte {
	switch h.payload {
	case 0:
		return emptyClose
	case 2:
		mask, payload := frame[h.size-4:h.size], frame[h.size:]
		code := uint16(payload[0]^mask[0])<<8 | uint16(payload[1]^mask[1])
		if code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway {
			return closeFrame(code, "")
		}
	}
	return nil
}

// pong is the text of an Engine.IO pong.
var pong = []byte("3")

// usualPong says whether a frame, which is a message, is a pong: what a client that does nothing
// else sends, and nothing that gorilla has to look at.
func usualPong(frame []byte, h frameHeader) bool {
	return h.opcode == opText && h.payload == 1 && frame[h.size]^frame[h.size-4] == pong[0]
}

// farewell answers the client's close frame. It returns false: the connection may not go on.
func (c *conn) farewell(answer []byte) bool {
	s := c.sock
	s.mu.Lock()
	c.peerDone = true
	c.failLocked(answer, TransportClose)
	if c.finished {
		c.doomLocked()
	}
	s.mu.Unlock()
	return false
}

// maxPongs is how many pings that arrived together are answered each.
const maxPongs = 10

// answerPing queues a pong. Of more than maxPongs pings that arrived together the last is answered
// in place of those before it (RFC 6455, section 5.5.3).
func (c *conn) answerPing(payload []byte) {
	s := c.sock
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closing || c.bye != nil || c.doomed {
		return
	}
	if c.pongs == maxPongs {
		c.ctl = c.ctl[:c.pongAt]
	} else {
		c.pongAt, c.pongs = len(c.ctl), c.pongs+1
	}
	c.ctl = append(appendFrameHeader(c.ctl, finPong, len(payload)), payload...)
}

// memory is a network connection without a network.
type memory struct {
	in, behind []byte
	out        []byte
}

// Read implements net.Conn: the end is where what was handed over ends.
func (m *memory) Read(b []byte) (int, error) {
	n := copy(b, m.in)
	m.in = m.in[n:]
	if len(m.in) == 0 {
		k := copy(b[n:], m.behind)
		m.behind = m.behind[k:]
		n += k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn: it keeps the frames gorilla answers with.
func (m *memory) Write(b []byte) (int, error) {
	m.out = append(m.out, b...)
	return len(b), nil
}

// Close and the methods below are there for net.Conn and do nothing.
func (m *memory) Close() error                     { return nil }
func (m *memory) LocalAddr() net.Addr              { return nil }
func (m *memory) RemoteAddr() net.Addr             { return nil }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// memoryResponse is what gorilla upgrades: the answer to the client ends up in memory.out.
type memoryResponse struct {
	http.ResponseWriter // of the real request, if there is one, for refusals
	memory              *memory
}

// Hijack implements http.Hijacker.
func (w *memoryResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.memory, bufio.NewReadWriter(bufio.NewReaderSize(w.memory, 16), bufio.NewWriterSize(w.memory, 16)), nil
}
