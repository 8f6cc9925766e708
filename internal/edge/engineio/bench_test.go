package engineio

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// BenchmarkIdle opens many WebSockets over loopback and reports the heap and the stacks that one
// of them costs, client side included in neither: a client is a bare descriptor.
func BenchmarkIdle(b *testing.B) { benchmarkIdle(b, false) }

// BenchmarkIdleTLS is BenchmarkIdle with TLS 1.3; the client's share of that is not counted either.
func BenchmarkIdleTLS(b *testing.B) { benchmarkIdle(b, true) }

func benchmarkIdle(b *testing.B, secure bool) {
	const n = 4000
	for b.Loop() {
		f := &floor{mute: true}
		s := NewServer(Config{}, f, quiet)
		hs := httptest.NewUnstartedServer(s)
		if secure {
			hs.Listener = seals{hs.Listener, certificate()}
		}
		hs.Start()
		conns := make([]*net.TCPConn, 0, n)
		before := memory0()
		goroutines := runtime.NumGoroutine()
		for range n {
			conns = append(conns, openRaw(b, hs.Listener.Addr().String(), secure))
		}
		f.mu.Lock()
		f.sockets, f.inside = nil, nil // the recorder's own
		f.mu.Unlock()
		after := memory0()
		// A client of Go's net package costs a descriptor object of its own.
		own := clientCost(b)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n-own, "heap-B/conn")
		b.ReportMetric(float64(int64(after.StackInuse)-int64(before.StackInuse))/n, "stack-B/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		for _, c := range conns {
			c.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := s.Close(ctx); err != nil {
			b.Fatal(err)
		}
		cancel()
		hs.Close()
	}
}

func memory0() (m runtime.MemStats) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m
}

// clientCost is the heap of one net.TCPConn, measured.
func clientCost(b *testing.B) float64 {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	const n = 200
	before := memory0()
	conns := make([]net.Conn, 0, 2*n)
	for range n {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		d, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, c, d)
	}
	after := memory0()
	for _, c := range conns {
		c.Close()
	}
	return float64(after.HeapAlloc-before.HeapAlloc) / (2 * n)
}

// openRaw opens a WebSocket and returns what is left of the client: with TLS its connection is of
// no more use than to be there.
func openRaw(b *testing.B, addr string, secure bool) *net.TCPConn {
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	nc := tcp
	if secure {
		nc = tls.Client(tcp, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := nc.Write([]byte("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: " + addr +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: bench\r\n\r\n")); err != nil {
		b.Fatal(err)
	}
	var buf [1024]byte
	for seen := 0; ; {
		n, err := nc.Read(buf[seen:])
		if err != nil {
			b.Fatal(err)
		}
		if seen += n; seen > 200 && buf[seen-1] == '}' {
			return tcp.(*net.TCPConn)
		}
	}
}

// BenchmarkEcho sends bursts of ten messages of 100 bytes over one WebSocket, and waits for their
// echoes. One operation is one message.
func BenchmarkEcho(b *testing.B) { benchmarkEcho(b, 10) }

// BenchmarkEchoSingle waits for every echo.
func BenchmarkEchoSingle(b *testing.B) { benchmarkEcho(b, 1) }

func benchmarkEcho(b *testing.B, window int) {
	s := NewServer(Config{}, echo{}, quiet)
	hs := httptest.NewServer(s)
	defer hs.Close()
	nc := openRaw(b, hs.Listener.Addr().String(), false)
	payload := make([]byte, 101)
	for i := range payload {
		payload[i] = '4'
	}
	var burst []byte
	for range window {
		burst = append(burst, frame(0x81, payload)...)
	}
	size := window * (2 + len(payload))
	buf := make([]byte, size)
	b.ReportAllocs()
	begin := cpuTime()
	for i := 0; i < b.N; i += window {
		nc.Write(burst)
		for n := 0; n < size; {
			k, err := nc.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op") // of both ends
	nc.Close()
	s.Close(context.Background())
}

// cpuTime is what the process used so far: on a busy machine the only figure worth comparing.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// echo is a Handler that records nothing.
type echo struct{}

func (echo) Open(*Socket)           {}
func (echo) Closed(*Socket, Reason) {}
func (echo) Upgraded(*Socket)       {}

func (echo) Message(s *Socket, _ bool, data []byte) {
	s.Queue(NewMessage(data, nil), false)
}

// BenchmarkFeed handles messages without a network: unmasking, checking, delivering.
func BenchmarkFeed(b *testing.B) {
	s := NewServer(Config{}, nothing{}, quiet)
	sock := &Socket{server: s}
	c := &conn{sock: sock, pipe: nowhere{}}
	sock.conn = c
	payload := make([]byte, 101)
	for i := range payload {
		payload[i] = '4'
	}
	f := frame(0x81, payload)
	b.ReportAllocs()
	begin := cpuTime()
	for b.Loop() {
		c.feed(f)
	}
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op")
}

type nothing struct{ echo }

func (nothing) Message(*Socket, bool, []byte) {}

type nowhere struct{}

func (nowhere) startLocked()   {}
func (nowhere) flushLocked()   {}
func (nowhere) resumeLocked()  {}
func (nowhere) finishLocked()  {}
func (nowhere) destroyLocked() {}

// BenchmarkBroadcast queues and flushes one message to 500 WebSockets. One operation is one
// delivery.
func BenchmarkBroadcast(b *testing.B) {
	const n = 500
	f := &floor{mute: true}
	s := NewServer(Config{}, f, quiet)
	hs := httptest.NewServer(s)
	defer hs.Close()
	var conns []net.Conn
	for range n {
		nc := openRaw(b, hs.Listener.Addr().String(), false)
		conns = append(conns, nc)
		go func() {
			buf := make([]byte, 64<<10)
			for {
				if _, err := nc.Read(buf); err != nil {
					return
				}
			}
		}()
	}
	m := NewMessage(make([]byte, 200), nil)
	b.ReportAllocs()
	b.ResetTimer()
	begin := cpuTime()
	for i := 0; i < b.N; i++ {
		sock := f.sockets[i%n]
		sock.Queue(m, false)
		sock.Flush()
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op") // of both ends
	for _, c := range conns {
		c.Close()
	}
	s.Close(context.Background())
}
