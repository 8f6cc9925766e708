package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// TestP13_StuckReadersCostTheOthersNothing: half of the clients stop to read while everyone is sent
// megabytes. Their connections are closed, their sessions stay, the others get everything on time.
func TestP13_StuckReadersCostTheOthersNothing(t *testing.T) {
	stuck, healthy, size, rate := 50, 50, 32<<10, 10
	if long() {
		stuck, healthy, size, rate = 200, 1800, 1000, 5 // 10 MB/s in all
	}
	p := startEdge(t, "--ping-interval", "1m")
	var sender *sioedge.Edge
	p.member(t, p.control, "one", func(edge *sioedge.Edge) { sender = edge })

	var mu sync.Mutex
	var took []time.Duration
	heard := func(packet string) {
		rest, ok := strings.CutPrefix(packet, `42["tick",`)
		if !ok {
			return
		}
		var at int64
		fmt.Sscanf(rest, "%d", &at)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(time.Unix(0, at)))
	}
	for range healthy {
		p.person(t, heard)
	}
	narrow := *websocket.DefaultDialer
	narrow.NetDialContext = (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400) // as on a network: loopback's buffers are larger
		})
	}}).DialContext
	tick := func(d time.Duration) spread {
		mu.Lock()
		took = nil
		mu.Unlock()
		text := strings.Repeat("x", size)
		pace := time.NewTicker(time.Second / time.Duration(rate))
		defer pace.Stop()
		sent := 0
		for end := time.Now().Add(d); time.Now().Before(end); <-pace.C {
			if err := sender.Emit(t.Context(), "tick", time.Now().UnixNano(), text); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		eventually(t, "the healthy have got everything", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(took) >= sent*healthy
		})
		mu.Lock()
		defer mu.Unlock()
		if len(took) != sent*healthy {
			t.Errorf("%d deliveries of %d to %d clients", len(took), sent, healthy)
		}
		return spreadOf(t, took)
	}
	tick(500 * time.Millisecond)
	alone := tick(2 * time.Second)
	before := p.rss(t)
	for range stuck {
		conn, _, err := narrow.Dial("ws"+strings.TrimPrefix(p.clients, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.ReadMessage()
		conn.WriteMessage(websocket.TextMessage, []byte("40"))
		if _, b, err := conn.ReadMessage(); err != nil || !strings.HasPrefix(string(b), "40{") {
			t.Fatalf("not let in: %q, %v", b, err)
		}
	}
	length := 5 * time.Second
	if long() {
		length = 30 * time.Second
	}
	worst := before
	watching := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-watching:
				return
			case <-time.After(50 * time.Millisecond):
				worst = max(worst, p.rss(t))
			}
		}
	})
	among := tick(length)
	close(watching)
	watch.Wait()
	eventually(t, "the stuck are closed and their sessions wait", func() bool {
		all := p.get(t, p.ops+"/metrics")
		return metric(all, "sioedge_connections{transport=\"websocket\"}") == fmt.Sprint(healthy) &&
			metric(all, `sioedge_sessions{namespace="/",state="suspended"}`) == fmt.Sprint(stuck)
	})
	http.DefaultClient.CloseIdleConnections()
	t.Logf("%d healthy: %v alone, %v among %d that do not read; memory %s more at most", healthy, alone, among, stuck, mib(worst-before))
	alone.atMostDouble(t, among)
	if bound := int64(stuck)*11<<20/10 + 64<<20; worst-before > bound {
		t.Errorf("memory grew by %s, %s is the bound", mib(worst-before), mib(bound))
	}
}

// metric is the value of a line of /metrics.
func metric(all, name string) string {
	for line := range strings.Lines(all) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return v
		}
	}
	return ""
}

// TestP14_DribblersKeepNobodyOut: thousands of connections that say a byte at a time, or nothing,
// are closed when their time is over; meanwhile clients come in as ever.
func TestP14_DribblersKeepNobodyOut(t *testing.T) {
	t.Parallel() // it waits
	n, visits := 1000, 50
	if long() {
		n, visits = 5000, 200
	}
	p := startEdge(t)
	addr := strings.TrimPrefix(p.clients, "http://")
	visit := func(count int) spread {
		var mu sync.Mutex
		var all []time.Duration
		var going sync.WaitGroup
		pace := time.NewTicker(time.Second / time.Duration(visits))
		defer pace.Stop()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		for range count {
			<-pace.C
			going.Go(func() {
				began := time.Now()
				resp, err := client.Get(p.clients + "/socket.io/?EIO=4&transport=polling")
				if err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
				defer resp.Body.Close()
				if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("handshake: %s, %v", resp.Status, err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, time.Since(began))
			})
		}
		going.Wait()
		return spreadOf(t, all)
	}
	visit(visits / 2)
	alone := visit(2 * visits)

	head := "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nUser-Agent: " + strings.Repeat("x", 100)
	type attack struct {
		name   string
		share  int           // of ten
		within time.Duration // it is closed
		begin  func(net.Conn, *bufio.Reader) bool
		drip   bool
		body   string // what is dripped after begin
	}
	sid := func(c net.Conn, r *bufio.Reader, transport string) (string, bool) {
		if transport == "websocket" {
			fmt.Fprintf(c, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			return "", err == nil && resp.StatusCode == http.StatusSwitchingProtocols
		}
		fmt.Fprintf(c, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return "", false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		_, rest, ok := strings.Cut(string(b), `"sid":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id, ok
	}
	attacks := []attack{
		{"heads", 5, 5 * time.Second, nil, true, head},
		{"silence", 2, 5 * time.Second, nil, false, ""},
		{"bodies", 2, 20 * time.Second, func(c net.Conn, r *bufio.Reader) bool {
			id, ok := sid(c, r, "polling")
			fmt.Fprintf(c, "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", id)
			return ok
		}, true, "4" + strings.Repeat("x", 100)},
		{"no CONNECT", 1, 10 * time.Second, func(c net.Conn, r *bufio.Reader) bool {
			_, ok := sid(c, r, "websocket")
			return ok
		}, false, ""},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var attacking sync.WaitGroup
	var mu sync.Mutex
	lasted := make(map[string]time.Duration) // the longest of each
	var open atomic.Int64
	for _, a := range attacks {
		for range n * a.share / 10 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			open.Add(1)
			attacking.Go(func() {
				defer open.Add(-1)
				defer c.Close()
				stop := context.AfterFunc(ctx, func() { c.Close() })
				defer stop()
				began := time.Now()
				r := bufio.NewReader(c)
				if a.begin != nil && !a.begin(c, r) {
					t.Errorf("%s: cannot begin", a.name)
					return
				}
				ended := make(chan struct{})
				go func() { // ends with the connection
					defer close(ended)
					io.Copy(io.Discard, r)
				}()
				for i := 0; ; i++ {
					select {
					case <-ended:
						mu.Lock()
						defer mu.Unlock()
						lasted[a.name] = max(lasted[a.name], time.Since(began))
						return
					case <-time.After(time.Second):
						if a.drip {
							c.Write([]byte(a.body[i%len(a.body):][:1]))
						}
					}
				}
			})
		}
	}
	most := open.Load()
	among := visit(4 * visits)
	attacking.Wait()
	if ctx.Err() != nil {
		t.Error("some were not closed in 40 s")
	}
	t.Logf("%d dribblers, %d when the visits began; handshakes %v alone, %v among them; they lasted at most %v", n, most, alone, among, lasted)
	alone.atMostDouble(t, among)
	for _, a := range attacks {
		if got := lasted[a.name]; got > a.within+3*time.Second {
			t.Errorf("%s lasted %v, %v is the bound", a.name, got, a.within)
		}
	}
}
