package hostile

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

var pollingRows = []row{
	posts("L1", "declared too large", "polling/too large", "4"+strings.Repeat("x", 1_000_000), 413),
	{id: "L1", input: "too large in chunks", count: "http/sid, polling/too large", play: func(t *testing.T, e *edge) {
		p := e.polling(t, false)
		l := e.dial(t)
		chunk := "ffff\r\n" + strings.Repeat("4", 0xffff) + "\r\n"
		l.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 16) + "0\r\n\r\n")
		l.response("POST").want(t, 413, "")
		p.wantGone()
	}},
	closesAt("L2", "a byte of body every 5 s", "", 20*time.Second, 408, func(t *testing.T, e *edge) *line {
		p := e.polling(t, true)
		l := e.dial(t)
		l.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
		l.drips("4"+strings.Repeat("x", 100), 5*time.Second)
		return l
	}),
	posts("L3", "500,000 packets", "packet/flood, polling/parse", strings.Repeat("3\x1e", 499_999)+"3", 400),
	posts("L3", "over 16,384 packets", "51 packet/unexpected, polling/parse", strings.Repeat("6\x1e", 16_384)+"6", 400),
	posts("L3", "1,000,000 separators", "polling/parse", strings.Repeat("\x1e", 1_000_000), 400),
	{id: "L4", input: "a second GET", count: "http/sid, polling/overlap", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		one, other := p.waits().response, p.waits().response
		a, b := one("GET"), other("GET")
		if a.status == 400 {
			a, b = b, a
		}
		a.want(t, 200, "1")
		b.want(t, 400, "")
		p.wantGone()
	}},
	{id: "L5", input: "a second POST", count: "http/sid, polling/aborted, polling/overlap", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		first := e.dial(t)
		first.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
		first.response("POST").want(t, 100, "") // so that it is being read
		p.post("6").want(t, 400, "")
		first.response("POST").want(t, 400, "")
		first.wantEnd()
		p.wantGone()
	}},
	{id: "L6", input: "a poll that its client ends", count: "any", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.waits().Close()
		for deadline := time.Now().Add(5 * time.Second); p.post("6").status != 400; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the session goes on")
			}
		}
	}},
	posts("L7", "abc", "polling/parse", "abc", 400),
	posts("L7", "an empty body", "polling/parse", "", 400),
	posts("L7", "a separator alone", "polling/parse", "\x1e", 400),
	posts("L7", "a separator behind", "polling/parse", "3\x1e", 400),
	posts("L7", "type 7", "polling/parse", "7", 400),
	posts("L8", "octet-stream", "polling/content type", "40", 400, "Content-Type: application/octet-stream"),
	posts("L8", "octet-stream in another case", "polling/content type", "40", 400, "Content-Type: Application/Octet-Stream; a=b"),
	posts("L9", "b###", "polling/parse", "b###", 400),
	posts("L9", "unpadded", "polling/parse", "bAQI", 400),
	posts("L9", "of the other alphabet", "polling/parse", "b__--", 400),
	posts("L9", "1 MB of b", "polling/parse", strings.Repeat("b", 1_000_000-1), 400),
	{id: "L9", input: "b alone is an empty buffer", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.post(`451-7["echo",{"_placeholder":true,"num":0}]`+"\x1eb").want(t, 200, "ok")
		p.get().want(t, 200, `461-7[{"_placeholder":true,"num":0}]`+"\x1eb")
		p.wantAlive()
	}},
	{id: "L9", input: "what is decoded is charged", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true) // 800,000 bytes in 1,066,668 would be too large as they are written
		p.post(`451-7["echo",{"_placeholder":true,"num":0}]`).want(t, 200, "ok")
		p.post("b"+base64Of(strings.Repeat("x", 740_000))).want(t, 200, "ok")
		p.get().want(t, 200, `461-7[*`)
		p.wantAlive()
	}},
	posts("L10", "invalid UTF-8", "polling/utf-8", "42[\"a\",\"\xff\"]", 400),
	posts("L11", "d=", "polling/parse", "d=40", 400),
	asks("L11", "j=", "http/jsonp", request("POST", pollingQuery+"&sid=AAAAAAAAAAAAAAAAAAAA&j=0", "d=40"), 400, refusal(3)),
	slowly(row{id: "L12", input: "a GET that does not read", count: "any", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := &line{p.e.narrow(t), t, nil}
		p.post(`42["big","`+strings.Repeat("x", 980_000)+`"]`).want(t, 200, "ok")
		began := time.Now()
		l.send(request("GET", p.query, ""))
		for p.post("6").status == 200 {
			if time.Since(began) > 20*time.Second {
				t.Fatal("the session goes on after 20 s")
			}
			time.Sleep(250 * time.Millisecond)
		}
		if took := time.Since(began); took < 9*time.Second {
			t.Errorf("ended after %v, want 10 s", took)
		}
	}}),
	{id: "L13", input: "from another address and another program", count: "packet/unexpected", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := e.dialFrom(t, "127.0.0.3")
		l.send(request("POST", p.query, "6", "User-Agent: another"))
		l.response("POST").want(t, 200, "ok")
		p.wantAlive()
	}},
}

// waits sends a GET that nothing is there for.
func (p polling) waits() *line {
	p.t.Helper()
	l := p.e.dial(p.t)
	l.send(request("GET", p.query, ""))
	return l
}

// narrow dials with the least window that the system allows.
func (e *edge) narrow(t *testing.T) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64)
			// With the segments of loopback the edge's own buffers would hold megabytes.
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536)
		})
	}}
	c, err := d.DialContext(context.Background(), "tcp", e.clients)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

var upgradeRows = flat(
	asks("U1", "unknown sid", "http/sid", opening(webSocketQuery+"&sid=AAAAAAAAAAAAAAAAAAAA"), 400, "Session ID unknown"),
	probes("U2", "4x first", "websocket/probe", frame(text, "4x")),
	probes("U2", "a bare ping first", "websocket/probe", frame(text, "2")),
	probes("U2", "binary first", "websocket/probe", frame(binaryFrame, "2probe")),
	probes("U2", "no packet first", "websocket/probe", frame(text, "")),
	slowly(row{id: "U3", input: "2probe and nothing more", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		began := time.Now()
		l := p.upgrades("2probe")
		l.wantPacket("3probe")
		l.wantClose(1005)
		if took := time.Since(began); took < 9*time.Second || took > 10*time.Second+slack {
			t.Errorf("closed after %v, want 10 s", took)
		}
		p.wantAlive()
	}}),
	row{id: "U4", input: "2probe 1,000 times", count: "websocket/probe", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := p.upgrades("")
		l.send(strings.Repeat(frame(text, "2probe"), 1000))
		if got := l.wantClose(1005); len(got) != 10 {
			t.Errorf("%d answers, want 10", len(got))
		}
		p.wantAlive()
	}},
	row{id: "U5", input: "two upgrades at once", count: "websocket/second upgrade", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		first := p.upgrades("2probe")
		first.wantPacket("3probe")
		p.upgrades("").wantClose(1005)
		first.say("5")
		first.wantAlive()
	}},
	probes("U6", "5 without a probe", "websocket/probe", frame(text, "5")),
	row{id: "U7", input: "a poll that waits", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		waiting := p.waits()
		l := p.upgrades("2probe")
		l.wantPacket("3probe")
		waiting.response("GET").want(t, 200, "6")
		l.say("5")
		l.wantAlive()
	}},
	row{id: "U7", input: "a POST on its way", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		post := e.dial(t)
		const packets = `421["echo","first"]`
		post.send(fmt.Sprintf("POST /socket.io/?%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", p.query, len(packets)))
		post.response("POST").want(t, 100, "")
		l := p.upgrades("2probe")
		l.wantPacket("3probe")
		l.say("5", `422["echo","second"]`)
		post.send(packets)
		post.response("POST").want(t, 200, "ok")
		l.wantPacket(`431["first"]`)
		l.wantPacket(`432["second"]`)
		l.wantAlive()
	}},
	row{id: "U8", input: "HTTP after the upgrade", count: "2 http/transport mismatch", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := p.upgraded()
		p.get().want(t, 400, refusal(3))
		p.post("6").want(t, 400, refusal(3))
		l.wantAlive()
	}},
	row{id: "U9", input: "from another address, with another cookie", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := e.dialFrom(t, "127.0.0.3")
		l.send(opening(webSocketQuery+"&sid="+p.sid, "Cookie: another=1"))
		l.response("GET").want(t, 101, "")
		l.say("2probe")
		l.wantPacket("3probe")
		l.say("5")
		l.wantAlive()
	}},
	row{id: "U10", input: "cut at every point", count: "any", play: cutUpgrades},
	row{id: "U11", input: "back to polling", count: "http/transport mismatch", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := p.upgraded()
		p.post("6").want(t, 400, refusal(3))
		l.wantAlive()
	}},
	row{id: "W23", input: "a second WebSocket for a sid", count: "websocket/second upgrade", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		first := p.upgraded()
		p.upgrades("").wantClose(1005)
		first.wantAlive()
	}},
)

// upgrades opens a WebSocket for the session and says something on it.
func (p polling) upgrades(packet string) *line {
	p.t.Helper()
	l := p.e.dial(p.t)
	l.send(opening(webSocketQuery + "&sid=" + p.sid))
	l.response("GET").want(p.t, 101, "")
	if packet != "" {
		l.say(packet)
	}
	return l
}

func (p polling) upgraded() *line {
	p.t.Helper()
	l := p.upgrades("2probe")
	l.wantPacket("3probe")
	l.say("5")
	l.wantAlive()
	return l
}

// probes is a row of bytes on a WebSocket that means to upgrade: it is closed, the session stays.
func probes(id, input, count, bytes string) row {
	return row{id: id, input: input, count: count, play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := p.upgrades("")
		l.send(bytes)
		l.wantClose(1005)
		p.wantAlive()
	}}
}

// cutUpgrades cuts an upgrade at 12 points. Before the 5 is complete the session stays on polling;
// behind it the session is lost with the WebSocket, as any is.
func cutUpgrades(t *testing.T, e *edge) {
	head := opening(webSocketQuery + "&sid=")
	probe, five := frame(text, "2probe"), frame(text, "5")
	cuts := []struct {
		name string
		send []string
		read bool // the probe's answer
		over bool
	}{
		{name: "connected"}, {name: "half the request", send: []string{head[:40]}}, {name: "the request"}, {name: "answered", send: []string{""}},
		{name: "a byte of the probe", send: []string{"", probe[:1]}}, {name: "the header of the probe", send: []string{"", probe[:6]}},
		{name: "half the probe", send: []string{"", probe[:9]}}, {name: "the probe", send: []string{"", probe}},
		{name: "the probe answered", send: []string{"", probe}, read: true}, {name: "a byte of the 5", send: []string{"", probe, five[:1]}, read: true},
		{name: "all but a byte of the 5", send: []string{"", probe, five[:len(five)-1]}, read: true}, {name: "the 5", send: []string{"", probe, five}, read: true, over: true},
	}
	for _, cut := range cuts {
		t.Run(cut.name, func(t *testing.T) {
			p := e.polling(t, true)
			l := e.dial(t)
			for i, s := range cut.send {
				if i == 0 && s == "" {
					l.send(opening(webSocketQuery + "&sid=" + p.sid))
					l.response("GET").want(t, 101, "")
				}
				l.send(s)
				if cut.read && s == probe {
					l.wantPacket("3probe")
				}
			}
			if cut.name == "the request" {
				l.send(opening(webSocketQuery + "&sid=" + p.sid))
			}
			l.Close()
			if !cut.over {
				p.wantAlive()
				return
			}
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				r := p.post("6")
				if r.status == 400 && strings.Contains(r.body, `"code":1`) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("after the WebSocket was lost: %d %s", r.status, r.body)
				}
			}
		})
	}
}
