package hostile

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// handshake is a row of a WebSocket handshake that is refused.
func handshake(id, input, message string, header ...string) row {
	return row{id: id, input: input, count: "websocket/handshake", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(request("GET", webSocketQuery, "", header...))
		r := l.response("GET")
		r.want(t, 400, message)
		if got := r.header.Get("Sec-WebSocket-Version"); got != "13" {
			t.Errorf("Sec-WebSocket-Version: %q", got)
		}
	}}
}

// offers is a row of a WebSocket handshake that succeeds.
func offers(id, input string, header ...string) row {
	return row{id: id, input: input, play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(opening(webSocketQuery, header...))
		r := l.response("GET")
		r.want(t, 101, "")
		if got := r.header.Get("Sec-WebSocket-Extensions"); got != "" {
			t.Errorf("Sec-WebSocket-Extensions: %q", got)
		}
		sidOf(t, l.packet())
	}}
}

const badKey = "websocket: not a websocket handshake: 'Sec-WebSocket-Key' header must be Base64 encoded value of 16-byte in length"

func closeFrame(code int, reason string) string {
	return frame(closing, string([]byte{byte(code >> 8), byte(code)})+reason)
}

var webSocketRows = flat(
	handshake("W1", "version 12", "websocket: unsupported version: 13 not found in 'Sec-Websocket-Version' header", wsHeader[0], wsHeader[1], "Sec-WebSocket-Version: 12", wsHeader[3]),
	handshake("W1", "no version", "websocket: unsupported version: 13 not found in 'Sec-Websocket-Version' header", wsHeader[0], wsHeader[1], wsHeader[3]),
	handshake("W2", "no key", "Missing or invalid Sec-WebSocket-Key header", wsHeader[:3]...),
	handshake("W2", "two keys", "Missing or invalid Sec-WebSocket-Key header", append(wsHeader[:4:4], wsHeader[3])...),
	handshake("W2", "no base64", badKey, append(wsHeader[:3:3], "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==")...),
	handshake("W2", "12 bytes", badKey, append(wsHeader[:3:3], "Sec-WebSocket-Key: AAAAAAAAAAAAAAAA")...),
	sends("W3", "32,000 spaces", "GET /socket.io/?"+webSocketQuery+" HTTP/1.1\r\nHost: a\r\n"+strings.Join(wsHeader, "\r\n")+"\r\nSec-WebSocket-Protocol: b"+strings.Repeat(" ", 32_000)+"x\r\n\r\n", 431, "request head too large"),
	handshake("W3", "12,000 spaces", "Sec-WebSocket-Protocol header too long", append(wsHeader[:4:4], "Sec-WebSocket-Protocol: b"+strings.Repeat(" ", 12_000)+"x")...),
	handshake("W3", "1,000 tokens", "Sec-WebSocket-Protocol header too long", append(wsHeader[:4:4], "Sec-WebSocket-Protocol: a"+strings.Repeat(", a", 1000))...),
	offers("W3", "the same token twice", "Sec-WebSocket-Protocol: a, a"),
	offers("W4", "constructor", "Sec-WebSocket-Extensions: constructor"),
	offers("W4", "__proto__", "Sec-WebSocket-Extensions: __proto__"),
	offers("W4", "bogus parameters", `Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99; x="`),
	offers("W4", "500 offers", "Sec-WebSocket-Extensions: permessage-deflate"+strings.Repeat(", permessage-deflate", 499)),
	row{id: "W5", input: "a frame behind the request", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(opening(webSocketQuery) + frame(text, "40") + frame(text, `421["echo","early"]`)[:9])
		l.response("GET").want(t, 101, "")
		l.wantPacket("0{")
		l.wantPacket("40{")
		l.send(frame(text, `421["echo","early"]`)[9:])
		l.wantPacket(`431["early"]`)
	}},
	row{id: "W5", input: "garbage behind the request", count: "websocket/protocol", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(opening(webSocketQuery) + "GET / HTTP/1.1\r\n\r\n")
		l.response("GET").want(t, 101, "")
		l.wantClose(1002)
	}},
	frames("W6", "unmasked", "websocket/protocol", "\x81\x024a", 1002),
	frames("W7", "RSV1", "websocket/protocol", frame(0xc1, "4a"), 1002),
	frames("W7", "RSV2", "websocket/protocol", frame(0xa1, "4a"), 1002),
	frames("W7", "RSV3", "websocket/protocol", frame(0x91, "4a"), 1002),
	opcodes(),
	frames("W9", "ping of 126 bytes", "websocket/protocol", frame(ping, strings.Repeat("x", 126)), 1002),
	frames("W9", "ping in parts", "websocket/protocol", frame(0x09, ""), 1002),
	frames("W9", "close of 200 bytes", "websocket/protocol", frame(closing, strings.Repeat("\x03", 200)), 1002),
	frames("W10", "the sign bit", "websocket/protocol", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01\x01\x02\x03\x04", 1002),
	frames("W10", "2^63-1", "websocket/too large", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 1009),
	frames("W10", "2^32", "websocket/too large", "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x01\x02\x03\x04", 1009),
	frames("W10", "16 bits for 125", "websocket/protocol", "\x82\xfe\x00\x7d\x01\x02\x03\x04", 1002),
	frames("W10", "64 bits for 65,535", "websocket/protocol", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04", 1002),
	frames("W11", "1,000,001 announced", "websocket/too large", "\x82\xff\x00\x00\x00\x00\x00\x0f\x42\x41\x01\x02\x03\x04", 1009),
	frames("W12", "too large in sum", "websocket/too large", frame(0x02, strings.Repeat("x", 600_000))+frame(0x80, strings.Repeat("x", 600_000))[:14], 1009),
	frames("W12", "too large with pings between", "websocket/too large", frame(0x02, strings.Repeat("x", 999_999))+frame(ping, "")+frame(0x80, "xx"), 1009),
	frames("W13", "empty fragments", "websocket/fragments", frame(0x02, "")+strings.Repeat(frame(0x00, ""), 1024), 1008),
	frames("W13", "fragments of a byte", "websocket/fragments", frame(0x02, "x")+strings.Repeat(frame(0x00, "x"), 1024), 1008),
	slowly(row{id: "W14", input: "half a message and silence", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		began := time.Now()
		l.send(frame(0x01, "42"))
		l.wantClose(1008)
		if took := time.Since(began); took < 9*time.Second || took > 10*time.Second+slack {
			t.Errorf("closed after %v, want 10 s", took)
		}
	}}),
	frames("W15", "data between fragments", "websocket/protocol", frame(0x01, "4a")+frame(text, "4b"), 1002),
	frames("W15", "continuation without a start", "websocket/protocol", frame(0x80, "4a"), 1002),
	frames("W15", "first continuation without a start", "websocket/protocol", frame(0x00, "4a"), 1002),
	frames("W16", "overlong", "websocket/utf-8", frame(text, "4\xc0\xaf"), 1007),
	frames("W16", "surrogate", "websocket/utf-8", frame(text, "4\xed\xa0\x80"), 1007),
	frames("W16", "above U+10FFFF", "websocket/utf-8", frame(text, "4\xf4\x90\x80\x80"), 1007),
	frames("W16", "cut", "websocket/utf-8", frame(text, "4\xe2\x82"), 1007),
	frames("W16", "split across frames", "websocket/utf-8", frame(0x01, "4\xe2\x82")+frame(0x80, "4"), 1007),
	frames("W16", "in the first of more frames", "websocket/utf-8", frame(0x01, "4a\xff"), 1007),
	frames("W16", "in a frame that is not complete", "websocket/utf-8", frame(text, "4a\xff"+strings.Repeat("x", 100))[:20], 1007),
	frames("W17", "one byte", "websocket/protocol", frame(closing, "\x03"), 1002),
	closes(1002, "", 0, 999, 1004, 1005, 1006, 1015, 2999, 5000),
	frames("W17", "invalid UTF-8", "websocket/protocol", closeFrame(1000, "\xff"), 1002),
	frames("W17", "reason of 124 bytes", "websocket/protocol", closeFrame(1000, strings.Repeat("x", 124)), 1002),
	frames("W17", "reason of 123 bytes", "", closeFrame(1000, strings.Repeat("x", 123)), 1000),
	frames("W18", "data after the close frame", "", frame(closing, "")+frame(text, "4late"), 1005),
	slowly(row{id: "W18", input: "no answer to the close frame", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		began := time.Now()
		l.say("1")
		if first, _, err := l.frame(); first != closing || err != nil {
			t.Fatalf("got %#x, %v", first, err)
		}
		for l.SetWriteDeadline(time.Now().Add(10 * time.Second)); ; time.Sleep(50 * time.Millisecond) {
			if _, err := l.Write([]byte(frame(text, "4x"))); err != nil {
				break // it sends a reset, not only an end
			}
		}
		if took := time.Since(began); took < 1500*time.Millisecond || took > 2*time.Second+slack {
			t.Errorf("gone after %v, want 2 s", took)
		}
	}}),
	frames("W19", "pings of 125 bytes", "websocket/control flood", strings.Repeat(frame(ping, strings.Repeat("x", 125)), 60), 1008),
	frames("W19", "pongs", "websocket/control flood", strings.Repeat(frame(pong, ""), 60), 1008),
	frames("W20", "compressed without negotiation", "websocket/protocol", frame(0xc1, "\xaaV*\x01\x00"), 1002),
	frames("W20", "empty and compressed", "websocket/protocol", frame(0xc1, ""), 1002),
	row{id: "W21", input: "a byte a segment", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		for _, b := range []byte(frame(0x01, `421["ec`) + frame(ping, "") + frame(0x80, `ho","bytes"]`)) {
			l.send(string([]byte{b}))
		}
		for {
			first, payload, err := l.frame()
			if err != nil {
				t.Fatal(err)
			}
			if first == text {
				if payload != `431["bytes"]` {
					t.Errorf("got %q", payload)
				}
				return
			}
		}
	}},
	row{id: "W21", input: "random pieces", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		var want []string
		var stream strings.Builder
		for range 50 {
			arg := strings.Repeat("é", rand.IntN(2000))
			want = append(want, `431["`+arg+`"]`)
			stream.WriteString(frame(text, `421["echo","`+arg+`"]`))
		}
		for rest := stream.String(); rest != ""; {
			n := min(len(rest), 1+rand.IntN(900))
			l.send(rest[:n])
			rest = rest[n:]
		}
		for _, w := range want {
			l.wantPacket(w)
		}
	}},
	row{id: "W21", input: "1 MB in 64 bytes at a time", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		const size = 900_000
		for rest := frame(text, `421["echo","`+strings.Repeat("x", size)+`"]`); rest != ""; {
			n := min(len(rest), 64)
			l.send(rest[:n])
			rest = rest[n:]
		}
		if got := l.packet(); len(got) != len(`431[""]`)+size {
			t.Errorf("%d bytes", len(got))
		}
	}},
	row{id: "W22", input: "binary behind the request", count: "socketio/packet", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(opening(webSocketQuery) + frame(binaryFrame, "\x01"))
		l.response("GET").want(t, 101, "")
		if got := l.wantClose(1005); len(got) != 1 { // the handshake
			t.Errorf("got %.100q", got)
		}
	}},
	row{id: "W22", input: "text and binary mixed", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		l.say(`451-1["echo",{"_placeholder":true,"num":0}]`, bin+"\x01", `422["echo","text"]`, `451-3["echo",{"_placeholder":true,"num":0}]`, bin+"\x02")
		for _, w := range []string{`461-1[{`, "bAQ==", `432["text"]`, `461-3[{`, "bAg=="} {
			l.wantPacket(w)
		}
	}},
)

func opcodes() (all []row) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		all = append(all, frames("W8", "opcode "+itoa(int(op)), "websocket/protocol", frame(0x80|op, ""), 1002))
	}
	return all
}

// closes are rows of close frames with codes that may not be sent.
func closes(want int, reason string, codes ...int) (all []row) {
	for _, code := range codes {
		all = append(all, frames("W17", "code "+itoa(code), "websocket/protocol", closeFrame(code, reason), want))
	}
	return all
}
