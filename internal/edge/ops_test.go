package edge

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOpsAnswersToLocalhostOnly(t *testing.T) {
	s, _ := start(t, Config{})
	for host, want := range map[string]int{"localhost:9090": 200, "127.0.0.1:9090": 200, "[::1]": 200, "evil.example": 403, "127.0.0.1.evil.example:9090": 403} {
		c := dial(t, s.OpsAddr)
		fmt.Fprintf(c, "GET /healthz/live HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		if status, _, _ := read(t, bufio.NewReader(c)); status != want {
			t.Errorf("Host %s: %d, want %d", host, status, want)
		}
	}
}

func TestOpsOffLoopback(t *testing.T) {
	s := NewServer(Config{}, newEcho(), slog.New(slog.DiscardHandler))
	other := context.WithValue(context.Background(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9090})
	s.Ops.HandleFunc("/command", func(w http.ResponseWriter, r *http.Request) { t.Error("reached") })
	for path, want := range map[string]int{"/healthz": 200, "/healthz/live": 200, "/command": 403, "/healthzz": 403} {
		w := httptest.NewRecorder()
		s.ops.Handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil).WithContext(other))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// A page of another site may not even send what an operator may.
func TestOpsRefusesOtherSites(t *testing.T) {
	s := NewServer(Config{}, newEcho(), slog.New(slog.DiscardHandler))
	loopback := context.WithValue(context.Background(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090})
	s.Ops.HandleFunc("/command", func(w http.ResponseWriter, r *http.Request) {})
	for site, want := range map[string]int{"": 200, "same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403} {
		r := httptest.NewRequest("POST", "http://127.0.0.1:9090/command", nil).WithContext(loopback)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		s.ops.Handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Sec-Fetch-Site %q: %d, want %d", site, w.Code, want)
		}
	}
}
