package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlowHeads(t *testing.T) {
	const get = "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tt := range []struct {
		name string
		send func(net.Conn)
		want time.Duration
	}{
		{"C1 nothing", func(net.Conn) {}, 5 * time.Second},
		{"H3 one byte every 4 s", func(c net.Conn) { drip(c, get) }, 5 * time.Second},
		{"H3 in the second request", func(c net.Conn) {
			io.WriteString(c, get)
			time.Sleep(60 * time.Second)
			drip(c, get)
		}, 65 * time.Second},
		{"idle after a request", func(c net.Conn) { io.WriteString(c, get) }, 75 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewServer(Config{}, newEcho(), slog.New(slog.DiscardHandler))
				l := make(pipes)
				s.listener = newListener(netSource{l}, s.config, s.log)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				client, server := net.Pipe()
				begin := time.Now()
				l <- server
				sent := make(chan struct{})
				go func() { defer close(sent); tt.send(client) }()
				io.Copy(io.Discard, client)
				if got := time.Since(begin); got != tt.want {
					t.Errorf("closed after %v, want %v", got, tt.want)
				}
				client.Close()
				<-sent
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func drip(c net.Conn, s string) {
	for i := range len(s) {
		if _, err := io.WriteString(c, s[i:i+1]); err != nil {
			return
		}
		time.Sleep(4 * time.Second)
	}
}

func TestTooManyConnections(t *testing.T) {
	s, _ := start(t, Config{MaxConnections: 1})
	first := dial(t, s.Addr)
	io.WriteString(first, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReader(first)
	if status, _, _ := read(t, r); status != 200 {
		t.Fatal(status)
	}
	if status, _, closing := read(t, bufio.NewReader(dial(t, s.Addr))); status != 503 || !closing {
		t.Errorf("second connection: %d, closing %v, want 503, closing", status, closing)
	}
	first.Close()
	for deadline := time.Now().Add(5 * time.Second); s.listener.open.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the place is never free again")
		}
		time.Sleep(time.Millisecond)
	}
	third := dial(t, s.Addr)
	io.WriteString(third, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
	if status, _, _ := read(t, bufio.NewReader(third)); status != 200 {
		t.Errorf("third connection: %d, want 200", status)
	}
}

func TestTooManyClients(t *testing.T) {
	s, engine := start(t, Config{MaxConnections: 2})
	engine.connections.Store(2)
	for target, want := range map[string]int{"/socket.io/?EIO=4&transport=polling": 503, "/socket.io/?EIO=4&transport=polling&sid=a": 200} {
		c := dial(t, s.Addr)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target)
		if status, _, closing := read(t, bufio.NewReader(c)); status != want || closing != (want == 503) {
			t.Errorf("%s: %d, closing %v, want %d", target, status, closing, want)
		}
		c.Close()
	}
}

// exhaustedListener fails as often as it says.
type exhaustedListener struct {
	pipes
	failures int
}

func (l *exhaustedListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.pipes.Accept()
}

func TestC12NoDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		cfg := Config{Refused: func(string, string) { refused++ }}.withDefaults()
		exhausted := &exhaustedListener{make(pipes, 1), 10}
		l := newListener(netSource{exhausted}, cfg, slog.New(slog.DiscardHandler))
		client, server := net.Pipe()
		exhausted.pipes <- server
		begin := time.Now()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		// 5 + 10 + … + 640 ms, then a second each.
		if took, want := time.Since(begin), 1275*time.Millisecond+2*time.Second; took != want || refused != 10 {
			t.Errorf("accepted after %v and %d refusals, want %v and 10", took, refused, want)
		}
		c.Close()
		client.Close()
	})
}
