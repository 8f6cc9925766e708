package engineio

import (
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test in virtual time, with a session on a WebSocket.
func inBubble(t *testing.T, cfg Config, f *floor, test func(t *testing.T, e *edge, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		e := startEdge(t, inMemory, cfg, f)
		defer e.stop()
		c, _ := e.ws()
		test(t, e, c)
		c.conn.Close()
	})
}

// wantAt expects the Socket to be closed at an instant, and not before.
func (f *floor) wantAt(t *testing.T, begin time.Time, after time.Duration, want Reason) {
	t.Helper()
	time.Sleep(time.Until(begin.Add(after)) - 1)
	synctest.Wait()
	if got := f.reasonsSoFar(); len(got) > 0 {
		t.Fatalf("closed early: %v", got)
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	if got := f.reasonsSoFar(); len(got) != 1 || got[0] != want {
		t.Fatalf("closed with %v, want [%v]", got, want)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Run("B02 ping and pong", func(t *testing.T) {
		inBubble(t, Config{}, &floor{}, func(t *testing.T, e *edge, c *client) {
			for range 5 {
				begin := time.Now()
				c.want("2")
				if d := time.Since(begin); d != 25*time.Second {
					t.Errorf("ping after %v", d)
				}
				time.Sleep(3 * time.Second) // the next is due 25 s after the pong
				c.say("3")
			}
		})
	})
	t.Run("B04 B05 B07 B08 rel/K8 no pong", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			go c.want("2")
			f.wantAt(t, time.Now(), 45*time.Second, PingTimeout)
			c.wantClose(1005)
		})
	})
	t.Run("timeouts do not drift", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond}, f,
			func(t *testing.T, e *edge, c *client) {
				go c.want("2")
				f.wantAt(t, time.Now(), 500*time.Millisecond, PingTimeout)
			})
	})
	t.Run("B09 closed after a missed pong", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			c.want("2")
			time.Sleep(19 * time.Second)
			c.conn.Close()
			synctest.Wait()
			if got := f.reasonsSoFar(); len(got) != 1 || got[0] != TransportClose {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("B11 something else arrives", func(t *testing.T) {
		f := &floor{mute: true}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			c.want("2")
			begin := time.Now()
			time.Sleep(15 * time.Second)
			c.say("4a")
			time.Sleep(15 * time.Second)
			c.say("4b")                                     // prolongs nothing any more
			f.wantAt(t, begin, 35*time.Second, PingTimeout) // 15 s and 20 s
		})
	})
	t.Run("B11 a frame that is no packet prolongs nothing", func(t *testing.T) {
		f := &floor{mute: true}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			c.want("2")
			begin := time.Now()
			time.Sleep(15 * time.Second)
			c.send(frame(0x8a, nil))
			f.wantAt(t, begin, 20*time.Second, PingTimeout)
		})
	})
	t.Run("only a pong restarts the interval", func(t *testing.T) {
		inBubble(t, Config{}, &floor{mute: true}, func(t *testing.T, e *edge, c *client) {
			begin := time.Now()
			time.Sleep(20 * time.Second)
			c.say("4a", "3")
			c.want("2")
			if d := time.Since(begin); d != 25*time.Second {
				t.Errorf("ping after %v", d)
			}
		})
	})
	t.Run("B01 P19 polling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := startEdge(t, inMemory, Config{}, &floor{})
			defer e.stop()
			_, q := e.poll()
			begin := time.Now()
			e.want(200, "2", "GET", q, "")
			if d := time.Since(begin); d != 25*time.Second {
				t.Errorf("ping after %v", d)
			}
			e.want(200, "ok", "POST", q, "3")
			time.Sleep(30 * time.Second)
			e.want(200, "2", "GET", q, "") // buffered meanwhile
			e.want(200, "ok", "POST", q, "3")
		})
	})
	t.Run("B03 rel/E10 polling, no pong", func(t *testing.T) {
		f := &floor{}
		synctest.Test(t, func(t *testing.T) {
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			_, q := e.poll()
			f.wantAt(t, time.Now(), 45*time.Second, PingTimeout)
			e.want(400, sidUnknown, "GET", q, "")
		})
	})
	t.Run("P21 pongs within a backlog", func(t *testing.T) {
		f := &floor{}
		synctest.Test(t, func(t *testing.T) {
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			_, q := e.poll()
			for range 4 {
				for range 500 {
					f.last().Queue(NewMessage([]byte("x"), nil), false)
				}
				time.Sleep(25 * time.Second)
				e.do("GET", q, "")
				e.want(200, "ok", "POST", q, "3")
			}
		})
	})
	t.Run("many sockets, few rounds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &floor{}
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			for range 300 {
				e.poll()
				time.Sleep(time.Millisecond)
			}
			time.Sleep(24 * time.Second)
			rounds, called := 0, 0
			for range 2000 {
				time.Sleep(time.Millisecond)
				synctest.Wait()
				before := called
				called = 0
				for _, s := range f.sockets {
					s.mu.Lock()
					if s.phase == calling {
						called++
					}
					s.mu.Unlock()
				}
				if called != before {
					rounds++
				}
			}
			if rounds > 6 { // 300 ms of pings at one round in 98 ms
				t.Errorf("%d rounds", rounds)
			}
			if called != len(f.sockets) {
				t.Errorf("%d of %d called", called, len(f.sockets))
			}
		})
	})
}
