package engineio

import (
	"runtime"
	"testing"
)

// TestIdleWebSocketsHaveNoGoroutine: nor anything else that is only for being busy. It is for the loops,
// which other systems do not have.
func TestIdleWebSocketsHaveNoGoroutine(t *testing.T) {
	const n = 100
	f := &floor{}
	e := newEdge(t, Config{}, f)
	e.ws()
	before := runtime.NumGoroutine()
	var clients []*client
	for range n {
		c, _ := e.ws()
		clients = append(clients, c)
	}
	eventually(t, "the goroutines of net/http are gone", func() bool { return runtime.NumGoroutine() < before+n/10 })
	for _, c := range clients {
		c.say("4a")
		c.want("4a")
	}
	if got := runtime.NumGoroutine(); got >= before+n/10 {
		t.Errorf("%d goroutines, %d before", got, before)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sockets {
		s.recvMu.Lock()
		s.mu.Lock()
		if s.out != nil || s.conn.in != nil || s.conn.ctl != nil || s.conn.assembling != nil || s.conn.stall != nil {
			t.Errorf("an idle Socket holds %v %v %v", s.out, s.conn.in, s.conn.ctl)
		}
		s.mu.Unlock()
		s.recvMu.Unlock()
	}
}
