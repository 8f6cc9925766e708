package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// greeting is what the conformance backend emits to whoever connects.
var greeting = []byte(`42["auth"`)

// patience is how long a client waits for a connection and each step to its namespace.
const patience = 20 * time.Second

// conn is one client: a WebSocket that has joined "/".
type conn struct {
	fd     int
	id     int
	in     []byte  // of a frame that is not complete
	out    []byte  // not written yet; with TLS, not encrypted yet
	tls    *sealed // nil without
	armed  bool    // waits for room to write
	closed bool
	asked  *asked   // of echo
	next   uint64   // of broadcast: the number that comes next
	rooms  []member // of rooms
}

// openWebSocket opens a WebSocket, for the session called sid if there is one already.
func openWebSocket(t Target, sid string) (net.Conn, *bufio.Reader, error) {
	c, err := t.connect()
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.Write(upgradeRequest(t, sid)); err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("open websocket: %w", err)
	}
	r := bufio.NewReaderSize(c, 1024)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("open websocket: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		c.Close()
		return nil, nil, fmt.Errorf("open websocket: %s", resp.Status)
	}
	return c, r, nil
}

func upgradeRequest(t Target, sid string) []byte {
	query := "EIO=4&transport=websocket"
	if sid != "" {
		query += "&sid=" + sid
	}
	return fmt.Appendf(nil, "GET %s?%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", t.Path, query, t.Addr)
}

// expect waits for a packet that begins with prefix.
func expect(r *bufio.Reader, prefix string) (string, error) {
	m, err := readFrame(r)
	if err != nil {
		return "", fmt.Errorf("await %s: %w", prefix, err)
	}
	if !strings.HasPrefix(m, prefix) {
		return "", fmt.Errorf("await %s: got %.100q", prefix, m)
	}
	return m, nil
}

// dial opens a WebSocket and joins "/".
func dial(t Target) (net.Conn, *bufio.Reader, error) {
	c, r, err := openWebSocket(t, "")
	if err != nil {
		return nil, nil, err
	}
	if _, err = expect(r, "0{"); err == nil {
		if _, err = c.Write(appendFrame(nil, opText, []byte("40"+t.Auth))); err == nil {
			_, err = expect(r, "40")
		}
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, r, nil
}

// take hands a connection's descriptor over, with its TLS, if it has that, and with what was read
// beyond its last packet.
func take(c net.Conn, r *bufio.Reader) (fd int, seal *sealed, rest []byte, err error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		seal = c.(*sealed)
		tcp = seal.below.Conn.(*net.TCPConn)
	}
	defer tcp.Close()
	peeked, _ := r.Peek(r.Buffered())
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, nil, nil, err
	}
	var dupErr error
	if err := raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return 0, nil, nil, err
	}
	if seal != nil {
		seal.move(fd)
	}
	return fd, seal, append([]byte(nil), peeked...), dupErr
}

// read takes what is there and hands each message to the scenario.
func (l *load) read(c *conn) error {
	if c.tls == nil {
		n, errno := nonblock.Recv(c.fd, l.buf)
		switch {
		case errno == unix.EAGAIN:
			return nil
		case errno != 0:
			return os.NewSyscallError("recvfrom", errno)
		case n == 0:
			return io.EOF
		}
		if err := l.messages(c, l.buf[:n]); err != nil {
			return err
		}
		return l.flush(c)
	}
	for { // until TLS holds nothing back, which epoll would not know of
		n, err := c.tls.Read(l.buf)
		if merr := l.messages(c, l.buf[:n]); merr != nil {
			return merr
		}
		if err == errNotNow {
			return l.flush(c)
		}
		if err != nil {
			return err
		}
	}
}

// messages hands each message to the scenario. b is what has arrived.
func (l *load) messages(c *conn, b []byte) error {
	if len(c.in) > 0 {
		b = append(c.in, b...)
	}
	for {
		op, payload, n := parseFrame(b)
		if n == 0 {
			break
		}
		b = b[n:]
		switch {
		case op == opClose:
			return io.EOF
		case op == opPing:
			c.out = appendFrame(c.out, opPong, payload)
		case op == opText && len(payload) == 1 && payload[0] == '2':
			c.out = appendFrame(c.out, opText, []byte("3"))
			l.heartbeats++
		case op == opText && bytes.HasPrefix(payload, greeting):
			// no answer
		default:
			l.doing.message(l, c, op, payload)
		}
	}
	c.in = nil
	if len(b) > 0 {
		c.in = append(c.in, b...)
	}
	return nil
}

// flush writes what waits, with one system call.
func (l *load) flush(c *conn) error {
	if c.closed {
		return nil
	}
	out := &c.out
	if c.tls != nil {
		if len(c.out) > 0 {
			if _, err := c.tls.Write(c.out); err != nil {
				return err
			}
			c.out = c.out[:0]
		}
		out = &c.tls.below.out
	}
	if len(*out) == 0 {
		return nil
	}
	n, errno := nonblock.Send(c.fd, *out, 0)
	if errno != 0 && errno != unix.EAGAIN {
		return os.NewSyscallError("sendto", errno)
	}
	*out = (*out)[n:]
	wait := len(*out) > 0
	if !wait {
		*out = (*out)[:0]
	}
	if wait == c.armed {
		return nil
	}
	c.armed = wait
	events := uint32(unix.EPOLLIN)
	if wait {
		events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.id)}))
}
