package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The service manager hears that the edge is ready, that it is alive, and that it ends.
func TestWatchdog(t *testing.T) {
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "40000")
	p := startEdge(t)
	hear := func() string {
		b := make([]byte, 256)
		manager.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := hear(); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	p.Process.Signal(os.Interrupt)
	for got := hear(); got != "STOPPING=1"; got = hear() {
		if got != "WATCHDOG=1" {
			t.Fatalf("%q", got)
		}
	}
	io.Copy(io.Discard, p.stdout)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestWatchdogInterval(t *testing.T) {
	for _, tt := range []struct {
		pid, usec string
		want      time.Duration
	}{{"", "", 0}, {"", "30000000", 30 * time.Second}, {"7", "1000", time.Millisecond}, {"8", "1000", 0}, {"7", "soon", 0}, {"", "-1", 0}} {
		env := map[string]string{"WATCHDOG_PID": tt.pid, "WATCHDOG_USEC": tt.usec}
		if got := watchdogInterval(func(k string) string { return env[k] }, 7); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
