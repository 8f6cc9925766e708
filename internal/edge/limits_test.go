package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// told collects what Config.Refused is told.
type told struct {
	mu  sync.Mutex
	all map[string]int
}

func (o *told) count(layer, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = make(map[string]int)
	}
	o.all[layer+"/"+reason]++
}

func (o *told) times(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all[what]
}

// dialFrom dials from one of the addresses of loopback.
func dialFrom(t *testing.T, from string, addr net.Addr) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

const aRequest = "GET /socket.io/a HTTP/1.1\r\nHost: a\r\n\r\n"

// wantStatus sends a request and checks what comes back. What is refused at the door is closed.
func wantStatus(t *testing.T, c net.Conn, want int) {
	t.Helper()
	io.WriteString(c, aRequest)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("want %d: %v", want, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
		t.Errorf("status %d, %v, want %d", resp.StatusCode, err, want)
	}
	if want == http.StatusServiceUnavailable || want == http.StatusTooManyRequests {
		if resp.Header.Get("Retry-After") != "5" || !resp.Close {
			t.Errorf("%d: %v", want, resp.Header)
		}
	}
}

// The connection after the last that an address may have is refused before a request is read; it
// costs nobody else.
func TestV2_ConnectionsOfOneAddress(t *testing.T) {
	var o told
	s, _ := start(t, Config{Addresses: limit.NewAddresses(limit.PerAddress{Open: 100}), Refused: o.count})
	for range 200 {
		wantStatus(t, dialFrom(t, "127.0.0.2", s.Addr), 200)
	}
	last := dialFrom(t, "127.0.0.2", s.Addr)
	wantStatus(t, last, 429)
	wantStatus(t, dialFrom(t, "127.0.0.3", s.Addr), 200)
	if n := o.times("tcp/address: too many"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestE9_ArrivalsOfOneAddress(t *testing.T) {
	var o told
	s, _ := start(t, Config{Addresses: limit.NewAddresses(limit.PerAddress{Arrivals: limit.PerSecond(1, 3)}), Refused: o.count})
	for i := range 5 {
		want := 200
		if i >= 3 {
			want = 429
		}
		wantStatus(t, dialFrom(t, "127.0.0.2", s.Addr), want)
	}
	wantStatus(t, dialFrom(t, "127.0.0.3", s.Addr), 200)
	if n := o.times("tcp/address: too often"); n != 2 {
		t.Errorf("told %d times", n)
	}
}

// A trusted proxy speaks for many.
func TestAddressesOfProxiesAreNotBound(t *testing.T) {
	s, _ := start(t, Config{Addresses: limit.NewAddresses(limit.PerAddress{Open: 1, Arrivals: limit.PerSecond(1, 1)}), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	for range 20 {
		wantStatus(t, dialFrom(t, "127.0.0.2", s.Addr), 200)
	}
	wantStatus(t, dialFrom(t, "127.0.0.3", s.Addr), 200)
	wantStatus(t, dialFrom(t, "127.0.0.3", s.Addr), 429)
}

func TestE9_ArrivalsOfAll(t *testing.T) {
	var o told
	s, _ := start(t, Config{ConnectionRate: limit.PerSecond(1, 3), Refused: o.count})
	for i := range 6 {
		want := 200
		if i >= 3 {
			want = 503
		}
		wantStatus(t, dialFrom(t, fmt.Sprintf("127.0.0.%d", 2+i), s.Addr), want)
	}
	if n := o.times("tcp/too many arrivals"); n != 3 {
		t.Errorf("told %d times", n)
	}
}

// While memory is tight nobody new begins, and who is known goes on; while it is short nobody gets
// a connection. Health says so and stays 200: a balancer that sent clients away would make it worse.
func TestP20_MemoryAtTheDoor(t *testing.T) {
	var o told
	b := budget.New(budget.Config{Limit: 10 << 20})
	s, _ := start(t, Config{Budget: b, Refused: o.count, Degraded: func() error {
		if b.Level() == budget.Roomy {
			return nil
		}
		return fmt.Errorf("memory is %v", b.Level())
	}})
	health := func(want string) {
		t.Helper()
		resp, err := http.Get("http://" + s.OpsAddr.String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != want+"\n" {
			t.Errorf("health: %d %q, want %q", resp.StatusCode, body, want)
		}
	}
	defer http.DefaultClient.CloseIdleConnections()
	known := dial(t, s.Addr)
	ask := func(c net.Conn, target string, want int) {
		t.Helper()
		fmt.Fprintf(c, "GET /socket.io/%s HTTP/1.1\r\nHost: a\r\n\r\n", target)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", target, resp.StatusCode, want)
		}
	}
	ask(known, "x?sid=known", 200)
	if b.Used(budget.Strangers) != 0 || b.Used(budget.Clients) != httpBytes {
		t.Errorf("%d bytes for strangers, %d for clients", b.Used(budget.Strangers), b.Used(budget.Clients))
	}
	health("ready")

	b.Add(budget.Log, 8400<<10)
	health("degraded: memory is tight")
	ask(known, "x?sid=known", 200)
	ask(dial(t, s.Addr), "x?sid=known", 200) // a poll on a connection of its own
	ask(dial(t, s.Addr), "x", 503)
	if n := o.times("http/memory"); n != 1 {
		t.Errorf("told %d times of handshakes", n)
	}

	b.Add(budget.Log, 1<<20)
	health("degraded: memory is short")
	ask(known, "x?sid=known", 200)
	wantStatus(t, dial(t, s.Addr), 503)
	if n := o.times("tcp/memory"); n != 1 {
		t.Errorf("told %d times of connections", n)
	}

	b.Free(budget.Log, 9424<<10)
	health("ready")
	ask(dial(t, s.Addr), "x", 200)
}

// Strangers have a part of the memory. Those beyond it are refused, and those who are known are not
// counted among them.
func TestMemoryOfStrangers(t *testing.T) {
	var o told
	s, _ := start(t, Config{Budget: budget.New(budget.Config{Limit: 1 << 30, Strangers: 10 * httpBytes}), Refused: o.count})
	for range 10 {
		c := dial(t, s.Addr)
		fmt.Fprintf(c, "GET /socket.io/x?EIO=4&sid=known HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		io.WriteString(dial(t, s.Addr), "GET /")
	}
	for end := time.Now().Add(5 * time.Second); s.Open() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are open", s.Open())
		}
	}
	wantStatus(t, dial(t, s.Addr), 503)
	if n := o.times("tcp/memory"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// While those that were accepted have not begun to be served the rest wait in the kernel, and one
// that waited for too long is refused when its turn comes, but not two in a row.
func TestConnectionsTakeTurns(t *testing.T) {
	var o told
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(netSource{tcp}, Config{AcceptWait: 50 * time.Millisecond, Refused: o.count}.withDefaults(), nil)
	defer l.Close()
	clients := make([]net.Conn, cap(l.turns)+5)
	for i := range clients {
		clients[i] = dial(t, tcp.Addr())
		io.WriteString(clients[i], aRequest)
	}
	var begun []net.Conn
	for range cap(l.turns) {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		begun = append(begun, c)
		defer c.Close()
	}
	next := make(chan net.Conn)
	go func() {
		for range 2 {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
			}
			next <- c
		}
	}()
	select {
	case <-next:
		t.Fatal("a connection was accepted before those before it had begun")
	case <-time.After(100 * time.Millisecond): // nothing may happen, and they grow old
	}
	clients[cap(l.turns)+1].Close() // the next but one, for one is being accepted already
	for i := range 2 {
		begun[i].Read(make([]byte, 10))
		(<-next).Close()
	}
	if n, gone := o.times("tcp/waited too long"), o.times("tcp/gave up"); n < 1 || n > 2 || gone != 1 {
		t.Errorf("%d of 5 were refused, and %d had gone", n, gone)
	}
	if l.waited.Load() == 0 {
		t.Error("nobody had to wait")
	}
}

// The kernel's queue holds what is served in a quarter of the time that a connection may wait, as long
// as more come than that, and is long otherwise.
func TestTheQueueFollowsWhatIsServed(t *testing.T) {
	now := time.Now()
	q := queue{length: longestQueue, wait: 2 * time.Second, measured: now}
	for _, step := range []struct {
		what   string
		after  time.Duration
		served int
		waits  bool
		want   int
	}{
		{"nobody waits", 100 * time.Millisecond, 1000, false, 0},
		{"2,000 a second are served, and some wait", 100 * time.Millisecond, 200, true, 1000},
		{"too early to look again", 50 * time.Millisecond, 10, true, 0},
		{"about as many", 50 * time.Millisecond, 220, true, 0},
		{"half as many", 100 * time.Millisecond, 100, true, 500},
		{"hardly any", 100 * time.Millisecond, 1, true, shortestQueue},
		{"nobody had to wait for a while", 500 * time.Millisecond, 100, false, 100},
		{"nor for a second", 600 * time.Millisecond, 100, false, longestQueue},
		{"it was quiet, then some wait", time.Minute, 5, true, 0},
		{"and go on to", 100 * time.Millisecond, 300, true, 1500},
	} {
		now = now.Add(step.after)
		q.served += step.served
		if got := q.next(now, step.waits); got != step.want {
			t.Errorf("%s: %d, want %d", step.what, got, step.want)
		}
	}
}
