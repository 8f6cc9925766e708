package engineio

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A Server that closes lets go of its clients at an even rate. Who is still there is served, who
// is new is not taken.
func TestP6_CloseIsSpread(t *testing.T) {
	f := &floor{}
	synctest.Test(t, func(t *testing.T) {
		const clients = 400
		e := startEdge(t, inMemory, Config{CloseSpread: 4 * time.Second}, f)
		defer e.stop()
		for range clients - 1 {
			c, _ := e.ws()
			defer c.conn.Close()
			go func() { // ends with the connection
				for {
					if _, _, err := c.next(); err != nil {
						c.conn.Close()
						return
					}
				}
			}()
		}
		_, q := e.poll()
		begin := time.Now()
		done := make(chan error, 1)
		go func() { done <- e.server.Close(context.Background()) }()
		synctest.Wait()
		for second := 1; second <= 4; second++ {
			if resp, _ := e.do("GET", "EIO=4&transport=polling", ""); resp.StatusCode != 503 {
				t.Fatalf("a new client got %d", resp.StatusCode)
			}
			if second == 1 {
				e.do("POST", q, "4still here") // or it was its turn already
			}
			time.Sleep(time.Until(begin.Add(time.Duration(second)*time.Second - 5*time.Millisecond)))
			synctest.Wait()
			if n := len(f.reasonsSoFar()); n < 100*second-2 || n > 100*second+2 {
				t.Errorf("%d closed after %d s", n, second)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 7*time.Second {
			t.Errorf("took %v", took)
		}
		for _, r := range f.reasonsSoFar() {
			if r != ServerShutdown {
				t.Errorf("closed with %v", r)
			}
		}
	})
}

// A few clients are not kept waiting, and the end of the context lets go of all.
func TestCloseDoesNotLinger(t *testing.T) {
	for name, limit := range map[string]time.Duration{"few": time.Hour, "no time": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			f := &floor{}
			synctest.Test(t, func(t *testing.T) {
				e := startEdge(t, inMemory, Config{CloseSpread: time.Minute}, f)
				defer e.stop()
				for range 3 {
					c, _ := e.ws()
					defer c.conn.Close()
				}
				begin := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				e.server.closing.Store(true)
				e.server.closeAll(ctx, e.server.sockets())
				if took := time.Since(begin); took > 30*time.Millisecond {
					t.Errorf("took %v", took)
				}
				synctest.Wait()
				if n := len(f.reasonsSoFar()); n != 3 {
					t.Errorf("%d closed", n)
				}
			})
		})
	}
}

// What waits for a client is found, with the most first.
func TestSlowest(t *testing.T) {
	f := &floor{}
	e := newEdge(t, Config{}, f)
	var all []*Socket
	for range 3 {
		e.poll() // nobody polls again: what is queued waits
		all = append(all, f.last())
	}
	all[0].Queue(NewMessage([]byte("small"), nil), false)
	all[1].Queue(NewMessage(make([]byte, 10_000), nil), false)
	all[2].Pause()
	got := e.server.Slowest(10)
	if len(got) != 3 || got[0].Socket != all[1] || got[0].Bytes < 10_000 || got[0].Packets != 1 || got[0].Transport != Polling ||
		got[1].Socket != all[0] || got[2].Socket != all[2] || !got[2].Paused {
		t.Errorf("%+v", got)
	}
	if got := e.server.Slowest(1); len(got) != 1 || got[0].Socket != all[1] {
		t.Errorf("%+v", got)
	}
}
