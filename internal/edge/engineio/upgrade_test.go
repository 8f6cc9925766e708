package engineio

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// probe opens a WebSocket for a polling session.
func (e *edge) probe(sid string) *client {
	e.t.Helper()
	return e.dial("EIO=4&transport=websocket&sid="+sid, nil)
}

func TestUpgrade(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		t.Run("U01 U08 U11 the whole of it", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			sid, q := e.poll()
			s := f.last()
			got := e.async("GET", q, "")
			eventually(t, "a GET waits", s.pollWaits)
			c := e.probe(sid)
			c.say("2probe")
			c.want("3probe")
			if a := <-got; a.body != "6" {
				t.Errorf("waiting GET: %v", a)
			}
			e.want(200, "6", "GET", q, "") // another does not wait
			s.Queue(NewMessage([]byte("still polling"), nil), false)
			s.Flush()
			e.want(200, "4still polling", "GET", q, "")
			s.Queue(NewMessage([]byte("buffered"), nil), false)
			s.Flush()
			if s.Transport() != Polling || len(f.upgrades()) > 0 {
				t.Error("upgraded too early")
			}
			c.say("5", "4first")
			c.want("4buffered", "4first")
			if s.Transport() != WebSocket {
				t.Error("not upgraded")
			}
			if got := f.upgrades(); !slices.Equal(got, []string{WebSocket}) {
				t.Errorf("told of upgrades to %q", got)
			}
			for _, method := range []string{"GET", "POST"} { // U02 rel/U8
				e.want(400, `{"code":3,"message":"Bad request"}`, method, q, "")
			}
			second := e.probe(sid) // U03 rel/W23
			second.wantClose(1005)
			c.say("4alive")
			c.want("4alive")
			if n := e.server.Connections(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
		t.Run("U02 probe and upgrade at once", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			sid, _ := e.poll()
			c := e.probe(sid)
			c.say("2probe", "5", "4a")
			c.want("3probe", "4a")
		})
		for _, tt := range []struct {
			id    string
			first byte
			send  string
		}{
			{"U09 rel/U2 message", 0x81, "4x"},
			{"rel/U2 ping", 0x81, "2"},
			{"rel/U2 binary", 0x82, "2probe"},
			{"rel/U2 garbage", 0x81, "abc"},
			{"U10 rel/U6 upgrade without a probe", 0x81, "5"},
			{"rel/U2 close", 0x81, "1"},
		} {
			t.Run(tt.id, func(t *testing.T) {
				e := newEdgeOn(t, over, Config{}, &floor{})
				sid, q := e.poll()
				c := e.probe(sid)
				c.send(frame(tt.first, []byte(tt.send)))
				c.wantClose(1005)
				e.want(200, "ok", "POST", q, "4a")
				e.want(200, "4a", "GET", q, "")
				c = e.probe(sid) // and it may try again
				c.say("2probe")
				c.want("3probe")
			})
		}
		t.Run("U06 broken frames while probing", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			sid, q := e.poll()
			c := e.probe(sid)
			c.send([]byte{0x81, 2, '4', 'a'})
			c.wantClose(1002)
			e.want(200, "ok", "POST", q, "4a")
			e.want(200, "4a", "GET", q, "")
		})
		t.Run("U06 gone while probing", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			sid, q := e.poll()
			c := e.probe(sid)
			c.say("2probe")
			c.want("3probe")
			c.conn.Close()
			s := f.last()
			eventually(t, "the probe is gone", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.polls.probe == nil
			})
			got := e.async("GET", q, "") // waits again
			eventually(t, "a GET waits", s.pollWaits)
			e.want(200, "ok", "POST", q, "4a")
			if a := <-got; a.body != "4a" {
				t.Errorf("%v", a)
			}
		})
		t.Run("rel/U4 probes", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			sid, q := e.poll()
			c := e.probe(sid)
			c.say(strings.Split(strings.Repeat("2probe ", 11), " ")[:11]...)
			for range 10 {
				c.want("3probe")
			}
			c.wantClose(1005)
			e.want(200, "ok", "POST", q, "4a")
		})
		t.Run("rel/U5 two at once", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			sid, _ := e.poll()
			first, second := e.probe(sid), e.probe(sid)
			second.wantClose(1005)
			first.say("2probe", "5", "4a")
			first.want("3probe", "4a")
		})
		t.Run("rel/U7 POST in flight at the upgrade", func(t *testing.T) {
			f := &floor{mute: true}
			e := newEdgeOn(t, over, Config{}, f)
			sid, q := e.poll()
			s := f.last()
			nc, err := e.dialer()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			head := "POST /socket.io/?" + q + " HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 6\r\n\r\n4post"
			nc.Write([]byte(head))
			eventually(t, "a POST is read", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.polls.posting != nil
			})
			c := e.probe(sid)
			c.say("2probe", "5", "4ws")
			c.want("3probe")
			eventually(t, "upgraded", func() bool { return s.Transport() == WebSocket })
			c.say("4ws2")
			nc.Write([]byte("!"))
			eventually(t, "three messages", func() bool { return len(f.heard()) == 3 })
			if got := strings.Join(f.heard(), " "); got != "post! ws ws2" {
				t.Errorf("heard %s", got)
			}
		})
		t.Run("U07 GET waiting at the upgrade gets a noop", func(t *testing.T) {
			f := &floor{mute: true}
			e := newEdgeOn(t, over, Config{}, f)
			sid, _ := e.poll()
			s := f.last()
			c := e.probe(sid)
			c.say("2probe")
			c.want("3probe")
			w := &poll{done: make(chan struct{})} // as if it had come just before
			s.mu.Lock()
			s.polls.waiting = w
			s.mu.Unlock()
			c.say("5")
			<-w.done
			if got := string(w.out.pending()[0].text); got != "6" {
				t.Errorf("%q", got)
			}
		})
		t.Run("U04 U12 U13 session closes while probing", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			sid, q := e.poll()
			c := e.probe(sid)
			c.say("2probe")
			c.want("3probe")
			begin := time.Now()
			f.last().Close(ForcedClose)
			c.wantClose(1005)
			if time.Since(begin) > 5*time.Second {
				t.Error("closed by the upgrade timeout")
			}
			e.want(200, "1", "GET", q, "")
			f.wantClosed(t, ForcedClose)
		})
		t.Run("L02 closed by the client after the upgrade", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			sid, q := e.poll()
			c := e.probe(sid)
			c.say("2probe", "5", "1")
			c.want("3probe")
			c.wantClose(1005)
			f.wantClosed(t, TransportClose)
			e.want(400, sidUnknown, "GET", q, "")
		})
		t.Run("no second WebSocket for a session without polling", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			c, o := e.ws()
			e.probe(o.SID).wantClose(1005)
			c.say("4a")
			c.want("4a")
		})
	})
}

func TestUpgradeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // U05 rel/U3
		f := &floor{}
		e := startEdge(t, inMemory, Config{}, f)
		defer e.stop()
		sid, q := e.poll()
		begin := time.Now()
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		c.wantClose(1005)
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		e.want(200, "ok", "POST", q, "4a")
		e.want(200, "4a", "GET", q, "")

		c = e.probe(sid) // U07: no such timeout after an upgrade, and the heartbeat begins anew
		time.Sleep(5 * time.Second)
		c.say("2probe", "5")
		c.want("3probe")
		begin = time.Now()
		c.want("2")
		if d := time.Since(begin); d != 25*time.Second {
			t.Errorf("ping after %v", d)
		}
		c.say("3")
	})
}

// A client that emits while it upgrades: its GET arrives while its POST is being handled, and must
// be answered when that is done, or the client waits with its `5` for ever.
func TestU07_AGetDuringAPostIsReleasedOnceProbed(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	f := &floor{hear: func(*Socket, bool, []byte) { close(entered); <-leave }}
	e := newEdge(t, Config{}, f)
	sid, q := e.poll()
	c := e.probe(sid)
	c.say("2probe")
	c.want("3probe")
	posted := e.async("POST", q, "4hello")
	<-entered
	got := e.async("GET", q, "")
	eventually(t, "a GET waits", f.last().pollWaits)
	close(leave)
	if a := <-got; a.body != "6" {
		t.Errorf("the GET got %q", a.body)
	}
	<-posted
}
