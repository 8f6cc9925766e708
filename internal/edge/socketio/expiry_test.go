package socketio

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Tokens expire in the order of their times, whatever that of their coming, and one that left early
// does not; nothing of it stays.
func TestExpiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mu sync.Mutex
		var fired []time.Duration
		x := &expiries{fire: func(e *expiry) {
			mu.Lock()
			defer mu.Unlock()
			fired = append(fired, time.Since(begin))
		}}
		for _, d := range []time.Duration{3 * time.Minute, time.Second, 5 * time.Hour, 2 * time.Minute, time.Second} {
			x.add(nil, begin.Add(d))
		}
		early := x.add(nil, begin.Add(time.Minute))
		x.remove(early)
		x.remove(early)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []time.Duration{time.Second, time.Second, 2 * time.Minute, 3 * time.Minute, 5 * time.Hour}; !slices.Equal(fired, want) {
			t.Errorf("fired after %v", fired)
		}
		x.add(nil, begin.Add(7*time.Hour))
		x.close()
		time.Sleep(2 * time.Hour) // it would wait for the lock, and the bubble for it
	})
}

// A client that comes and goes with one token after the other leaves none behind.
func TestExpiriesAreForgotten(t *testing.T) {
	srv := NewServer(Config{RecoveryWindow: time.Minute}, nil, nil, slog.New(slog.DiscardHandler))
	defer srv.Close()
	s := newSocket(srv.namespace("/"))
	for range 10 {
		s.proveLocked(&request{identity: &Identity{Subject: "alice", Expires: time.Now().Add(time.Hour)}})
		if n := len(srv.expiries.waiting); n != 1 {
			t.Errorf("%d wait", n)
		}
	}
	s.unproveLocked()
	if n := len(srv.expiries.waiting); n != 0 {
		t.Errorf("%d wait for one who has gone", n)
	}
}
