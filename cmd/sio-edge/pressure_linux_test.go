package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// TestP20_ASmallContainerUnderAttack: with 256 MiB, clients that do not read while megabytes are sent
// to everyone, thousands of connections that dribble, messages and bodies that never end, floods
// for a backend that hangs, and nonsense, all at once and for as long as it lasts: the process
// is not killed, stays below its limit, and no good client misses a heartbeat. When it is over
// everything that was charged is free.
func TestP20_ASmallContainerUnderAttack(t *testing.T) {
	const limit = 256 << 20
	good, stuck, dribblers, heavy, length := 50, 50, 500, 50, 8*time.Second
	if long() {
		good, stuck, dribblers, heavy, length = 200, 200, 5000, 200, 90*time.Second
	}
	var as []string
	dir := cgroup(t, "memory", map[string]string{"memory.limit_in_bytes": fmt.Sprint(limit)})
	if dir != "" {
		as = within(dir)
	} else {
		t.Log("no control group for memory here: the edge is told its limit, and its resident memory is watched instead of the kernel's count")
		as = []string{"/usr/bin/env", fmt.Sprint("SIO_EDGE_MEMORY_LIMIT=", limit/10*9)}
	}
	p := startEdgeAs(t, as, "--ping-interval", "2s", "--ping-timeout", "4s")
	if got := p.count(t, `sioedge_memory_limit_bytes{for="all"}`); got != limit/10*9 {
		t.Fatalf("the edge takes its limit for %.0f bytes", got)
	}
	var sender *sioedge.Edge
	hang, release := context.WithCancel(context.Background())
	defer release()
	p.member(t, p.control, "one", func(e *sioedge.Edge) {
		sender = e
		e.On("heavy", func(ctx context.Context, s *sioedge.Socket, text string) error {
			select {
			case <-hang.Done():
			case <-ctx.Done():
			}
			return nil
		})
	})
	addr := strings.TrimPrefix(p.clients, "http://")
	h := p.newHerd(t, good)
	let := time.Now()
	time.Sleep(3 * time.Second) // a few heartbeats without disturbance
	calm := time.Duration(h.longest.Load())

	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var attack sync.WaitGroup
	var kinds [6]atomic.Int64 // how often each kind was played
	again := func(n, kind int, play func(ctx context.Context, id int)) {
		for id := range n {
			attack.Go(func() {
				for ctx.Err() == nil {
					play(ctx, id)
					kinds[kind].Add(1)
					select {
					case <-ctx.Done():
					case <-time.After(200 * time.Millisecond): // or they would take all of the processor
					}
				}
			})
		}
	}
	narrow := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	hold := func(ctx context.Context, c net.Conn, during func(i int) bool) {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		defer c.Close()
		gone := make(chan struct{})
		go func() { // ends with the connection
			defer close(gone)
			if _, err := io.Copy(io.Discard, c); err != nil {
				return
			}
		}()
		for i := 0; ; i++ {
			select {
			case <-gone:
				return
			case <-time.After(time.Second):
				if during == nil || !during(i) {
					continue
				}
			}
		}
	}
	again(stuck, 0, func(ctx context.Context, id int) {
		c, err := narrow.DialContext(ctx, "tcp", addr)
		if err != nil {
			return
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		fmt.Fprintf(c, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		sendFrame(c, "40")
		for { // until the edge has closed it, which writing notices
			select {
			case <-ctx.Done():
				return
			case <-time.After(500 * time.Millisecond):
				if sendFrame(c, "3") != nil {
					return
				}
			}
		}
	})
	again(dribblers, 1, func(ctx context.Context, id int) {
		d := net.Dialer{KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+id%200))}}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return
		}
		head := "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 4000)
		io.WriteString(c, head[:id%len(head)])
		hold(ctx, c, func(i int) bool {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write([]byte("x"))
			return false
		})
	})
	again(heavy, 2, func(ctx context.Context, id int) { // a message that never ends
		c, r, err := dialSocket(p.clients, id, 5*time.Second)
		if err != nil {
			return
		}
		_ = r
		sendFrame(c, "40")
		c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		c.Write(append([]byte{0x01, 0x80 | 127, 0, 0, 0, 0, 0, 0x0e, 0x00, 0x00, 0, 0, 0, 0}, make([]byte, 900_000)...))
		hold(ctx, c, nil)
	})
	again(heavy/5+1, 3, func(ctx context.Context, id int) { // bodies of the largest size, and beyond
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(c, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n")
		b := make([]byte, 1024)
		n, _ := c.Read(b)
		_, rest, _ := strings.Cut(string(b[:n]), `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		fmt.Fprintf(c, "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", sid)
		c.Write(make([]byte, 999_999)) // one is missing
		time.Sleep(time.Second)
	})
	again(heavy/5+1, 4, func(ctx context.Context, id int) { // events that nobody settles
		c, _, err := dialSocket(p.clients, id, 5*time.Second)
		if err != nil {
			return
		}
		sendFrame(c, "40")
		event := `42["heavy","` + strings.Repeat("x", 50_000) + `"]`
		frame := append([]byte{0x81, 0x80 | 126, byte(len(event) >> 8), byte(len(event) & 0xff), 0, 0, 0, 0}, event...)
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		for {
			c.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Write(frame); err != nil {
				c.Close()
				return
			}
		}
	})
	nonsense := []string{"\x16\x03\x01\x02\x00", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", strings.Repeat("A", 20_000),
		"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 2500) + "\r\n",
		"POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"}
	again(20, 5, func(ctx context.Context, id int) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Second))
		io.WriteString(c, nonsense[(id+int(kinds[5].Load()))%len(nonsense)])
		io.Copy(io.Discard, c)
	})
	attack.Go(func() { // 4 MB a second and more, to everyone
		text := strings.Repeat("x", 8<<10)
		for ctx.Err() == nil {
			sender.Emit(ctx, "tick", text)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	worst, anonymous, level := int64(0), int64(0), map[string]int{}
	for ctx.Err() == nil {
		worst, anonymous = max(worst, p.rss(t)), max(anonymous, p.anonymous(t))
		all := p.get(t, p.ops+"/metrics")
		for _, l := range []string{"roomy", "tight", "short", "spent"} {
			if metric(all, `sioedge_memory_level{level="`+l+`"}`) == "1" {
				level[l]++
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	attack.Wait()
	defer func() {
		if t.Failed() {
			t.Logf("the edge says: %s", &p.stderr)
		}
	}()
	kernel := cgroupNumber(dir, "memory.max_usage_in_bytes", "memory.peak")
	killed := cgroupNumber(dir, "memory.oom_control:oom_kill", "memory.events:oom_kill")
	t.Logf("played: %d stuck readers, %d dribblers, %d endless messages, %d bodies, %d floods, %d pieces of nonsense", kinds[0].Load(), kinds[1].Load(),
		kinds[2].Load(), kinds[3].Load(), kinds[4].Load(), kinds[5].Load())
	t.Logf("its own memory %s at most, resident with the pages of files %s; by the kernel's count %s of %s, page cache included; killed %d times; levels seen: %v",
		mib(anonymous), mib(worst), mib(kernel), mib(limit), killed, level)
	t.Logf("%d heartbeats of %d good clients; the longest from ping to ping %v, %v before; refused: %s", h.pings.Load(), good,
		time.Duration(h.longest.Load()).Round(time.Millisecond), calm.Round(time.Millisecond), p.refusals(t))
	if p.ProcessState != nil || killed > 0 {
		t.Fatalf("the edge was killed: %s", &p.stderr)
	}
	if anonymous > limit/100*95 { // pages of files go when room is needed
		t.Errorf("%s of its own", mib(anonymous))
	}
	if n := h.left(let); n > 0 {
		t.Errorf("%d of %d good clients lost their connection", n, good)
	}
	if gap := time.Duration(h.longest.Load()); gap > 6*time.Second {
		t.Errorf("%v from ping to ping", gap)
	}
	release()
	h.stop()
	eventually(t, "everything that was charged for clients is free", func() bool {
		all := p.get(t, p.ops+"/metrics")
		for _, what := range []string{"strangers", "clients", "kernel", "input", "queues"} {
			if metric(all, `sioedge_memory_used_bytes{for="`+what+`"}`) != "0" {
				return false
			}
		}
		return true
	})
}

// anonymous is the resident memory of the process that no file stands behind, in bytes.
func (p *process) anonymous(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	var kb int64
	fmt.Sscan(rest, &kb)
	return kb << 10
}

// refusals are the counts that are not zero.
func (p *process) refusals(t *testing.T) string {
	var all []string
	for line := range strings.Lines(p.get(t, p.ops+"/metrics")) {
		for _, prefix := range []string{"sioedge_refused_total", "sioedge_shed_total", "sioedge_memory_level_begun_total", "sioedge_connections_closed_total"} {
			if rest, ok := strings.CutPrefix(line, prefix); ok && !strings.HasSuffix(line, " 0\n") {
				all = append(all, strings.TrimSpace(rest))
			}
		}
	}
	return strings.Join(all, " ")
}
