package protocol

import (
	"strings"
	"testing"
)

func TestD01_Event(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `42["message",1,"2",{"3":[true]}]`)
	w.want(t, `42["message-back",1,"2",{"3":[true]}]`)
}

func TestD01_EventByPolling(t *testing.T) {
	p := poll(t, calm(t).socketIO)
	p.send(t, "40")
	p.receive(t, 2)
	p.send(t, `42["message",1,"2",{"3":[true]}]`)
	p.get(t).want(t, 200, `42["message-back",1,"2",{"3":[true]}]`)
}

func TestD05_K09_EventWithAttachments(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	w.sendBinary(t, 1, 2, 3)
	w.sendBinary(t, 4, 5, 6)
	w.want(t, `452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQID", "bBAUG")
}

func TestD05_AttachmentsByPolling(t *testing.T) {
	p := poll(t, calm(t).socketIO)
	p.send(t, "40")
	p.receive(t, 2)
	p.send(t, `451-["message",{"_placeholder":true,"num":0}]`+"\x1ebAQID")
	wantPackets(t, p.receive(t, 2), `451-["message-back",{"_placeholder":true,"num":0}]`, "bAQID")
}

func TestD06_EmptyAttachment(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `451-["message",{"_placeholder":true,"num":0}]`)
	w.sendBinary(t)
	w.want(t, `451-["message-back",{"_placeholder":true,"num":0}]`, "b")
}

func TestA01_EventWithAck(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `42456["message-with-ack",1,"2",{"3":[false]}]`)
	w.want(t, `43456[1,"2",{"3":[false]}]`)
}

func TestA03_K09_AttachmentsWithAck(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	w.sendBinary(t, 1, 2, 3)
	w.sendBinary(t, 4, 5, 6)
	w.want(t, `462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQID", "bBAUG")
}

func TestA01_EmptyAck(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `420["message-with-ack"]`)
	w.want(t, `430[]`)
}

func TestA10_UnknownAckIsIgnored(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `4399[]`, `43123456[1,2]`, `42["message",1]`)
	w.want(t, `42["message-back",1]`)
}

func TestA11_LargestAckID(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `429007199254740991["message-with-ack",1]`)
	w.want(t, `439007199254740991[1]`)
}

func TestA11_AckIDsThatClientsCannotHold(t *testing.T) {
	if *reference {
		t.Skip("the official server answers with another number")
	}
	w := join(t, calm(t).socketIO)
	w.send(t, `429007199254740993["message-with-ack",1]`)
	w.wantEnd(t)
}

// verbatim is JSON that has to come back byte for byte. The last column says whether the
// official server, which parses it, does so too.
var verbatim = []struct {
	name, args string
	official   bool
}{
	{"K04 plain values", `1,"a",true,false,null,[],{}`, true},
	{"D03 null", `null`, true},
	{"D16 date", `"2026-01-02T03:04:05.678Z",false`, true},
	{"D04 characters", `"h\u00e9llo é 你好 😀"`, false},
	{"K20 large integers", `9007199254740993,12345678901234567890`, false},
	{"K20 fractions", `1.0,1e3,0.1000,-0,1E-5`, false},
	{"K20 key order", `{"b":1,"a":2,"10":3,"9":4}`, false},
	{"K20 repeated keys", `{"a":1,"a":2}`, false},
	{"K20 escapes", `"\/\u0041\u2028","😀"`, false},
	{"K20 white space", `{ "a" : [ 1 , 2 ] }`, false},
	{"D06 placeholder without attachments", `{"_placeholder":true,"num":0}`, true},
}

func TestK20_Verbatim(t *testing.T) {
	for _, c := range verbatim {
		t.Run(c.name, func(t *testing.T) {
			if *reference && !c.official {
				t.Skip("the official server writes it anew")
			}
			w := join(t, calm(t).socketIO)
			w.send(t, `42["message",`+c.args+`]`)
			w.want(t, `42["message-back",`+c.args+`]`)
		})
	}
}

func TestD09_ErrorEventFromClient(t *testing.T) {
	w := join(t, calm(t).socketIO)
	w.send(t, `42["error","boom"]`, `42["connection"]`, `42["",1]`, `42[7,1]`, `42["message",1]`) // K05
	w.want(t, `42["message-back",1]`)
}

func TestD15_EventsInOrder(t *testing.T) {
	w := join(t, calm(t).socketIO)
	var sent, want []string
	for i := range 500 {
		n := strings.Repeat("1", i%7+1)
		sent = append(sent, `42["message",`+n+`]`)
		want = append(want, `42["message-back",`+n+`]`)
	}
	w.send(t, sent...)
	w.want(t, want...)
}

func TestK21_AttachmentsStayTogether(t *testing.T) {
	w := join(t, calm(t).socketIO)
	const rounds = 50
	for range rounds {
		w.send(t, `452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		w.sendBinary(t, 1, 2, 3)
		w.sendBinary(t, 4, 5, 6)
		w.send(t, `42["message",1]`)
	}
	for range rounds {
		w.want(t, `452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQID", "bBAUG")
		w.want(t, `42["message-back",1]`)
	}
}

func TestW04_D07_LargeEvent(t *testing.T) {
	w := join(t, calm(t).socketIO)
	text := strings.Repeat("x", 900_000)
	w.send(t, `42["message","`+text+`"]`)
	w.want(t, `42["message-back","`+text+`"]`)
}
