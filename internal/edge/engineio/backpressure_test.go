package engineio

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPause(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		t.Run("messages wait", func(t *testing.T) {
			f := &floor{hear: func(s *Socket, _ bool, data []byte) {
				if string(data) == "stop" {
					s.Pause()
				}
			}}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			s := f.last()
			for round := 1; round <= 3; round++ {
				half := frame(0x81, []byte("4half"))
				c.say("4a", "4stop", "4b", "4c")
				c.send(half[:5])
				want := 5*(round-1) + 2
				eventually(t, "paused", func() bool { return len(f.heard()) == want })
				c.send(half[5:])
				s.Queue(NewMessage([]byte("down"), nil), false) // the other direction goes on
				s.Flush()
				c.want("4down")
				if n := len(f.heard()); n != want {
					t.Errorf("%d messages while paused, want %d", n, want)
				}
				s.Unpause()
				eventually(t, "all", func() bool { return len(f.heard()) == want+3 })
			}
			one := "a stop b c half "
			if got := strings.Join(f.heard(), " ") + " "; got != strings.Repeat(one, 3) {
				t.Errorf("heard %s", got)
			}
		})
		t.Run("what waits is all that arrived", func(t *testing.T) {
			f := &floor{hear: func(s *Socket, _ bool, data []byte) { s.Pause() }}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.say("4a", "4b", "4c")
			for n := 1; n <= 3; n++ {
				eventually(t, "one more", func() bool { return len(f.heard()) == n })
				f.last().Unpause()
			}
			if got := strings.Join(f.heard(), " "); got != "a b c" {
				t.Errorf("heard %s", got)
			}
		})
		t.Run("a lot waits", func(t *testing.T) {
			var once sync.Once
			f := &floor{mute: true}
			f.hear = func(s *Socket, _ bool, _ []byte) { once.Do(s.Pause) }
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			s := f.last()
			big := "4" + strings.Repeat("x", 10_000)
			go func() {
				for range 200 {
					c.say(big)
				}
			}()
			eventually(t, "paused", func() bool { return len(f.heard()) == 1 })
			s.Unpause()
			eventually(t, "all", func() bool { return len(f.heard()) == 200 })
		})
		t.Run("client goes while paused", func(t *testing.T) {
			f := &floor{hear: func(s *Socket, _ bool, _ []byte) { s.Pause() }}
			e := newEdgeOn(t, over, Config{PauseTimeout: 50 * time.Millisecond}, f)
			c, _ := e.ws()
			c.say("4a", "4b")
			eventually(t, "paused", func() bool { return len(f.heard()) == 1 })
			c.conn.Close()
			eventually(t, "closed", func() bool { return len(f.reasonsSoFar()) == 1 })
		})
		t.Run("closed while paused", func(t *testing.T) {
			f := &floor{hear: func(s *Socket, _ bool, _ []byte) { s.Pause() }}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.say("4a", "4b")
			eventually(t, "paused", func() bool { return len(f.heard()) == 1 })
			f.last().Close(ForcedClose)
			c.wantClose(1005)
			f.wantClosed(t, ForcedClose)
			if len(f.heard()) != 1 {
				t.Errorf("heard %q", f.heard())
			}
		})
	})
	t.Run("POST waits", func(t *testing.T) {
		f := &floor{mute: true, hear: func(s *Socket, _ bool, data []byte) {
			if string(data) == "stop" {
				s.Pause()
			}
		}}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("POST", q, "4a\x1e4stop\x1e4b")
		eventually(t, "paused", func() bool { return len(f.heard()) == 2 })
		f.last().Queue(NewMessage([]byte("down"), nil), false)
		f.last().Flush()
		e.want(200, "4down", "GET", q, "")
		f.last().Unpause()
		if a := <-got; a.status != 200 || strings.Join(f.heard(), " ") != "a stop b" {
			t.Errorf("%v %v", a, f.heard())
		}
	})
	t.Run("POST waits, the Socket closes", func(t *testing.T) {
		f := &floor{hear: func(s *Socket, _ bool, data []byte) { s.Pause() }}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("POST", q, "4a\x1e4b")
		eventually(t, "paused", func() bool { return len(f.heard()) == 1 })
		f.last().Close(ForcedClose)
		if a := <-got; a.status != 200 || len(f.heard()) != 1 {
			t.Errorf("%v %v", a, f.heard())
		}
	})
	t.Run("rel/P5 30 s, and no ping timeout meanwhile", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			time.Sleep(20 * time.Second)
			f.last().Pause()
			go func() {
				for {
					if _, _, err := c.next(); err != nil {
						return
					}
					c.say("3") // nobody reads it
				}
			}()
			f.wantAt(t, time.Now(), 30*time.Second, Stalled)
		})
	})
	t.Run("pings go on, so that the client does not give up", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{PauseTimeout: 10 * time.Minute}, f, func(t *testing.T, e *edge, c *client) {
			f.last().Pause()
			last := time.Now()
			for range 10 {
				c.want("2")
				if d := time.Since(last); d > 25*time.Second {
					t.Errorf("%v without a ping", d)
				}
				last = time.Now()
			}
			f.last().Unpause()
			c.say("3")
			c.want("2")
			if d := time.Since(last); d > 45*time.Second {
				t.Errorf("%v without a ping", d)
			}
			c.say("3")
			f.last().Pause()
			f.last().Unpause()
			go io.Copy(io.Discard, c.conn)
			f.wantAt(t, time.Now(), 45*time.Second, PingTimeout)
		})
	})
}

func TestAssemblyTimeout(t *testing.T) {
	for _, tt := range []struct {
		id   string
		send []byte
	}{
		{"rel/W14 fragment, then silence", frame(0x01, []byte("4a"))},
		{"rel/W14 half a frame", frame(0x81, []byte("4abc"))[:7]},
		{"rel/W14 half a header", []byte{0x81}},
		{"rel/W14 half a ping", frame(0x89, []byte("abc"))[:7]},
	} {
		t.Run(tt.id, func(t *testing.T) {
			f := &floor{}
			inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
				c.send(tt.send)
				begin := time.Now()
				if first, p, err := c.next(); first != 0x88 || string(p[:2]) != "\x03\xf0" { // 1008
					t.Errorf("%#x %q %v", first, p, err)
				}
				if d := time.Since(begin); d != 10*time.Second {
					t.Errorf("after %v", d)
				}
				synctest.Wait()
				if got := f.reasonsSoFar(); len(got) != 1 || got[0] != TransportError {
					t.Errorf("%v", got)
				}
			})
		})
	}
	t.Run("complete in time", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			for range 3 {
				c.send(frame(0x01, []byte("4a")))
				time.Sleep(7 * time.Second)
				c.send(frame(0x80, []byte("b")))
				c.want("4ab")
			}
		})
	})
}

func TestCloseTimeout(t *testing.T) {
	t.Run("rel/W18 client does not answer the close", func(t *testing.T) {
		inBubble(t, Config{}, &floor{}, func(t *testing.T, e *edge, c *client) {
			e.floor.last().Close(ForcedClose)
			if first, _, _ := c.next(); first != 0x88 {
				t.Fatalf("%#x", first)
			}
			begin := time.Now()
			var chatter sync.WaitGroup
			chatter.Go(func() {
				for {
					if _, err := c.conn.Write(frame(0x82, make([]byte, 100))); err != nil {
						return
					}
					time.Sleep(time.Second / 10)
				}
			})
			defer chatter.Wait()
			io.Copy(io.Discard, c.in)
			if d := time.Since(begin); d != 2*time.Second {
				t.Errorf("after %v", d)
			}
		})
	})
}

func TestSlowClient(t *testing.T) {
	t.Run("rel/P13 10 s without progress", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			s := f.last()
			begin := time.Now()
			s.Queue(NewMessage([]byte("nobody reads this"), nil), false)
			s.Flush()
			f.wantAt(t, begin, 10*time.Second, SlowConsumer)
		})
	})
	onEach(t, func(t *testing.T, over wire) {
		t.Run("short writes", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{MaxQueuedBytes: 100 << 20, MaxQueuedPackets: 1 << 20}, f)
			c, _ := e.ws()
			s := f.last()
			var want []string
			for i := range 3000 {
				p := strings.Repeat(string(rune('a'+i%26)), 1+i*i%9000)
				want = append(want, "4"+p)
				s.Queue(NewMessage([]byte(p), nil), false)
				if i%3 == 0 {
					s.Flush()
				}
			}
			s.Flush()
			s.mu.Lock()
			if s.out == nil {
				t.Log("nothing was left over: the kernel took it all")
			}
			s.mu.Unlock()
			c.say("4mid") // ctl and the echo come behind
			c.send(frame(0x89, []byte("p")))
			for i, w := range want {
				if i == 1500 {
					s.Close(ForcedClose) // flushes first
				}
				for {
					first, p, err := c.next()
					if err != nil {
						t.Fatal(err)
					}
					if first == 0x8a || string(p) == "4mid" {
						continue
					}
					if string(p) != w {
						t.Fatalf("read %.20q, want %.20q", p, w)
					}
					break
				}
			}
			c.wantClose(1005)
		})
		t.Run("rel/P13 full queue, in the middle of a broadcast", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			slow, _ := e.ws()
			var clients []*client
			for range 5 {
				c, _ := e.ws()
				clients = append(clients, c)
			}
			f.mu.Lock()
			sockets := append([]*Socket(nil), f.sockets...)
			f.mu.Unlock()
			m := NewMessage([]byte(strings.Repeat("x", 50_000)), nil)
			const rounds = 400 // 20 MB: more than the kernel takes for one that does not read
			var done sync.WaitGroup
			got := make([]int, len(clients))
			for i, c := range clients {
				done.Go(func() {
					for got[i] < rounds {
						if _, p, err := c.next(); err != nil || len(p) != 50_001 {
							return
						}
						got[i]++
					}
				})
			}
			for range rounds {
				for _, s := range sockets {
					for !s.Queue(m, false) && s != sockets[0] {
						t.Fatal("a healthy client was dropped")
					}
					s.Flush()
				}
				for _, s := range sockets[1:] { // healthy ones keep up
					eventually(t, "flushed", func() bool {
						s.mu.Lock()
						defer s.mu.Unlock()
						return s.out == nil || s.out.bytes < 200_000
					})
				}
			}
			done.Wait()
			for i := range got {
				if got[i] != rounds {
					t.Errorf("client %d got %d of %d", i, got[i], rounds)
				}
			}
			f.wantClosed(t, SlowConsumer)
			slow.conn.Close()
		})
		t.Run("volatile", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			s := f.last()
			m := NewMessage([]byte("v"), nil)
			idle := func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.writableLocked()
			}
			eventually(t, "idle", idle)
			if !s.Queue(m, true) {
				t.Error("dropped on an idle WebSocket")
			}
			if s.Queue(m, true) {
				t.Error("a second one is taken before the first has left")
			}
			s.Flush()
			c.want("4v")
			eventually(t, "idle", idle)
			if !s.Queue(m, true) {
				t.Error("dropped afterwards")
			}
			s.Flush()
			c.want("4v")
		})
	})
	t.Run("volatile, while a write is stuck", func(t *testing.T) {
		f := &floor{}
		inBubble(t, Config{}, f, func(t *testing.T, e *edge, c *client) {
			s := f.last()
			m := NewMessage([]byte("v"), nil)
			s.Queue(m, false)
			s.Flush()
			synctest.Wait()
			if s.Queue(m, true) {
				t.Error("taken")
			}
			c.want("4v")
			synctest.Wait()
			if !s.Queue(m, true) {
				t.Error("not taken")
			}
			s.Flush()
			c.want("4v")
		})
	})
	t.Run("volatile, polling", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		s := f.last()
		m := NewMessage([]byte("v"), nil)
		if s.Queue(m, true) {
			t.Error("taken although no GET waits")
		}
		got := e.async("GET", q, "")
		eventually(t, "a GET waits", s.pollWaits)
		if !s.Queue(m, true) || s.Queue(m, true) {
			t.Error("not exactly one is taken")
		}
		s.Flush()
		if a := <-got; a.body != "4v" {
			t.Errorf("%v", a)
		}
	})
	t.Run("full queue, polling", func(t *testing.T) {
		for _, cfg := range []Config{{MaxQueuedBytes: 1000}, {MaxQueuedPackets: 10}} {
			f := &floor{}
			e := newEdge(t, cfg, f)
			_, q := e.poll()
			n := 0
			for f.last().Queue(NewMessage([]byte(strings.Repeat("x", 97)), nil), false) {
				n++
			}
			if n != 10 {
				t.Errorf("%d messages queued", n)
			}
			f.wantClosed(t, SlowConsumer)
			e.want(400, sidUnknown, "GET", q, "")
		}
	})
}
