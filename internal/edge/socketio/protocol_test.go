package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Each row is what a client sends once it is in "/", and what becomes of its connection: what
// went up after "opened", and the first packet it gets back ("" for none within a second).
func TestWhatClientsSend(t *testing.T) {
	const forced, protocol = "closed: forced close", "closed: forced server close"
	for _, row := range []struct{ name, send, up, back string }{
		{"D01 an event", `42["say","hi"]`, `say["hi"]`, ""},
		{"S11 a number for a name", `42[1,"a"]`, `1["a"]`, ""},
		{"S13 D09 the name error", `42["error",{}]`, `error[{}]`, ""},
		{"K20 J6 bytes as they are", `42["n",9007199254740993,1e999,-0,{"a":1,"a":2}]`, `n[9007199254740993,1e999,-0,{"a":1,"a":2}]`, ""},
		{"D11 an unknown type", `49`, forced, "1"},
		{"D12 a payload that is none", `42{}`, forced, "1"},
		{"D13 an ack id that is none", `42abc["x"]`, forced, "1"},
		{"S9 no payload", `42`, forced, "1"},
		{"S12 D14 a reserved name", `42["disconnect"]`, forced, "1"},
		{"S16 CONNECT_ERROR from a client", `44{"message":"x"}`, forced, "1"},
		{"S15 an ack without an id", `43[]`, "", ""},
		{"N11 S3 a second CONNECT", `40`, protocol, "1"},
		{"N12 a namespace not joined", `42/custom,["x"]`, protocol, "1"},
		{"N04 S4 an unknown namespace", `40/nope,`, "", `44/nope,{"message":"Invalid namespace"}`},
		{"N05 S5 auth that is no object", `40/custom,[]`, forced, "1"},
		{"J3 auth with a key twice", `40/custom,{"a":1,"a":2}`, forced, "1"},
		{"S6 auth too large", `40/custom,{"a":"` + strings.Repeat("x", 9000) + `"}`, "", `44/custom,{"message":"Auth payload too large"}`},
		{"S8 an event after the goodbye", "41\x1e42[\"x\"]", "closed: client namespace disconnect", "1"},
		{"Z01 the goodbye", `41`, "closed: client namespace disconnect", ""},
		{"B6 an attachment without a packet", `bAQI=`, forced, "1"},
		{"B5 text for an attachment", "451-[\"x\",{\"_placeholder\":true,\"num\":0}]\x1e42[\"y\"]", forced, "1"},
		{"D05 a packet with an attachment", "451-[\"x\",{\"_placeholder\":true,\"num\":0}]\x1ebAQI=", `x[{"_placeholder":true,"num":0}]`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, socketio.Config{}, func(w *world) {
				c, _, _ := w.connect()
				c.send(row.send)
				story := "opened"
				if row.up != "" {
					story += ", " + row.up
				}
				w.want(story)
				if row.back == "" {
					return
				}
				if got := c.recv(); got != row.back && got != "6\x1e"+row.back {
					t.Errorf("the client got %q, want %q", got, row.back)
				}
			})
		})
	}
}

func TestS1_NothingBeforeConnect(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c := w.open()
		c.send(`42["x"]`)
		if got := c.recv(); got != "1" && got != "6\x1e1" {
			t.Errorf("got %q", got)
		}
		w.want("")
	})
}

func TestN06_S2_AConnectionThatJoinsNothingIsClosed(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c := w.open()
		start := time.Now()
		if got := c.recv(); got != "1" {
			t.Errorf("got %q", got)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("closed after %s", took)
		}
	})
}

func TestN07_SeveralNamespacesOnOneConnection(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		c.send("40/custom,")
		packet := c.recv()
		other, _ := ids(packet)
		if !strings.HasPrefix(packet, "40/custom,") || other == sid {
			t.Errorf("got %q beside %s", packet, sid)
		}
		c.send(`41/custom,`, `42["still here"]`)
		w.want(`opened, opened, closed: client namespace disconnect, still here[]`)
	})
}

func TestN15_LatePacketsForANamespaceThatABackendClosed(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		w.apply(&socketio.Disconnect{Target: to(sid)})
		c.send(`42["late"]`)
		w.want("opened, closed: server namespace disconnect")
		equal(t, "packet", c.recv(), "41")
		c.send("40")
		if again, _ := ids(c.recv()); again == "" || again == sid {
			t.Errorf("joined again as %q", again)
		}
	})
}

func TestN02_TenUnknownNamespacesAreEnough(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c := w.open()
		for range 9 {
			c.send("40/x,")
			equal(t, "refusal", c.recv(), `44/x,{"message":"Invalid namespace"}`)
		}
		c.send("40/x,")
		if got := c.recv(); got != "1" && got != "6\x1e1" {
			t.Errorf("after the tenth: %q", got)
		}
	})
}

func TestM01_M02_M03_TheGroupDecides(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.backend.asked = map[string]bool{"/": true}
		c := w.open()
		c.send(`40{"token":"x"}`)
		w.want("asked")
		c.send("40") // N14: two at once
		if got := c.recv(); got != "1" && got != "6\x1e1" {
			t.Errorf("two CONNECTs: %q", got)
		}

		c = w.open()
		c.send(`40`)
		synctest.Wait()
		w.sockets.Reject(w.backend.last(), "not authorized", []byte(`{"why":1}`))
		equal(t, "M02 M03", c.recv(), `44{"message":"not authorized","data":{"why":1}}`)

		c = w.open()
		c.send(`40`)
		synctest.Wait()
		var f socketio.Flush
		err := w.sockets.Accept(w.backend.last(), &socketio.Accept{UserID: "ann", Rooms: []string{"lobby"},
			Greeting: []*socketio.Emit{{Event: "hello", Args: []byte(`["ann"]`)}}}, &f)
		if err != nil {
			t.Fatal(err)
		}
		f.Do()
		got := c.recv()
		if !strings.HasPrefix(got, `40{"sid":`) || !strings.HasSuffix(got, "\x1e"+`42["hello","ann"]`) {
			t.Errorf("accepted: %q", got)
		}
		if r := w.emit(socketio.Emit{Target: socketio.Target{UserIDs: []string{"ann"}, Rooms: []string{"lobby"}}, Event: "x"}); r.Matched != 1 {
			t.Errorf("matched %d", r.Matched)
		}
	})
}

func TestM04_M12_ClientsThatNobodyDecidesAbout(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.backend.asked = map[string]bool{"/": true}
		c := w.open()
		c.send(`40`)
		synctest.Wait()
		ev := w.backend.last()
		start := time.Now()
		if got := c.recv(); got != "1" {
			t.Errorf("got %q, want the transport to close: a client comes back from that", got)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("closed after %s", took)
		}
		var f socketio.Flush
		if err := w.sockets.Accept(ev, &socketio.Accept{}, &f); err == nil {
			t.Error("a late decision was accepted")
		}
		w.want("asked")
	})
}

func TestPausedWhileABackendHasNoRoom(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, _, _ := w.connect()
		w.backend.refuses = true
		c.send(`42["one"]`)
		w.want(`opened, one[]`)
		sent := make(chan struct{})
		go func() { c.send(`42["two"]`); close(sent) }()
		w.want(`opened, one[]`)
		w.backend.refuses = false
		w.backend.events[1].Socket.Unpause()
		<-sent
		w.want(`opened, one[], two[]`)
	})
}
