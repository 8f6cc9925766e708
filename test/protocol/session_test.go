package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestB01_PingPongPolling(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		p := poll(t, base)
		for range 3 {
			p.get(t).want(t, 200, "2")
			p.send(t, "3")
		}
	})
}

func TestB02_PingPongWebSocket(t *testing.T) {
	s := quick(t)
	w := engine(t, s.engineIO)
	for range 3 {
		w.want(t, "2")
		w.send(t, "3")
	}
	w = join(t, s.socketIO) // or it would be closed for want of a namespace
	for range 6 {
		w.want(t, "2")
		w.send(t, "3")
	}
}

func TestB03_PingTimeoutPolling(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		p := poll(t, base)
		for deadline := time.Now().Add(patience); ; { // a GET is no pong
			if r, err := roundTrip(t.Context(), "GET", p.url, ""); err == nil && r.Status == 400 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the session is still there")
			}
		}
	})
}

func TestB04_PingTimeoutWebSocket(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		w := engine(t, base)
		w.want(t, "2")
		select {
		case f, open := <-w.frames:
			if open {
				t.Errorf("got %q, want the end", f)
			}
		case <-time.After(patience):
			t.Error("still open without a pong")
		}
	})
}

func TestB10_PingOfTheClientCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		w := engine(t, base)
		w.send(t, "2")
		w.wantEnd(t)
	})
}

func TestL01_ClientClosesPolling(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for try := range 10 {
			p := poll(t, base)
			pending := p.start(t.Context())
			for range try { // gives the server ever more chances to read the poll first
				p.send(t, "3")
			}
			p.send(t, "1")
			r := <-pending
			p.wantGone(t)
			if r.Status == 400 && strings.Contains(r.Body, `"code":1`) {
				continue // the server read the close before the poll
			}
			r.want(t, 200, "6")
			return
		}
		t.Error("the poll never came before the close")
	})
}

func TestL02_W07_ClientClosesWebSocket(t *testing.T) {
	if *reference {
		t.Skip("the official server waits for its ping timeout")
	}
	everywhere(t, calm, func(t *testing.T, base string) { // where nothing else ends it in time
		w := engine(t, base)
		w.send(t, "1")
		w.wantEnd(t)
	})
}

// probe begins the upgrade of a polling session.
func probe(t *testing.T, base string, p polling) *ws {
	t.Helper()
	w := dial(t, base, "EIO=4&transport=websocket&sid="+p.SID)
	w.send(t, "2probe")
	w.want(t, "3probe")
	return w
}

// upgraded opens a polling session and upgrades it.
func upgraded(t *testing.T, base string) (polling, *ws) {
	t.Helper()
	p := poll(t, base)
	w := probe(t, base, p)
	w.send(t, "5")
	return p, w
}

// wantWorking fails unless the session behind the WebSocket is in order.
func wantWorking(t *testing.T, base string, w *ws) {
	t.Helper()
	if strings.HasSuffix(base, "engine.io/") {
		w.send(t, "4hello")
		w.want(t, "4hello")
		return
	}
	w.send(t, "40")
	wantConnected(t, w.next(t).data, "40")
	w.want(t, `42["auth",{}]`)
}

func TestU01_U11_Upgrade(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		w := probe(t, base, p)
		p.get(t).want(t, 200, "6")
		w.send(t, "5")
		wantWorking(t, base, w)
	})
}

func TestU01_PollBeforeTheProbeIsReleased(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		pending := p.start(t.Context())
		w := probe(t, base, p)
		(<-pending).want(t, 200, "6")
		w.send(t, "5")
		wantWorking(t, base, w)
	})
}

func TestU02_HTTPAfterUpgrade(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p, w := upgraded(t, base)
		wantWorking(t, base, w) // then the upgrade is complete
		p.get(t).want(t, 400, `{"code":3,"message":"Bad request"}`)
		p.post(t, "4x").want(t, 400, `{"code":3,"message":"Bad request"}`)
		w.send(t, "3")
		if strings.HasSuffix(base, "engine.io/") {
			wantWorking(t, base, w)
		}
	})
}

func TestU03_SecondWebSocketAfterUpgrade(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p, w := upgraded(t, base)
		second, _, err := tryDial(t.Context(), base, "EIO=4&transport=websocket&sid="+p.SID)
		if err == nil { // refusing the handshake is as good
			defer second.Close()
			second.wantEnd(t)
		}
		wantWorking(t, base, w)
	})
}

func TestU03_SecondWebSocketWhileProbing(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		w := probe(t, base, p)
		second, _, err := tryDial(t.Context(), base, "EIO=4&transport=websocket&sid="+p.SID)
		if err == nil {
			defer second.Close()
			second.wantEnd(t)
		}
		w.send(t, "5")
		wantWorking(t, base, w)
	})
}

// probeAgain upgrades a session whose first try failed. Until the server has noticed that, a new
// try counts as the second of two at a time.
func probeAgain(t *testing.T, base string, p polling) *ws {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		w, _, err := tryDial(t.Context(), base, "EIO=4&transport=websocket&sid="+p.SID)
		if err == nil {
			t.Cleanup(func() { w.Close() })
			_ = w.WriteMessage(websocket.TextMessage, []byte("2probe"))
			if f, open := <-w.frames; open && f.data == "3probe" {
				w.send(t, "5")
				return w
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no second upgrade")
		}
	}
}

func TestU06_U09_FailedProbesLeaveTheSession(t *testing.T) {
	base := calm(t).engineIO
	for _, c := range []struct {
		name string
		fail func(t *testing.T, w *ws)
	}{
		{"message before 5", func(t *testing.T, w *ws) { w.send(t, "4early"); w.wantEnd(t) }},
		{"no packet", func(t *testing.T, w *ws) { w.send(t, "abc"); w.wantEnd(t) }},
		{"connection lost", func(t *testing.T, w *ws) { w.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := poll(t, base)
			c.fail(t, probe(t, base, p))
			p.send(t, "4hello")
			for { // the noop of the probe may come first
				if got := p.receive(t, 1); got[len(got)-1] == "4hello" {
					break
				}
			}
			wantWorking(t, base, probeAgain(t, base, p))
		})
	}
}

func TestU08_NothingLostDuringUpgrade(t *testing.T) {
	base := calm(t).engineIO
	p := poll(t, base)
	var want, got []string
	post := func(n int) {
		for range n {
			packet := fmt.Sprintf("4%d", len(want))
			want = append(want, packet)
			p.send(t, packet)
		}
	}
	post(3)
	w := probe(t, base, p)
	post(3)
	got = p.receive(t, 6) // they still travel by polling
	post(3)               // and these wait
	w.send(t, "5")
	for range 3 {
		w.send(t, fmt.Sprintf("4%d", len(want)))
		want = append(want, fmt.Sprintf("4%d", len(want)))
	}
	isNoop := func(packet string) bool { return packet == "6" } // it released the poll
	for got = slices.DeleteFunc(got, isNoop); len(got) < len(want); {
		got = append(got, w.next(t).data)
	}
	wantPackets(t, got, want...)
}

func TestU10_UpgradeWithoutProbe(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		w := dial(t, base, "EIO=4&transport=websocket&sid="+p.SID)
		w.send(t, "5")
		if *reference { // it takes that for an upgrade
			wantWorking(t, base, w)
			return
		}
		w.wantEnd(t)
		wantWorking(t, base, probeAgain(t, base, p)) // the session did not suffer
	})
}

func TestL11_NewSessionAfterTheOldEnded(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		w := engine(t, base)
		w.Close()
		wantWorking(t, base, engine(t, base))
	})
}
