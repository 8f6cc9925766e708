package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// herd is thousands of clients with the back-off and the recovery of the stock client, and little
// else: so many have room in one test.
type herd struct {
	url     string
	clients []*sheep
	live    sync.WaitGroup
	over    chan struct{} // closed by stop

	refused atomic.Int64 // answers 503
	failed  atomic.Int64 // attempts that ended otherwise
	slowest atomic.Int64 // longest that a 503 took, in nanoseconds
	pings   atomic.Int64
	longest atomic.Int64 // from one ping to the next on a connection, in nanoseconds
}

// sheep is one of them.
type sheep struct {
	id int

	mu      sync.Mutex // guards the following
	conn    net.Conn   // nil while it is away
	pid     string
	offset  string
	back    time.Time // when it was let in last
	resumed bool      // then: with the pid that it had
}

// newHerd lets n clients in and waits until all are.
func (p *process) newHerd(t *testing.T, n int) *herd {
	t.Helper()
	h := &herd{url: p.clients, over: make(chan struct{})}
	for id := range n {
		h.clients = append(h.clients, &sheep{id: id})
	}
	began := time.Now()
	for _, c := range h.clients {
		h.live.Go(func() { h.run(c) })
		if c.id%64 == 63 {
			time.Sleep(10 * time.Millisecond) // as people come
		}
	}
	t.Cleanup(h.stop)
	h.await(t, began, 60*time.Second)
	return h
}

func (h *herd) stop() {
	select {
	case <-h.over:
		return
	default:
	}
	close(h.over)
	h.cut()
	h.live.Wait()
}

// cut ends all connections at once, without a word, and returns when.
func (h *herd) cut() time.Time {
	at := time.Now()
	for _, c := range h.clients {
		c.mu.Lock()
		if c.conn != nil {
			tcp, ok := c.conn.(*net.TCPConn)
			if !ok {
				tcp = c.conn.(*tls.Conn).NetConn().(*net.TCPConn)
			}
			tcp.SetLinger(0)
			tcp.Close()
		}
		c.mu.Unlock()
	}
	return at
}

// await waits until everyone was let in after a moment, and says how long the last of them took,
// how long half of them, and how many resumed their sessions.
func (h *herd) await(t *testing.T, since time.Time, atMost time.Duration) (half, last time.Duration, resumed int) {
	t.Helper()
	for {
		var took []time.Duration
		resumed = 0
		for _, c := range h.clients {
			c.mu.Lock()
			if c.conn != nil && c.back.After(since) {
				took = append(took, c.back.Sub(since))
				if c.resumed {
					resumed++
				}
			}
			c.mu.Unlock()
		}
		if len(took) == len(h.clients) {
			s := sorted(took)
			return s[len(s)/2], s[len(s)-1], resumed
		}
		if time.Since(since) > atMost {
			t.Fatalf("%d of %d clients are in after %v; %d refused, %d failed otherwise", len(took), len(h.clients), atMost, h.refused.Load(), h.failed.Load())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// left counts those whose connections are not the ones that they had at a moment.
func (h *herd) left(at time.Time) (n int) {
	for _, c := range h.clients {
		c.mu.Lock()
		if c.conn == nil || c.back.After(at) {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// run connects again and again, with the stock client's back-off: doubled from a second to five,
// spread by half, cut at five.
func (h *herd) run(c *sheep) {
	for failures := 0; ; failures++ {
		if h.connect(c) {
			failures = 0
		}
		wait := min(float64(time.Second)*float64(int(1)<<min(failures, 10))*(0.5+rand.Float64()), float64(5*time.Second))
		select {
		case <-time.After(time.Duration(wait)):
		case <-h.over:
			return
		}
	}
}

// connect runs one connection to its end and says whether its transport was opened.
func (h *herd) connect(c *sheep) bool {
	began := time.Now()
	conn, r, err := dialSocket(h.url, c.id, 20*time.Second)
	switch {
	case errors.Is(err, errTurnedAway):
		h.refused.Add(1)
		h.slowest.Store(max(h.slowest.Load(), int64(time.Since(began))))
		return false
	case err != nil:
		h.failed.Add(1)
		return false
	}
	defer conn.Close()
	c.mu.Lock()
	c.conn = conn
	auth := ""
	if c.pid != "" {
		auth = fmt.Sprintf(`{"pid":%q,"offset":%q}`, c.pid, c.offset)
		if c.offset == "" {
			auth = fmt.Sprintf(`{"pid":%q}`, c.pid)
		}
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.conn = nil
		c.mu.Unlock()
	}()
	if sendFrame(conn, "40"+auth) != nil {
		return true
	}
	for pinged := time.Now(); ; {
		packet, err := readFrame(r)
		if err != nil {
			return true
		}
		switch {
		case packet == "2":
			sendFrame(conn, "3")
			h.pings.Add(1)
			now := time.Now()
			for gap := int64(now.Sub(pinged)); ; {
				if was := h.longest.Load(); gap <= was || h.longest.CompareAndSwap(was, gap) {
					break
				}
			}
			pinged = now
		case strings.HasPrefix(packet, "40{"):
			_, rest, _ := strings.Cut(packet, `"pid":"`)
			pid, _, _ := strings.Cut(rest, `"`)
			c.mu.Lock()
			c.resumed = c.pid == pid && pid != ""
			c.pid, c.back = pid, time.Now()
			c.mu.Unlock()
		case strings.HasPrefix(packet, "42["):
			if i := strings.LastIndex(packet, `,"`); i > 0 {
				c.mu.Lock()
				c.offset = strings.TrimSuffix(packet[i+2:], `"]`)
				c.mu.Unlock()
			}
		}
	}
}

// errTurnedAway is the answer 503.
var errTurnedAway = errors.New("503")

// tickets lets clients of TLS resume as browsers do.
var tickets = tls.NewLRUClientSessionCache(16)

// dialSocket opens a WebSocket from one of 200 addresses and reads its handshake.
func dialSocket(url string, id int, patience time.Duration) (net.Conn, *bufio.Reader, error) {
	scheme, addr, _ := strings.Cut(url, "://")
	d := net.Dialer{Timeout: patience, KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+id%200))}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	if scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "edge.test", ClientSessionCache: tickets})
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		conn.Close()
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 512)
	status := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			conn.Close()
			return nil, nil, err
		}
		if status == "" {
			status = line
		}
		if line == "\r\n" {
			break
		}
	}
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		conn.Close()
		if strings.HasPrefix(status, "HTTP/1.1 503 ") {
			return nil, nil, errTurnedAway
		}
		return nil, nil, errors.New(strings.TrimSpace(status))
	}
	if packet, err := readFrame(r); err != nil || !strings.HasPrefix(packet, "0{") {
		conn.Close()
		return nil, nil, fmt.Errorf("handshake: %.40q, %w", packet, err)
	}
	conn.SetDeadline(time.Time{})
	return conn, r, nil
}

// sendFrame sends a short packet. The mask is of zeros.
func sendFrame(conn net.Conn, packet string) error {
	b := []byte{0x81, 0x80 | byte(len(packet))}
	if n := len(packet); n > 125 {
		b = []byte{0x81, 0x80 | 126, byte(n >> 8), byte(n)}
	}
	conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	_, err := conn.Write(append(append(b, 0, 0, 0, 0), packet...))
	return err
}

// readFrame reads one frame; what follows a close frame does not matter.
func readFrame(r *bufio.Reader) (string, error) {
	var h [10]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return "", err
	}
	n := int(h[1])
	if more := map[int]int{126: 2, 127: 8}[n]; more > 0 {
		if _, err := io.ReadFull(r, h[2:2+more]); err != nil {
			return "", err
		}
		n = 0
		for _, b := range h[2 : 2+more] {
			n = n<<8 | int(b)
		}
	}
	if h[0]&0xf == 8 {
		return "", io.EOF
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}
