package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestN01_MainNamespace(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, "40")
	wantConnected(t, w.next(t).data, "40") // Y01: the sid and nothing else
	w.want(t, `42["auth",{}]`)
}

func TestN01_K02_MainNamespaceByPolling(t *testing.T) {
	p := poll(t, calm(t).socketIO)
	p.send(t, "40")
	packets := p.receive(t, 2)
	wantConnected(t, packets[0], "40")
	wantPackets(t, packets[1:], `42["auth",{}]`)
}

func TestN02_MainNamespaceWithPayload(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, `40{"token":"123"}`)
	wantConnected(t, w.next(t).data, "40")
	w.want(t, `42["auth",{"token":"123"}]`)
}

func TestN03_CustomNamespace(t *testing.T) {
	for _, packet := range []string{"40/custom,", "40/custom"} {
		w := engine(t, calm(t).socketIO)
		w.send(t, packet)
		wantConnected(t, w.next(t).data, "40/custom,")
		w.want(t, `42/custom,["auth",{}]`)
	}
}

func TestN03_K02_CustomNamespaceWithPayload(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, `40/custom,{"token":"abc"}`)
	wantConnected(t, w.next(t).data, "40/custom,")
	w.want(t, `42/custom,["auth",{"token":"abc"}]`)
}

func TestN04_N30_UnknownNamespace(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, "40/random")
	w.want(t, `44/random,{"message":"Invalid namespace"}`)
	wantWorking(t, "socket.io/", w) // the connection serves other namespaces
}

func TestN05_D11_InvalidConnect(t *testing.T) {
	for _, packet := range []string{"4abc", `40"abc"`, "40[]", "40{", `40{"a":1}x`, "49", "4"} {
		t.Run(packet, func(t *testing.T) {
			w := engine(t, calm(t).socketIO)
			w.send(t, packet)
			if seen := w.wantEnd(t); len(seen) > 0 {
				t.Errorf("got %q, want nothing but the end", seen)
			}
		})
	}
}

func TestN06_NoConnect(t *testing.T) {
	w := engine(t, quick(t).socketIO)
	w.wantEnd(t) // it answers pings: the missing CONNECT ends the connection
}

func TestN07_N09_SeveralNamespaces(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, "40", "40/custom,")
	sids := map[string]string{}
	for range 4 { // the two decisions may come in any order
		f := w.next(t).data
		switch {
		case strings.HasPrefix(f, "40/custom,"):
			sids["/custom"] = wantConnected(t, f, "40/custom,")
		case strings.HasPrefix(f, "40"):
			sids["/"] = wantConnected(t, f, "40")
		}
	}
	if len(sids["/"]) != 20 || len(sids["/custom"]) != 20 || sids["/"] == sids["/custom"] {
		t.Errorf("socket ids %v, want two of 20 characters", sids)
	}
	w.send(t, `42/custom,["message",1]`)
	w.want(t, `42/custom,["message-back",1]`)
	w.send(t, `42["message",2]`)
	w.want(t, `42["message-back",2]`)
}

func TestN08_MainNamespaceByName(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, "40/,")
	wantConnected(t, w.next(t).data, "40")
	w.want(t, `42["auth",{}]`)
}

func TestN09_SocketIDIsNotTheSecretOne(t *testing.T) {
	w := dial(t, calm(t).socketIO, "EIO=4&transport=websocket")
	secret := parseOpening(t, w.next(t).data).SID
	w.send(t, "40")
	if sid := wantConnected(t, w.next(t).data, "40"); sid == secret {
		t.Errorf("the socket id is the sid of Engine.IO, %s", sid)
	}
}

// violations end the whole connection when they follow a CONNECT of the main namespace.
var violations = []struct{ name, packet string }{
	{"N11 CONNECT again", "40"},
	{"N12 EVENT to a namespace that is not joined", `42/custom,["message",1]`},
	{"N12 ACK to a namespace that is not joined", `43/custom,1[]`},
	{"N12 DISCONNECT of a namespace that is not joined", `41/custom,`},
	{"N13 CONNECT_ERROR", `44{"message":"no"}`},
	{"D11 unknown packet type", "4abc"},
	{"D11 type 7", "47[]"},
	{"D12 event is an object", "42{}"},
	{"D12 event without a name", "42[]"},
	{"D12 event named null", "42[null]"},
	{"D12 event is a string", `42"x"`},
	{"D12 trailing data", `42["message"]x`},
	{"D12 no JSON", `42["message",`},
	{"D12 ack without an array", "431{}"},
	{"D12 disconnect with data", "41{}"},
	{"D13 ack id is no number", `42abc["message-with-ack",1]`},
	{"D13 negative ack id", `42-1["message-with-ack",1]`},
	{"D13 broken ack id", `421.5["message-with-ack",1]`},
	{"D14 reserved name connect", `42["connect"]`},
	{"D14 reserved name connect_error", `42["connect_error"]`},
	{"D14 reserved name disconnect", `42["disconnect"]`},
	{"D14 reserved name disconnecting", `42["disconnecting"]`},
	{"D14 reserved name newListener", `42["newListener"]`},
	{"D14 reserved name removeListener", `42["removeListener"]`},
	{"K10 no number of attachments", `45["message",{"_placeholder":true,"num":0}]`},
	{"K11 eleven attachments", `4511-["message",1]`},
	{"K14 text instead of an attachment", `451-["message",{"_placeholder":true,"num":0}]` + "|42[\"message\"]"},
	{"K12 attachment number is a string", `451-["message",{"_placeholder":true,"num":"0"}]` + "|bAQID"},
	{"K12 attachment number out of range", `451-["message",{"_placeholder":true,"num":1}]` + "|bAQID"},
	{"K13 attachment without a header", "bAQID"},
}

func TestK15_K16_Violations(t *testing.T) {
	for _, c := range violations {
		t.Run(c.name, func(t *testing.T) {
			w := join(t, calm(t).socketIO)
			for packet := range strings.SplitSeq(c.packet, "|") {
				_ = w.WriteMessage(websocket.TextMessage, []byte(packet)) // the first may have ended it
			}
			if seen := w.wantEnd(t); len(seen) > 0 {
				t.Errorf("got %q, want nothing but the end", seen)
			}
		})
	}
}

func TestD10_BinaryAsFirstFrame(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.sendBinary(t, 1, 2, 3)
	w.wantEnd(t)
	join(t, calm(t).socketIO) // and nothing crashed
}

func TestN12_EventBeforeConnect(t *testing.T) {
	w := engine(t, calm(t).socketIO)
	w.send(t, `42["message",1]`)
	w.wantEnd(t)
}

func TestZ01_DisconnectMainNamespace(t *testing.T) {
	w := join(t, quick(t).socketIO)
	w.send(t, "41")
	for range 2 { // the connection stays: pings go on
		w.want(t, "2")
		w.send(t, "3")
	}
}

func TestZ02_DisconnectCustomNamespace(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, "40/custom")
	wantConnected(t, w.next(t).data, "40/custom,")
	w.want(t, `42/custom,["auth",{}]`)
	w.send(t, "41/custom", `42["message","message to main namespace"]`)
	w.want(t, `42["message-back","message to main namespace"]`)
}

func TestZ02_JoinAgainAfterDisconnect(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, "40/custom")
	wantConnected(t, w.next(t).data, "40/custom,")
	w.want(t, `42/custom,["auth",{}]`)
	for range 3 {
		w.send(t, "41", `42/custom,["message",1]`)
		w.want(t, `42/custom,["message-back",1]`) // the official server needs a moment between 41 and 40
		w.send(t, "40")
		wantConnected(t, w.next(t).data, "40")
		w.want(t, `42["auth",{}]`)
	}
}

func TestN14_ConnectTwiceAtOnce(t *testing.T) {
	if *reference {
		t.Skip("the official server makes two sockets")
	}
	w := engine(t, calm(t).socketIO)
	w.send(t, "40", "40")
	connected := 0
	for _, f := range w.wantEnd(t) {
		if strings.HasPrefix(f.data, "40") {
			connected++
		}
	}
	if connected > 1 {
		t.Errorf("connected %d times", connected)
	}
}

func TestN01_ManyConnections(t *testing.T) {
	for i := range 50 {
		w := join(t, calm(t).socketIO)
		w.send(t, fmt.Sprintf(`42["message",%d]`, i))
		w.want(t, fmt.Sprintf(`42["message-back",%d]`, i))
	}
}
