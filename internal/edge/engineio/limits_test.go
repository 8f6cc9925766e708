package engineio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// A client above its rate is read more slowly, without a heartbeat being missed, and loses nothing.
func TestV1_AClientAboveItsRateIsReadMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &floor{mute: true}
		e := startEdge(t, inMemory, Config{Messages: limit.PerSecond(50, 200), PingInterval: 500 * time.Millisecond, PingTimeout: 500 * time.Millisecond}, f)
		c, _ := e.ws()
		pinged := make(chan int)
		go func() { // a client answers pings, behind what it has to say
			n := 0
			for {
				if _, payload, err := c.next(); err != nil {
					break
				} else if string(payload) == "2" {
					n++
				}
			}
			pinged <- n
		}()
		began := time.Now()
		for range 350 { // the 150 that are too many take 3 s
			c.say("4x")
		}
		c.say("3")
		for len(f.heard()) < 350 {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(began); took < 2800*time.Millisecond || took > 3500*time.Millisecond {
			t.Errorf("350 messages took %v", took)
		}
		if got := f.reasonsSoFar(); len(got) > 0 {
			t.Errorf("closed: %v", got)
		}
		time.Sleep(time.Second)
		if n := e.server.Stats().Paused; n != 0 {
			t.Errorf("%d paused", n)
		}
		e.stop()
		if n := <-pinged; n == 0 {
			t.Error("no ping in 4 s")
		}
	})
}

func TestV1_AClientThatKeepsFloodingIsClosed(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		for name, cfg := range map[string]Config{
			"messages": {Messages: limit.PerSecond(50, 200)},
			"bytes":    {MessageBytes: limit.PerSecond(256<<10, 1<<20)},
		} {
			t.Run(name, func(t *testing.T) {
				var mu sync.Mutex
				told := map[string]int{}
				cfg.PaceTimeout = 300 * time.Millisecond
				cfg.Refused = func(layer, reason string) {
					mu.Lock()
					defer mu.Unlock()
					told[layer+"/"+reason]++
				}
				f := &floor{mute: true}
				e := newEdgeOn(t, over, cfg, f)
				c, _ := e.ws()
				go io.Copy(io.Discard, c.conn)
				flood := bytes.Repeat(frame(0x81, []byte("4"+strings.Repeat("x", 10_000))), 10)
				began := time.Now()
				for len(f.reasonsSoFar()) == 0 {
					if _, err := c.conn.Write(flood); err != nil {
						break
					}
				}
				f.wantClosed(t, Flooding)
				if took := time.Since(began); took < cfg.PaceTimeout {
					t.Errorf("closed after %v", took)
				}
				mu.Lock()
				defer mu.Unlock()
				if told["packet/too fast"] != 1 {
					t.Errorf("told %v", told)
				}
				if n := len(f.heard()); n > 400 {
					t.Errorf("%d messages were handled", n)
				}
			})
		}
	})
}

// A POST waits for the rate like a WebSocket does.
func TestV1_APostWaitsForTheRate(t *testing.T) {
	f := &floor{mute: true}
	e := newEdge(t, Config{Messages: limit.PerSecond(100, 10)}, f)
	_, q := e.poll()
	began := time.Now()
	e.want(200, "ok", "POST", q, strings.TrimSuffix(strings.Repeat("4x\x1e", 40), "\x1e"))
	if took := time.Since(began); took < 250*time.Millisecond {
		t.Errorf("40 messages took %v", took)
	}
	if n := len(f.heard()); n != 40 {
		t.Errorf("%d messages", n)
	}
}

func TestL14_APollingClientThatAsksTooOftenIsToldSo(t *testing.T) {
	f := &floor{mute: true}
	e := newEdge(t, Config{Requests: limit.PerSecond(20, 60)}, f)
	_, q := e.poll()
	answers := map[int]int{}
	for range 1000 {
		resp, _ := e.do("POST", q, "4x")
		answers[resp.StatusCode]++
		if resp.StatusCode == http.StatusTooManyRequests && (resp.Header.Get("Retry-After") != "5" || !resp.Close) {
			t.Fatalf("%v", resp.Header)
		}
	}
	if answers[200] < 60 || answers[200] > 500 || answers[429]+answers[200] != 1000 {
		t.Errorf("answers: %v", answers)
	}
	if _, body := e.do("GET", "EIO=4&transport=polling", ""); !strings.HasPrefix(body, "0{") {
		t.Errorf("another client: %q", body)
	}
}

// Neither the bound of all handshakes nor that of an address is answered in a way that would keep
// a stock client away.
func TestE9_HandshakesAboveTheRate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cfg    Config
		status int
	}{
		{"of all", Config{Handshakes: limit.PerSecond(1, 3)}, 503},
		{"of an address", Config{Addresses: limit.NewAddresses(limit.PerAddress{Open: 3})}, 429},
		{"of an address behind a proxy", Config{Addresses: limit.NewAddresses(limit.PerAddress{Arrivals: limit.PerSecond(1, 3)}), Proxied: func(*http.Request) bool { return true }}, 429},
		{"in memory", Config{Budget: budget.New(budget.Config{Limit: 1 << 30, Strangers: 3 * socketBytes})}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEdge(t, tt.cfg, &floor{mute: true})
			for i, transport := range []string{"polling", "websocket", "polling", "polling", "websocket"} {
				want := 200
				if i >= 3 {
					want = tt.status
				}
				if transport == "websocket" {
					nc, err := e.dialer()
					if err != nil {
						t.Fatal(err)
					}
					defer nc.Close()
					fmt.Fprintf(nc, upgradeRequest, "EIO=4&transport=websocket", "edge.test", "")
					resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
					if err != nil || resp.StatusCode != want && !(want == 200 && resp.StatusCode == 101) {
						t.Errorf("%d: %v, %v", i, resp, err)
					}
					continue
				}
				resp, body := e.do("GET", "EIO=4&transport=polling", "")
				if resp.StatusCode != want {
					t.Errorf("%d: %d, want %d", i, resp.StatusCode, want)
				}
				if want != 200 && (body != "" || resp.Header.Get("Retry-After") != "5" || !resp.Close) {
					t.Errorf("%d: %q %v", i, body, resp.Header)
				}
			}
		})
	}
}

// Handshakes that nobody follows up cost little, and end by themselves.
func TestE10_HandshakesThatNeverPoll(t *testing.T) {
	const n = 10_000
	f := &floor{mute: true, open: func(*Socket) {}}
	e := newEdge(t, Config{PingInterval: 2 * time.Second, PingTimeout: 2 * time.Second}, f)
	memory := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	goroutines, before := runtime.NumGoroutine(), memory()
	client := &http.Client{Transport: e.rt}
	for range n {
		resp, err := client.Get(e.base + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if got := e.server.config.Budget.Used(budget.Strangers); got > int64(n*socketBytes) {
		t.Errorf("%d bytes charged for strangers", got)
	}
	each := (memory() - before) / n
	t.Logf("%d bytes each, the recorder's own included", each)
	if each > 1024 {
		t.Errorf("%d bytes each", each)
	}
	if grown := runtime.NumGoroutine() - goroutines; grown > 20 {
		t.Errorf("%d goroutines more", grown)
	}
	eventually(t, "all have ended", func() bool { return e.server.Connections() == 0 })
}

// What waits for many is charged once, and for the others as much as waits for them.
func TestABroadcastIsChargedOnce(t *testing.T) {
	b := budget.New(budget.Config{Limit: 1 << 30})
	f := &floor{mute: true}
	e := newEdge(t, Config{Budget: b}, f)
	var sockets []*Socket
	for range 50 {
		e.poll() // nobody waits in a GET
		sockets = append(sockets, f.last())
	}
	m := NewMessage(bytes.Repeat([]byte("x"), 100_000), nil)
	var flush Flush
	for _, s := range sockets {
		flush.Queue(s, m, false)
	}
	if got := b.Used(budget.Queues); got != 0 {
		t.Errorf("%d bytes before anybody was left with it", got)
	}
	flush.Do()
	if got := b.Used(budget.Queues); got < 100_000 || got > 102_000 {
		t.Errorf("%d bytes for a broadcast of 100,000", got)
	}
	for _, s := range sockets {
		s.Queue(NewMessageOnce(1000, func(b []byte) []byte { return append(b, strings.Repeat("y", 1000)...) }, nil), false)
		s.Flush()
	}
	if got := b.Used(budget.Queues); got < 150_000 || got > 165_000 {
		t.Errorf("%d bytes with 1,000 more for each", got)
	}
	for _, s := range sockets[1:] {
		s.Close(TransportError)
	}
	if got := b.Used(budget.Queues); got < 101_000 || got > 102_000 {
		t.Errorf("%d bytes for the last", got)
	}
	kept := NewMessage(bytes.Repeat([]byte("z"), 100_000), nil)
	kept.Kept()
	sockets[0].Queue(kept, false)
	sockets[0].Flush()
	if got := b.Used(budget.Queues); got > 102_000 {
		t.Errorf("%d bytes with one that somebody else is charged for", got)
	}
}

// While memory is short those with the most waiting are closed, and then GETs are answered whose
// connections are to end.
func TestShed(t *testing.T) {
	b := budget.New(budget.Config{Limit: 1 << 30})
	f := &floor{mute: true}
	e := newEdge(t, Config{Budget: b}, f)
	var sockets []*Socket
	for i := range 4 {
		e.poll()
		s := f.last()
		sockets = append(sockets, s)
		s.Queue(NewMessage(bytes.Repeat([]byte("x"), (i+1)*100_000), nil), false)
		s.Flush()
	}
	_, q := e.poll()
	waiting := e.async("GET", q, "")
	idle := f.last()
	eventually(t, "a GET waits", func() bool {
		idle.mu.Lock()
		defer idle.mu.Unlock()
		return idle.polls.waiting != nil
	})
	if closed, sentAway := e.server.Shed(500_000, false); closed != 2 || sentAway != 0 {
		t.Errorf("%d closed, %d sent away", closed, sentAway)
	}
	eventually(t, "two are closed", func() bool { return len(f.reasonsSoFar()) == 2 })
	for i, s := range sockets {
		s.mu.Lock()
		if want := i >= 2; (s.reason == SlowConsumer) != want {
			t.Errorf("socket %d: %v", i, s.reason)
		}
		s.mu.Unlock()
	}
	if closed, sentAway := e.server.Shed(1<<20, true); closed != 2 || sentAway != 1 {
		t.Errorf("%d closed, %d sent away", closed, sentAway)
	}
	if a := <-waiting; a.status != 200 || a.body != "6" {
		t.Errorf("the GET was answered %v", a)
	}
	if n := len(f.reasonsSoFar()); n > 4 || b.Used(budget.Queues) != 0 {
		t.Errorf("%d closed, %d bytes wait", n, b.Used(budget.Queues))
	}
}

// No memory is allocated that the budget has not: what does not fit ends the connection.
func TestMessagesThatDoNotFit(t *testing.T) {
	f := &floor{mute: true}
	b := budget.New(budget.Config{Limit: 256 << 10})
	e := newEdge(t, Config{Budget: b}, f)
	c, _ := e.ws()
	long := frame(0x81, []byte("4"+strings.Repeat("x", 900_000)))
	go c.send(long)
	c.wantClose(1013)
	f.wantClosed(t, TransportError)
	_, q := e.poll()
	if resp, _ := e.do("POST", q, "4"+strings.Repeat("x", 900_000)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a body that does not fit: %d", resp.StatusCode)
	}
	eventually(t, "both are closed", func() bool { return len(f.reasonsSoFar()) == 2 })
}

// A message that arrives in parts is charged before it is there, and a client that was let in does
// not count among strangers.
func TestCharges(t *testing.T) {
	b := budget.New(budget.Config{Limit: 1 << 30})
	f := &floor{mute: true}
	e := newEdge(t, Config{Budget: b}, f)
	c, _ := e.ws()
	if got := b.Used(budget.Strangers); got != socketBytes {
		t.Errorf("%d bytes for a stranger", got)
	}
	f.last().Joined()
	f.last().Joined()
	if s, k := b.Used(budget.Strangers), b.Used(budget.Clients); s != 0 || k != socketBytes {
		t.Errorf("%d bytes for strangers, %d for clients", s, k)
	}
	half := frame(0x81, []byte("4"+strings.Repeat("x", 200_000)))
	c.send(half[:100_000])
	eventually(t, "half a message is charged", func() bool { return b.Used(budget.Input) >= 99_000 })
	c.send(half[100_000:])
	eventually(t, "the message is there", func() bool { return len(f.heard()) == 1 })
	eventually(t, "nothing is left charged", func() bool { return b.Used(budget.Input) == 0 })
}
