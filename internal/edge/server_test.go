package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is an Engine: it answers with what reached it, and holds requests of "/wait" until Close.
type echo struct {
	mu          sync.Mutex
	reached     []string
	gone        chan struct{} // one for each that the client left
	connections atomic.Int64
	waiting     chan struct{} // one for each request that waits
	closed      chan struct{} // closed by Close
	once        sync.Once
	hijacked    chan net.Conn
	early       chan string // what was buffered at the upgrade
}

func newEcho() *echo {
	return &echo{waiting: make(chan struct{}, 8), gone: make(chan struct{}, 8), closed: make(chan struct{}), hijacked: make(chan net.Conn, 1), early: make(chan string, 1)}
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	e.reached = append(e.reached, r.Method+" "+r.URL.Path)
	e.mu.Unlock()
	switch {
	case err != nil:
		w.Header().Set("Connection", "close")
		http.Error(w, "body", http.StatusBadRequest)
	case strings.HasSuffix(r.URL.Path, "/wait"):
		e.waiting <- struct{}{}
		select {
		case <-e.closed:
			io.WriteString(w, "closed")
		case <-r.Context().Done():
			e.gone <- struct{}{}
		}
	case strings.HasSuffix(r.URL.Path, "/panic"):
		panic("as asked")
	case strings.HasSuffix(r.URL.Path, "/whence"):
		fmt.Fprintf(w, "%s %s", r.RemoteAddr, r.URL.Scheme)
	case r.Header.Get("Upgrade") != "" && !strings.Contains(r.URL.Path, "/plain"):
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		early, _ := rw.Reader.Peek(rw.Reader.Buffered())
		e.early <- string(early)
		e.hijacked <- unwatched(c)
	default:
		fmt.Fprintf(w, "%s %s %q %s", r.Method, r.URL.Path, body, r.Header.Get("X_Secret"))
	}
}

// unwatched makes an ordinary connection of one that a loop watches.
func unwatched(c net.Conn) net.Conn {
	if t, ok := c.(taken); ok {
		f := os.NewFile(uintptr(t.Descriptor().Release()), "client")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			panic(err)
		}
		return c
	}
	return c
}

func (e *echo) Close(context.Context) error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func (e *echo) Connections() int { return int(e.connections.Load()) }

func (e *echo) Knows(sid string) bool { return sid == "known" }

func (e *echo) requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reached
}

// start runs a Server with a door on free ports until the test ends.
func start(t *testing.T, cfg Config) (*Server, *echo) {
	t.Helper()
	cfg.Loops = new(loop.Loops)
	return startDoorless(t, cfg)
}

// startDoorless is start for a Server of which net/http serves all connections, unless cfg has Loops.
func startDoorless(t *testing.T, cfg Config) (*Server, *echo) {
	t.Helper()
	cfg.Listen, cfg.OpsListen = "127.0.0.1:0", "127.0.0.1:0"
	if cfg.Budget == nil {
		cfg.Budget = budget.New(budget.Config{Limit: 1 << 30})
	}
	engine := newEcho()
	s := NewServer(cfg, engine, slog.New(slog.DiscardHandler))
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if cfg.Loops != nil {
			cfg.Loops.Stop()
		}
		for end := time.Now().Add(5 * time.Second); cfg.Budget.Total() != 0; time.Sleep(time.Millisecond) { // net/http does not wait for its connections
			if time.Now().After(end) {
				t.Errorf("%d bytes are left charged, %d for strangers", cfg.Budget.Total(), cfg.Budget.Used(budget.Strangers))
				break
			}
		}
	})
	return s, engine
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// read returns the next response, its body read.
func read(t *testing.T, r *bufio.Reader) (status int, body string, closing bool) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read response: %v", err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return resp.StatusCode, string(b), resp.Close
}

// Every head that is refused gets its status, the connection is closed, and no handler sees it:
// as the first request, behind another, and behind one that is still being answered.
func TestRefused(t *testing.T) {
	s, engine := start(t, Config{})
	const first = "POST /socket.io/first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
	for _, tt := range heads {
		if tt.want == nil {
			continue
		}
		for _, before := range []string{"", first} {
			t.Run(fmt.Sprintf("%s %s/%d", tt.id, tt.name, len(before)), func(t *testing.T) {
				c := dial(t, s.Addr)
				go io.WriteString(c, before+tt.head+strings.Repeat("x", 100_000)) // what it has in flight
				r := bufio.NewReader(c)
				if before != "" {
					if status, body, _ := read(t, r); status != 200 || body != `POST /socket.io/first "hi" ` {
						t.Fatalf("first request: %d %s", status, body)
					}
				}
				status, _, closing := read(t, r)
				if status != tt.want.status || !closing {
					t.Errorf("status %d, closing %v, want %d, closing", status, closing, tt.want.status)
				}
				if n, err := io.Copy(io.Discard, r); n != 0 || err != nil {
					t.Errorf("then %d bytes and %v, want the end", n, err)
				}
			})
		}
	}
	for _, r := range engine.requests() {
		if r != "POST /socket.io/first" {
			t.Errorf("a handler saw %q", r)
		}
	}
}

func TestRefusedWhileAnotherIsAnswered(t *testing.T) {
	s, engine := start(t, Config{})
	c := dial(t, s.Addr)
	io.WriteString(c, "GET /socket.io/wait HTTP/1.1\r\nHost: a\r\n\r\n"+"PRI * HTTP/2.0\r\n\r\n")
	<-engine.waiting
	got := make(chan string, 1)
	go func() { b, _ := io.ReadAll(c); got <- string(b) }()
	select {
	case b := <-got:
		t.Fatalf("the connection ended before the first answer: %q", b)
	case <-time.After(50 * time.Millisecond): // nothing may happen, so there is nothing to wait for
	}
	engine.Close(context.Background())
	b := <-got
	if !strings.HasPrefix(b, "HTTP/1.1 200 ") || !strings.Contains(b, "closedHTTP/1.1 400 ") {
		t.Errorf("got %q, want 200 and then 400", b)
	}
}

// Bodies reach the handler byte for byte however they are cut, and the head behind each is found.
func TestPipeline(t *testing.T) {
	s, _ := start(t, Config{})
	big := strings.Repeat("0123456789", 2000)
	requests := "POST /socket.io/a HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\nX_Secret: 1\r\n\r\n" + big +
		"POST /socket.io/b HTTP/1.1\r\nHost: a\r\nX_Secret: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n" +
		"GET /socket.io/c HTTP/1.1\r\nHost: a\r\n\r\n" +
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, step := range []int{1, 7, 1000, len(requests)} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			if step == 1 && testing.Short() {
				t.Skip("21,000 segments")
			}
			c := dial(t, s.Addr)
			go func() {
				for rest := requests; rest != ""; rest = rest[min(step, len(rest)):] {
					io.WriteString(c, rest[:min(step, len(rest))])
				}
			}()
			r := bufio.NewReader(c)
			for _, want := range []string{`POST /socket.io/a "` + big + `" `, `POST /socket.io/b "hello!" `, `GET /socket.io/c "" `} {
				if status, body, closing := read(t, r); status != 200 || body != want || closing {
					t.Fatalf("got %d %.60q, closing %v, want %.60q", status, body, closing, want)
				}
			}
			if status, _, _ := read(t, r); status != 400 {
				t.Errorf("last: %d, want 400", status)
			}
		})
	}
}

func TestH6BadChunk(t *testing.T) {
	s, _ := start(t, Config{})
	c := dial(t, s.Addr)
	io.WriteString(c, "POST /socket.io/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n")
	r := bufio.NewReader(c)
	if status, body, _ := read(t, r); status != 400 || body != "body\n" {
		t.Errorf("got %d %q, want the handler's own 400", status, body)
	}
	if b, _ := io.ReadAll(r); len(b) != 0 {
		t.Errorf("then %q, want the end", b)
	}
}

func TestUpgrade(t *testing.T) {
	const upgrade = "GET /socket.io/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	for name, start := range map[string]func(*testing.T, Config) (*Server, *echo){"the door": start, "net/http": startDoorless} {
		t.Run(name+" steps aside", func(t *testing.T) {
			s, engine := start(t, Config{})
			c := dial(t, s.Addr)
			io.WriteString(c, upgrade)
			if early := <-engine.early; early != "" {
				t.Errorf("buffered %q", early)
			}
			wrapped := <-engine.hijacked
			beneath := tcpConn(wrapped)
			if beneath == nil {
				t.Fatal("the connection beneath is not handed out")
			}
			defer beneath.Close()
			if n := s.listener.open.Load(); n != 0 {
				t.Errorf("%d connections counted after the upgrade", n)
			}
			io.WriteString(c, "\x81\x00\n\n\r\nno head")
			b := make([]byte, 12)
			if _, err := io.ReadFull(beneath, b); err != nil || string(b) != "\x81\x00\n\n\r\nno head"[:12] {
				t.Errorf("got %q, %v", b, err)
			}
		})
		t.Run(name+" with early bytes", func(t *testing.T) {
			s, engine := start(t, Config{})
			c := dial(t, s.Addr)
			const frames = "\x81\x80\n\r\nPRI * HTTP/2.0\r\n\r\n"
			io.WriteString(c, upgrade+frames)
			early := <-engine.early
			wrapped := <-engine.hijacked
			defer wrapped.Close()
			io.WriteString(c, " and late")
			b := make([]byte, len(frames+" and late")-len(early))
			io.ReadFull(wrapped, b)
			if got := early + string(b); got != frames+" and late" {
				t.Errorf("got %q", got)
			}
			if tcpConn(wrapped) == nil {
				t.Error("still in the way with nothing left to hand on")
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		s, _ := start(t, Config{})
		c := dial(t, s.Addr)
		// The first is answered without an upgrade.
		io.WriteString(c, "POST /socket.io/plain HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"+
			"GET /socket.io/c HTTP/1.1\r\nHost: a\r\n\r\n"+"GET /socket.io/d HTTP/1.1\nHost: a\n\n")
		r := bufio.NewReader(c)
		for _, want := range []int{200, 200, 400} {
			if status, _, _ := read(t, r); status != want {
				t.Fatalf("status %d, want %d", status, want)
			}
		}
	})
	t.Run("too much too early", func(t *testing.T) {
		s, engine := startDoorless(t, Config{})
		c := dial(t, s.Addr)
		io.WriteString(c, strings.Replace(upgrade, "/socket.io/", "/socket.io/plain/wait", 1)+strings.Repeat("x", 8192))
		<-engine.waiting
		select {
		case <-engine.gone:
		case <-time.After(5 * time.Second):
			t.Error("the request goes on")
		}
	})
}

// tcpConn is the connection beneath one that was taken over.
func tcpConn(c net.Conn) *net.TCPConn {
	if tcp, ok := c.(*net.TCPConn); ok {
		return tcp // from the door, see unwatched
	}
	return c.(interface{ TCPConn() *net.TCPConn }).TCPConn()
}

// pipes is a listener of in-memory connections.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error { close(p); return nil }

func (p pipes) Addr() net.Addr { return nil }

func TestRoutes(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	for name, text := range map[string]string{"index.html": "<p>hello", "sub/index.html": "sub", ".env": "key", "a b.txt": "spaced"} {
		p := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(secret, []byte("secret"), 0o644)
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, Config{StaticDir: dir})
	for _, tt := range []struct {
		id, method, target string
		status             int
		body               string
	}{
		{"H37", "GET", "/socket.io/", 200, `GET /socket.io/ "" `},
		{"H38", "GET", "/socket.io", 200, `GET /socket.io "" `}, // the Engine knows whether it wants that
		{"H39", "GET", "/socket.io/x/y?EIO=4", 200, `GET /socket.io/x/y "" `},
		{"H40", "GET", "/nothing", 404, "Not Found\n"},
		{"H41", "GET", "/nothing?upgrade", 404, "Not Found\n"},
		{"H11", "GET", "/socket.iofoo", 404, "Not Found\n"},
		{"H11", "GET", "/SOCKET.IO/", 404, "Not Found\n"},
		{"H10", "GET", "//socket.io/", 404, "Not Found\n"},
		{"H10", "GET", "/socket.io/../x", 404, "Not Found\n"},
		{"H10", "GET", "/x/%2e%2e/socket.io/", 404, "Not Found\n"},
		{"H10", "GET", "/socket.io/%00", 404, "Not Found\n"},
		{"H10", "GET", "/%c0%ae%c0%ae/socket.io/", 404, "Not Found\n"},
		{"H10", "GET", "/socket.io/%5c..", 404, "Not Found\n"},
		{"H10", "GET", "/socket.io/%zz", 400, "400 Bad Request"},
		{"H21", "GET", "/healthz", 404, "Not Found\n"},
		{"H21", "GET", "/metrics", 404, "Not Found\n"},
		{"static", "GET", "/", 200, "<p>hello"},
		{"static", "GET", "/sub/", 200, "sub"},
		{"static", "GET", "/sub", 404, "Not Found\n"},
		{"static", "GET", "/a%20b.txt", 200, "spaced"},
		{"static", "POST", "/index.html", 404, "Not Found\n"},
		{"S03", "GET", "/.env", 404, "Not Found\n"},
		{"S03", "GET", "/link", 404, "Not Found\n"},
		{"S03", "GET", "/socket.io.js", 404, "Not Found\n"},
	} {
		t.Run(tt.id+" "+tt.target, func(t *testing.T) {
			c := dial(t, s.Addr)
			upgrade := ""
			if tt.id == "H41" {
				upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
			}
			fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", tt.method, tt.target, upgrade)
			status, body, _ := read(t, bufio.NewReader(c))
			if status != tt.status || body != tt.body {
				t.Errorf("got %d %q, want %d %q", status, body, tt.status, tt.body)
			}
		})
	}
}

func TestH20_ForwardedHeaders(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name, remote, forwarded, proto, want, scheme string
	}{
		{"direct", "192.0.2.1:5", "", "", "192.0.2.1:5", ""},
		{"spoofed", "192.0.2.1:5", "198.51.100.1", "https", "192.0.2.1:5", ""},
		{"behind a proxy", "10.0.0.1:5", "198.51.100.1", "https", "198.51.100.1:0", "https"},
		{"in the clear", "10.0.0.1:5", "198.51.100.1", "http", "198.51.100.1:0", ""},
		{"upper case", "10.0.0.1:5", "", "HTTPS", "10.0.0.1:5", "https"},
		{"spoofed behind a proxy", "10.0.0.1:5", "203.0.113.9, 198.51.100.1", "https, http", "198.51.100.1:0", ""},
		{"two proxies", "10.0.0.1:5", "198.51.100.1, 10.0.0.2", "http,https", "198.51.100.1:0", "https"},
		{"no scheme", "10.0.0.1:5", "198.51.100.1", "javascript", "198.51.100.1:0", ""},
		{"only proxies", "10.0.0.1:5", "10.0.0.3,10.0.0.2", "", "10.0.0.3:0", ""},
		{"with port", "10.0.0.1:5", "198.51.100.1:77", "", "198.51.100.1:0", ""},
		{"IPv6", "[fd00::1]:5", "[2001:db8::1]:77", "", "[2001:db8::1]:0", ""},
		{"zone", "10.0.0.1:5", "fe80::1%eth0", "", "[fe80::1]:0", ""},
		{"mapped", "[::ffff:10.0.0.1]:5", "::ffff:198.51.100.1", "", "198.51.100.1:0", ""},
		{"garbage", "10.0.0.1:5", "198.51.100.1, unknown", "", "10.0.0.1:0", ""},
		{"empty", "10.0.0.1:5", ",", "", "10.0.0.1:0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/socket.io/", nil)
			r.RemoteAddr = tt.remote
			for name, v := range map[string]string{"X-Forwarded-For": tt.forwarded, "X-Forwarded-Proto": tt.proto, "Forwarded": "for=1.2.3.4", "X-Real-Ip": "1.2.3.4"} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			if f := behindProxy(r, trusted); r.RemoteAddr != tt.want || r.URL.Scheme != tt.scheme || f != nil {
				t.Errorf("%s, scheme %q, %v, want %s, %q", r.RemoteAddr, r.URL.Scheme, f, tt.want, tt.scheme)
			}
			if lies := strings.HasPrefix(tt.remote, "192."); lies != (len(r.Header) == 0) {
				t.Errorf("what goes on: %v", r.Header)
			}
		})
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:5"
	r.Header.Set("X-Forwarded-For", strings.Repeat("10.0.0.1,", 1000))
	if f := behindProxy(r, trusted); f != faultHops {
		t.Errorf("1,000 hops: %v", f)
	}
}
