package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestDrain(t *testing.T) {
	var faults atomic.Pointer[error]
	full := errors.New("no room on the disk")
	cfg := Config{Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0", Degraded: func() error {
		if err := faults.Load(); err != nil {
			return *err
		}
		return nil
	}}
	engine := newEcho()
	s := NewServer(cfg, engine, slog.New(slog.DiscardHandler))
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()

	ops := dial(t, s.OpsAddr)
	opsReader := bufio.NewReader(ops)
	io.WriteString(ops, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if status, body, _ := read(t, opsReader); status != 200 || body != "ready\n" {
		t.Fatalf("health: %d %q", status, body)
	}
	faults.Store(&full)
	io.WriteString(ops, "GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if status, body, _ := read(t, opsReader); status != 200 || body != "degraded: no room on the disk\n" {
		t.Fatalf("health while the disk is full: %d %q", status, body)
	}
	c := dial(t, s.Addr)
	io.WriteString(c, "GET /socket.io/wait HTTP/1.1\r\nHost: a\r\n\r\n")
	<-engine.waiting
	cancel()
	if status, body, _ := read(t, bufio.NewReader(c)); status != 200 || body != "closed" {
		t.Errorf("the waiting request got %d %q", status, body)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after the drain: %v, want refused", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	engine := newEcho()
	s := NewServer(Config{Listen: "127.0.0.1:0", DrainTimeout: 50 * time.Millisecond}, stuck{engine}, slog.New(slog.DiscardHandler))
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c := dial(t, s.Addr)
	io.WriteString(c, "GET /socket.io/wait HTTP/1.1\r\nHost: a\r\n\r\n")
	<-engine.waiting
	cancel()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want deadline exceeded", err)
	}
	engine.Close(context.Background())
}

// stuck is an Engine that does not let go.
type stuck struct{ *echo }

func (stuck) Close(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
