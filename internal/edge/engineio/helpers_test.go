package engineio

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// floor is the floor above: it records what it is told, and echoes.
type floor struct {
	mute bool
	open func(*Socket)
	hear func(s *Socket, binary bool, data []byte) // instead of the echo

	mu       sync.Mutex
	sockets  []*Socket
	messages []string
	reasons  []Reason
	upgraded []string // the transport at each Upgraded
	inside   map[*Socket]bool
	faults   []string
}

func (f *floor) enter(s *Socket) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inside == nil {
		f.inside = map[*Socket]bool{}
	}
	if f.inside[s] {
		f.faults = append(f.faults, "calls overlap")
	}
	f.inside[s] = true
	return func() {
		f.mu.Lock()
		f.inside[s] = false
		f.mu.Unlock()
	}
}

func (f *floor) Open(s *Socket) {
	defer f.enter(s)()
	f.mu.Lock()
	f.sockets = append(f.sockets, s)
	f.mu.Unlock()
	s.Peer = "open"
	if f.open != nil {
		f.open(s)
	}
}

func (f *floor) Message(s *Socket, binary bool, data []byte) {
	defer f.enter(s)()
	f.mu.Lock()
	if s.Peer != "open" {
		f.faults = append(f.faults, fmt.Sprintf("message while %v", s.Peer))
	}
	f.messages = append(f.messages, string(data))
	f.mu.Unlock()
	switch {
	case f.hear != nil:
		f.hear(s, binary, data)
	case f.mute:
	case binary:
		s.Queue(NewBinaryMessage(data), false)
	default:
		s.Queue(NewMessage(data, nil), false)
	}
	if !f.mute {
		s.Flush()
	}
}

func (f *floor) Upgraded(s *Socket) {
	defer f.enter(s)()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.upgraded = append(f.upgraded, s.Transport())
}

func (f *floor) upgrades() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.upgraded)
}

func (f *floor) Closed(s *Socket, r Reason) {
	defer f.enter(s)()
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Peer != "open" {
		f.faults = append(f.faults, fmt.Sprintf("closed while %v", s.Peer))
	}
	s.Peer = "closed"
	f.reasons = append(f.reasons, r)
}

func (f *floor) reasonsSoFar() []Reason {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Reason(nil), f.reasons...)
}

func (f *floor) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.messages...)
}

func (f *floor) last() *Socket {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sockets) == 0 {
		return nil
	}
	return f.sockets[len(f.sockets)-1]
}

// eventually polls a condition that real sockets make true some time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (f *floor) wantClosed(t testing.TB, want Reason) {
	t.Helper()
	eventually(t, "closed", func() bool { return len(f.reasonsSoFar()) > 0 })
	if got := f.reasonsSoFar(); len(got) != 1 || got[0] != want {
		t.Errorf("closed with %v, want [%v]", got, want)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// edge is a Server behind a listener.
type edge struct {
	t      testing.TB
	server *Server
	floor  *floor
	base   string
	rt     *http.Transport
	dialer func() (net.Conn, error)
	shut   func()
}

// wire is what lies between client and server.
type wire string

const (
	loopback wire = "epoll" // TCP
	hidden   wire = "net"   // TCP that the server cannot take a descriptor from
	sealing  wire = "tls"   // TLS over TCP
	inMemory wire = "pipe"  // for synctest
)

// usual is what newEdge puts between client and server: another for TestOverTLS.
var usual = flag.String("over", string(loopback), "what lies between client and server: epoll, net or tls")

// hiding keeps a *net.TCPConn from being recognised.
type hiding struct{ net.Listener }

func (l hiding) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ *net.TCPConn }{c.(*net.TCPConn)}, nil
}

// seals is a listener that speaks TLS and hands out what is beneath.
type seals struct {
	net.Listener
	config *tls.Config
}

func (l seals) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	carrier := NewCarrier(c)
	return sealedConn{tls.Server(carrier, l.config), carrier}, nil
}

// sealedConn is not a *tls.Conn to net/http, which would let nobody beneath it.
type sealedConn struct {
	net.Conn
	carrier *Carrier
}

func (c sealedConn) TLSConn() (*tls.Conn, *Carrier) { return c.Conn.(*tls.Conn), c.carrier }

// certificate is of nobody in particular, and the same for the whole run.
var certificate = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"edge.test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}}
})

// beneath is the TCP connection of a client.
func beneath(c net.Conn) *net.TCPConn {
	if c, ok := c.(*tls.Conn); ok {
		return c.NetConn().(*net.TCPConn)
	}
	return c.(*net.TCPConn)
}

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (l *pipes) dial() (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case l.conns <- b:
		return a, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func newEdge(t testing.TB, cfg Config, f *floor) *edge { return newEdgeOn(t, wire(*usual), cfg, f) }

func newEdgeOn(t testing.TB, over wire, cfg Config, f *floor) *edge {
	t.Helper()
	e := startEdge(t, over, cfg, f)
	t.Cleanup(e.stop)
	return e
}

// startEdge is newEdgeOn for synctest, where stop has to be called within the bubble.
func startEdge(t testing.TB, over wire, cfg Config, f *floor) *edge {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	known := Refusals()
	count := cfg.Refused
	cfg.Refused = func(layer, reason string) {
		if !slices.Contains(known[layer], reason) {
			t.Errorf("unknown refusal %s: %s", layer, reason)
		}
		if count != nil {
			count(layer, reason)
		}
	}
	if cfg.Budget == nil {
		cfg.Budget = budget.New(budget.Config{Limit: 1 << 30})
	}
	e := &edge{t: t, floor: f, server: NewServer(cfg, f, quiet), base: "http://edge.test"}
	var ln net.Listener
	if over == inMemory {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ln, e.dialer = l, l.dial
	} else {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln, e.dialer = tcp, func() (net.Conn, error) { return net.Dial("tcp", tcp.Addr().String()) }
		switch over {
		case hidden:
			ln = hiding{tcp}
		case sealing:
			ln = seals{tcp, certificate()}
			e.dialer = func() (net.Conn, error) {
				return tls.Dial("tcp", tcp.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			}
		}
	}
	e.rt = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return e.dialer() }}
	hs := &http.Server{Handler: e.server, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { hs.Serve(ln); close(served) }()
	e.shut = func() { hs.Close(); <-served }
	return e
}

// stop closes the server and checks what the floor above was told.
func (e *edge) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := e.server.Close(ctx); err != nil {
		e.t.Errorf("server does not close: %v", err)
	}
	e.rt.CloseIdleConnections()
	e.shut()
	f := e.floor
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) > 0 {
		e.t.Errorf("handler contract: %v", f.faults)
	}
	if len(f.reasons) != len(f.sockets) {
		e.t.Errorf("%d sockets opened, %d closed", len(f.sockets), len(f.reasons))
	}
	if n := e.server.Connections(); n != 0 {
		e.t.Errorf("%d connections left", n)
	}
	for i := range e.server.deadlines {
		if !e.server.deadlines[i].Empty() && due(i) != dueLastPoll {
			e.t.Errorf("a deadline of kind %d is left", i)
		}
	}
	for _, k := range budget.Kinds() {
		if n := e.server.config.Budget.Used(k); n != 0 {
			e.t.Errorf("%d bytes are left charged for %v", n, k)
		}
	}
	for i := range e.server.table {
		if n := len(e.server.table[i].sockets); n != 0 {
			e.t.Errorf("%d sockets left in the table", n)
		}
	}
}

// do sends a request and returns the response with its body read.
func (e *edge) do(method, query, body string, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.request(method, "/socket.io/?"+query, body, header...)
}

func (e *edge) request(method, target, body string, header ...string) (*http.Response, string) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.base+target, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := e.rt.RoundTrip(req)
	if err != nil {
		return &http.Response{Header: http.Header{}}, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Errorf("%s %s: body: %v", method, target, err)
	}
	return resp, string(b)
}

// want sends a request and compares status and body.
func (e *edge) want(status int, body, method, query, send string) {
	e.t.Helper()
	resp, got := e.do(method, query, send)
	if resp.StatusCode != status || got != body {
		e.t.Errorf("%s %s = %d %.80q, want %d %q", method, query, resp.StatusCode, got, status, body)
	}
}

// async sends a request whose answer takes its time.
func (e *edge) async(method, query, send string) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		resp, body := e.do(method, query, send)
		done <- answer{resp.StatusCode, body}
	}()
	return done
}

type answer struct {
	status int
	body   string
}

// raw sends a request byte by byte as given, and returns status and body.
func (e *edge) raw(method, target string, header []string) (int, string) {
	e.t.Helper()
	nc, err := e.dialer()
	if err != nil {
		e.t.Fatal(err)
	}
	defer nc.Close()
	b := method + " " + target + " HTTP/1.1\r\nHost: edge.test\r\n"
	closing := true
	for i := 0; i+1 < len(header); i += 2 {
		b += header[i] + ": " + header[i+1] + "\r\n"
		closing = closing && header[i] != "Connection"
	}
	if closing {
		b += "Connection: close\r\n"
	}
	if _, err := nc.Write([]byte(b + "\r\n")); err != nil {
		e.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		e.t.Fatalf("%s %.100s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Errorf("body: %v", err)
	}
	return resp.StatusCode, string(body)
}
