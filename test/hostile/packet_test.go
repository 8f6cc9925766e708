package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// text and binary packets of Engine.IO

var engineRows = flat(
	quiet("K1", "open", "packet/unexpected", "0{}"),
	row{id: "K2", input: "close (websocket)", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		l.say("1")
		l.wantClose(1005)
	}},
	row{id: "K2", input: "close (polling)", count: "http/sid", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.post("1").want(t, 200, "ok")
		p.wantGone()
	}},
	row{id: "K2", input: "close while a poll waits", count: "any", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		waiting := p.waits()
		p.post("1").want(t, 200, "ok")
		if r := waiting.response("GET"); r.body != "6" && r.body != sessionUnknown { // the POST may be first
			t.Errorf("got %d %q", r.status, r.body)
		}
		p.wantGone()
	}},
	frames("K3", "ping (websocket)", "packet/heartbeat direction", frame(text, "2"), 1005),
	frames("K3", "probe outside an upgrade", "packet/heartbeat direction", frame(text, "2probe"), 1005),
	posts("K3", "ping (polling)", "packet/heartbeat direction, polling/parse", "2", 400),
	quiet("K4", "unsolicited", "", "3", "3x", "3"),
	frames("K4", "60 pongs (websocket)", "packet/flood", strings.Repeat(frame(text, "3"), 60), 1005),
	posts("K4", "60 pongs (polling)", "packet/flood, polling/parse", strings.Repeat("3\x1e", 60)+"3", 400),
	quiet("K5", "upgrade and noop", "2 packet/unexpected", "5", "6"),
	frames("K6", "type 7", "packet/parse", frame(text, "7"), 1005),
	frames("K6", "type a", "packet/parse", frame(text, "a"), 1005),
	frames("K6", "an empty frame", "packet/parse", frame(text, ""), 1005),
	frames("K6", "a separator in a frame", "packet/parse", frame(text, "40\x1e40"), 1005),
	row{id: "K7", input: "b in a text frame", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		l.say(`451-1["echo",{"_placeholder":true,"num":0}]`, "bAQI=")
		l.wantPacket("461-1[")
		l.wantPacket("bAQI=")
	}},
	frames("K7", "b without a header", "socketio/packet", frame(text, "bAQI="), 1005),
	row{id: "K8", input: "no pong", apart: true, play: func(t *testing.T, _ *edge) {
		e := start(t, "--ping-interval", "300ms", "--ping-timeout", "200ms", "--namespaces", "/")
		l := e.webSocket(t, true)
		began := time.Now()
		if got := l.wantClose(1005); len(got) != 1 || got[0] != "2" {
			t.Errorf("got %q", got)
		}
		if took := time.Since(began); took > slack {
			t.Errorf("closed after %v, want 0.5 s", took)
		}
	}},
	row{id: "K9", input: "a pong at the deadline", apart: true, play: lateHearts},
	kills("K10", "message without a packet", "socketio/packet", "4"),
	kills("K10", "2,000 bytes of them", "socketio/packet", strings.Split(strings.Repeat("4 ", 999)+"4", " ")...),
)

// lateHearts answers pings when their time is over, more or less. Whichever wins, a session that
// was closed can be resumed, and one that was not goes on.
func lateHearts(t *testing.T, _ *edge) {
	const timeout = 200 * time.Millisecond
	e := start(t, "--ping-interval", timeout.String(), "--ping-timeout", timeout.String(), "--namespaces", "/")
	alive, closed := 0, 0
	for i := 0; i < 20; {
		l := e.webSocket(t, false)
		l.say("40")
		id := pidOf(t, l.wantPacket("40{"))
		if first, payload, err := l.frame(); first != text || payload != "2" || err != nil {
			l.Close() // the machine was too slow for the first ping
			continue
		}
		time.Sleep(timeout + time.Duration(i-10)*100*time.Microsecond)
		i++
		l.say("3")
		switch first, payload, err := l.frame(); {
		case err != nil:
			t.Fatal(err)
		case first == closing:
			closed++
			l.send(frame(closing, ""))
			l.wantEnd()
			again := e.webSocket(t, false)
			again.say(`40{"pid":"` + id.pid + `"}`)
			if got := pidOf(t, again.wantPacket("40{")); got != id {
				t.Fatalf("back as %v, was %v", got, id)
			}
			again.Close()
		case payload == "2":
			alive++
			l.Close()
		default:
			t.Fatalf("got %#x %q", first, payload)
		}
	}
	t.Logf("%d went on, %d were closed and resumed", alive, closed)
}

// identity is what a CONNECT reply says.
type identity struct{ sid, pid string }

func pidOf(t *testing.T, packet string) (id identity) {
	t.Helper()
	for key, into := range map[string]*string{"sid": &id.sid, "pid": &id.pid} {
		_, rest, ok := strings.Cut(packet, `"`+key+`":"`)
		if !ok {
			t.Fatalf("no %s in %q", key, packet)
		}
		*into, _, _ = strings.Cut(rest, `"`)
	}
	return id
}

const placeholder = `{"_placeholder":true,"num":0}`

// packetRows are Socket.IO packets in an Engine.IO message, S and B.
func packetRows() (all []row) {
	const bad = "socketio/packet"
	dead := func(id string, packets ...string) {
		for _, p := range packets {
			all = append(all, kills(id, clip(p), bad, "4"+p)...)
		}
	}
	add := func(rows []row) { all = append(all, rows...) }

	add(killsFrom("S1", "an event before CONNECT", "socketio/not connected", false, `42["a"]`))
	add(killsFrom("S1", "an ack before CONNECT", "socketio/not connected", false, `431[]`))
	add([]row{slowly(row{id: "S2", input: "no CONNECT", play: func(t *testing.T, e *edge) {
		began := time.Now()
		l := e.webSocket(t, false)
		l.wantClose(1005)
		if took := time.Since(began); took < 9*time.Second || took > 10*time.Second+slack {
			t.Errorf("closed after %v, want 10 s", took)
		}
	}})})
	add(kills("S3", "CONNECT twice", "socketio/connected already", "40"))
	add(answers("S4", "unknown namespace", "socketio/namespace", []string{`44/unknown,{"message":"Invalid namespace"}`}, "40/unknown,"))
	add([]row{{id: "S4", input: "ten of them", count: "10 socketio/namespace", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		for i := range 10 {
			l.say(fmt.Sprintf("40/unknown%d,", i))
		}
		if got := l.wantClose(1005); len(got) != 9 {
			t.Errorf("%d refusals before the end, want 9", len(got))
		}
	}}})
	for _, p := range []string{`0[]`, `0"x"`, `0{bad`, `0null`, `0 {}`, `0{}{}`} {
		add(killsFrom("S5", p, bad, false, "4"+p))
	}
	for _, auth := range []string{`{"a":"` + strings.Repeat("x", 8192) + `"}`, `{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, manyKeys(10_000, "")} {
		add(answers("S6", clip(auth), "socketio/auth too large", []string{`44/open-a,{"message":"Auth payload too large"}`}, "40/open-a,"+auth))
	}
	dead("S7", `1{}`, `1[]`)
	add(killsFrom("S8", "an event behind DISCONNECT", "socketio/not connected", true, "41", `42["a"]`))
	dead("S9", `2`, `2[]`, `2{}`, `2"x"`, `2null`)
	dead("S10", `2[true]`, `2[null]`, `2[{}]`, `2[["a"]]`, `2[{"toString":"foo"}]`)
	add(answers("S11", "a number as name", "", []string{`42["heard","1","x"`}, `42[1,"x"]`))
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		dead("S12", `2["`+name+`"]`)
	}
	dead("S12", `2["\u0063onnect"]`)
	add(answers("S13", "an event named error", "", []string{`42["heard","error"`}, `42["error"]`))
	for _, name := range []string{"__proto__", "constructor", "hasOwnProperty", ""} {
		add(answers("S14", fmt.Sprintf("%q", name), "", []string{`42["heard","` + name + `"`}, `42["`+name+`"]`))
	}
	dead("S14", `2["`+strings.Repeat("n", 129)+`"]`)
	add(answers("S14", "128 bytes", "", []string{`42["heard","nnn`}, `42["`+strings.Repeat("n", 128)+`"]`))
	add(answers("S14", "control characters", "", []string{`42["heard","a`}, `42["a\u0000\n\u202eb"]`))
	add(answers("S14", "half a surrogate pair", "", []string{`42["heard","`}, `42["\ud800"]`))
	add([]row{frames("S14", "invalid UTF-8", "websocket/utf-8", frame(text, "42[\"\xff\"]"), 1007)})
	add(quiet("S15", "no id", "2 "+stray, "43", "43[]"))
	dead("S15", `3{}`, `31{}`, `31`)
	dead("S16", `4{"message":"x"}`, `4`)
	dead("S17", `7`, `9`, `a`, `-1`, ``)
	dead("S18", `2`+strings.Repeat("1", 17)+`["a"]`, `29007199254740992["a"]`, `2`+strings.Repeat("9", 400)+`["a"]`, strings.Repeat("2", 900_000),
		`21e3["a"]`, `2+1["a"]`, `2１["a"]`, `2٣["a"]`)
	add(answers("S18", "leading zeros", "", []string{`437["x"]`}, `42007["echo","x"]`))
	add(answers("S18", "the highest id", "", []string{`439007199254740991["x"]`}, `429007199254740991["echo","x"]`))
	dead("S19", "2\ufeff[\"a\"]", `2 ["a"]`, "2\t[\"a\"]", "2\u00a0[\"a\"]")
	dead("S21", `2["a"]x`, `2["a"/**/]`, `2["a",NaN]`, `2["a",Infinity]`, `2['a']`, `2["a",]`, `2["a"`)
	dead("S22", `2["a"`+strings.Repeat(",1", 257)+`]`, `2["a"`+strings.Repeat(",1", 10_000)+`]`)

	dead("B1", `5`, `51`, `5a-`, `51.23-`, `5-1-`, `5 1-`, `51e1-`)
	dead("B2", `511-["a"]`, `51000000000-["a"]`)
	add([]row{slowly(row{id: "B3", input: "9 of 10 attachments and silence", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		began := time.Now()
		l.say(tenAttachments(1)[:10]...)
		l.wantClose(1005)
		if took := time.Since(began); took < 9*time.Second || took > 10*time.Second+slack {
			t.Errorf("closed after %v, want 10 s", took)
		}
	}})})
	add([]row{{id: "B4", input: "10 attachments of 990 kB", count: bad, play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		for _, p := range tenAttachments(990_000) {
			l.say(p)
		}
		l.wantClose(1009)
	}}})
	add(kills("B5", "text while attachments are due", bad, `451-["a",`+placeholder+`]`, `42["b"]`))
	add(kills("B6", "binary without header", bad, bin+"\x01"))
	add(answers("B7", "no attachments", "", []string{`42["heard","a"`, `42["heard","b"`}, `450-["a"]`, `42["b"]`))
	for _, num := range []string{`"splice"`, `-1`, `1`, `0.5`, `1e99`, `null`, `00`} {
		add(kills("B8", "num is "+num, bad, `451-["hello",{"_placeholder":true,"num":`+num+`}]`))
	}
	dead("B8", `51-["a",{"_placeholder":true}]`, `51-["a"]`, `52-["a",`+placeholder+`]`, `51-["a",{"_placeholder":"true","num":0}]`, `51-["a",{"_placeholder":true,"num":0,"x":1}]`)
	add(answers("B8", "the same attachment twice", "", []string{`461-1[` + placeholder + `,{"_placeholder":true,"num":`, "bAQ=="},
		`451-1["echo",`+placeholder+`,`+placeholder+`]`, bin+"\x01"))
	dead("B9", `51-[`+placeholder+`]`, `51-`+placeholder, `51-["a",{"_placeholder":`+placeholder+`,"num":0}]`,
		`51-["a",`+strings.Repeat("[", 64)+placeholder+strings.Repeat("]", 64)+`]`)
	add(quiet("B10", "binary ack of an unknown id", stray, `461-77[`+placeholder+`]`, bin+"\x01"))
	add(quiet("B10", "binary ack without an id", stray, `461-[`+placeholder+`]`, bin+"\x01"))
	dead("B11", `01-{"a":`+placeholder+`}`, `11-`)
	add([]row{{id: "B12", input: "attachments over two POSTs", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.post(`452-1["echo",`+placeholder+`,{"_placeholder":true,"num":1}]`+"\x1ebAQ==").want(t, 200, "ok")
		p.post("bAg==").want(t, 200, "ok")
		p.get().want(t, 200, `462-1[*`)
		p.wantAlive()
	}}, {id: "B12", input: "an upgrade between header and attachment", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.post(`451-1["echo",`+placeholder+`]`).want(t, 200, "ok")
		l := p.upgrades("2probe")
		l.wantPacket("3probe")
		l.say("5", bin+"\x01")
		l.wantPacket("461-1[")
		l.wantPacket("bAQ==")
	}}})
	dead("B13", `51-["a",`+strings.Repeat("[", 5000)+placeholder+strings.Repeat("]", 5000)+`]`, `2["echo",`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`]`)
	return all
}

// stray is how acknowledgements are counted that nobody waits for.
const stray = "socketio/acknowledgement"

// tenAttachments is an event with 10 attachments of that size.
func tenAttachments(size int) []string {
	args := make([]string, 10)
	packets := []string{""}
	for i := range args {
		args[i] = fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i)
		packets = append(packets, bin+strings.Repeat("x", size))
	}
	packets[0] = `4510-["a",` + strings.Join(args, ",") + `]`
	return packets
}

// manyKeys is an object with n keys.
func manyKeys(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%s%d":0`, prefix, i)
	}
	return "{" + b.String()[1:] + "}"
}

// clip makes a name of a packet.
func clip(s string) string {
	if len(s) > 44 {
		return fmt.Sprintf("%s… %d bytes", s[:24], len(s))
	}
	return fmt.Sprintf("%q", s)
}
