package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	front "github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// exchange is one case of the Autobahn test suite, written down again from RFC 6455: what a client
// writes, and what it must be sent. Text messages carry the "4" of Engine.IO, which has no empty ones.
type exchange struct {
	id   string
	send []string // each in a write of its own
	want []string // frames: first byte and payload
	// end is the close code in the end: 1000 if the client closes, else what the edge closes with.
	// A case may close by itself.
	end    int
	closes bool
}

// TestAutobahn runs the cases of all groups but compression, which the edge does not speak. There is
// one right answer to each: nothing is "non-strict".
func TestAutobahn(t *testing.T) {
	t.Parallel()
	e := echoes(t)
	cases := autobahn()
	if len(cases) != 301 {
		t.Errorf("%d cases, want 301", len(cases))
	}
	for _, x := range cases {
		t.Run(x.id, func(t *testing.T) {
			l := e.webSocket(t, false)
			go func() { // ends when all is written, or with the connection
				for _, s := range x.send {
					if _, err := l.Write([]byte(s)); err != nil {
						return
					}
				}
			}()
			for i, w := range x.want {
				first, payload, err := l.frame()
				if got := string([]byte{first}) + payload; err != nil || got != w {
					t.Fatalf("frame %d is %.60q of %d bytes, %v, want %.60q of %d", i, got, len(got), err, w, len(w))
				}
			}
			if x.end == 1000 && !x.closes {
				l.send(closeFrame(1000, ""))
			}
			first, payload, err := l.frame()
			if first == text && x.id == "7.1.6" { // it may come, and need not: who closes wants nothing more
				first, payload, err = l.frame()
			}
			code := 1005
			if len(payload) >= 2 {
				code = int(payload[0])<<8 | int(payload[1])
			}
			if first != closing || err != nil || code != x.end {
				t.Fatalf("then %#x %.60q, %v, want a close frame of %d", first, payload, err, x.end)
			}
			l.send(frame(closing, ""))
			l.wantEnd()
		})
	}
}

// echoes is an edge in this process that says every message back, with bounds above what the suite
// sends.
func echoes(t *testing.T) *edge {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	engine := engineio.NewServer(engineio.Config{MaxPayload: 17 << 20, MaxFragments: 1 << 17, MaxQueuedBytes: 64 << 20, MaxQueuedPackets: 1 << 20,
		AssemblyTimeout: 5 * time.Minute, PingInterval: time.Hour}, echo{}, log)
	s := front.NewServer(front.Config{Listen: "127.0.0.1:0"}, engine, log)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &edge{clients: s.Addr.String()}
}

// echo is the floor above Engine.IO.
type echo struct{}

func (echo) Open(*engineio.Socket)                    {}
func (echo) Upgraded(*engineio.Socket)                {}
func (echo) Closed(*engineio.Socket, engineio.Reason) {}

func (echo) Message(s *engineio.Socket, isBinary bool, data []byte) {
	m := engineio.NewMessage(data, nil)
	if isBinary {
		m = engineio.NewBinaryMessage(data)
	}
	s.Queue(m, false)
	s.Flush()
}

// chop cuts into pieces of n bytes.
func chop(s string, n int) (pieces []string) {
	for ; len(s) > n; s = s[n:] {
		pieces = append(pieces, s[:n])
	}
	return append(pieces, s)
}

func said(p string) string    { return "\x81" + p }
func saidBin(p string) string { return "\x82" + p }
func ponged(p string) string  { return "\x8a" + p }

// autobahn lists the cases in the order of the suite.
func autobahn() (all []exchange) {
	add := func(x exchange) { all = append(all, x) }
	ok := func(id string, want []string, send ...string) {
		add(exchange{id: id, send: send, want: want, end: 1000})
	}
	bad := func(id string, want []string, code int, send ...string) {
		add(exchange{id: id, send: send, want: want, end: code})
	}

	// 1: framing
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
		p := "4" + strings.Repeat("*", max(n-1, 0))
		for kind, f := range []string{frame(text, p), frame(binaryFrame, "\xfe"+p[1:])} {
			send := []string{f}
			if i == 7 {
				send = chop(f, 997)
			}
			want := []string{said(p), saidBin("\xfe" + p[1:])}[kind]
			ok(fmt.Sprintf("1.%d.%d", kind+1, i+1), []string{want}, send...)
		}
	}

	// 2: pings and pongs
	long := strings.Repeat("\xfe", 125)
	ok("2.1", []string{ponged("")}, frame(ping, ""))
	ok("2.2", []string{ponged("Hello, world!")}, frame(ping, "Hello, world!"))
	ok("2.3", []string{ponged("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, frame(ping, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
	ok("2.4", []string{ponged(long)}, frame(ping, long))
	bad("2.5", nil, 1002, frame(ping, long+"\xfe"))
	ok("2.6", []string{ponged(long)}, chop(frame(ping, long), 1)...)
	ok("2.7", nil, frame(pong, ""))
	ok("2.8", nil, frame(pong, "unsolicited pong payload"))
	ok("2.9", []string{ponged("ping payload")}, frame(pong, "unsolicited pong payload")+frame(ping, "ping payload"))
	var pings string
	var pongs []string
	for i := range 10 {
		pings += frame(ping, "payload-"+itoa(i))
		pongs = append(pongs, ponged("payload-"+itoa(i)))
	}
	ok("2.10", pongs, pings)
	ok("2.11", pongs, chop(pings, 1)...)

	// 3: reserved bits
	hello := []string{said("4Hello")}
	bad("3.1", nil, 1002, frame(0x81|1<<4, "4Hello"))
	bad("3.2", hello, 1002, frame(text, "4Hello")+frame(0x81|2<<4, "4Hello")+frame(ping, ""))
	bad("3.3", hello, 1002, frame(text, "4Hello"), frame(0x81|3<<4, "4Hello"), frame(ping, ""))
	bad("3.4", hello, 1002, chop(frame(text, "4Hello")+frame(0x81|4<<4, "4Hello")+frame(ping, ""), 1)...)
	bad("3.5", nil, 1002, frame(0x82|5<<4, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
	bad("3.6", nil, 1002, frame(0x89|6<<4, "Hello"))
	bad("3.7", nil, 1002, frame(0x88|7<<4, ""))

	// 4: opcodes
	for group, first := range []byte{3, 11} {
		id := func(n int) string { return fmt.Sprintf("4.%d.%d", group+1, n) }
		bad(id(1), nil, 1002, frame(0x80|first, ""))
		bad(id(2), nil, 1002, frame(0x80|(first+1), "reserved opcode payload"))
		bad(id(3), hello, 1002, frame(text, "4Hello")+frame(0x80|(first+2), "")+frame(ping, ""))
		bad(id(4), hello, 1002, frame(text, "4Hello")+frame(0x80|(first+3), "reserved opcode payload")+frame(ping, ""))
		bad(id(5), hello, 1002, chop(frame(text, "4Hello")+frame(0x80|(first+4), "reserved opcode payload")+frame(ping, ""), 1)...)
	}
	fragmentation(ok, bad)
	characters(ok, bad)
	closings(add, ok, bad)
	limits(ok)

	// 10: a message in frames of 1,300 bytes
	p := "4" + strings.Repeat("*", 65535)
	ok("10.1.1", []string{said(p)}, fragments(0x01, p, 1300))
	return all
}

type (
	fine  = func(id string, want []string, send ...string)
	wrong = func(id string, want []string, code int, send ...string)
)

// fragments writes a message as frames of n bytes.
func fragments(opcode byte, p string, n int) string {
	var b strings.Builder
	pieces := chop(p, n)
	for i, piece := range pieces {
		first := opcode
		if i > 0 {
			first = 0
		}
		if i == len(pieces)-1 {
			first |= 0x80
		}
		b.WriteString(frame(first, piece))
	}
	return b.String()
}

// fragmentation is group 5.
func fragmentation(ok fine, bad wrong) {
	one, two, tail := frame(0x01, "4fragment1"), frame(0x80, "fragment2"), frame(ping, "ping payload")
	both := []string{said("4fragment1fragment2")}
	between := []string{ponged("ping payload"), both[0]}
	bad("5.1", nil, 1002, frame(0x09, "fragment1")+frame(0x80, "fragment2"))
	bad("5.2", nil, 1002, frame(0x0a, "fragment1")+frame(0x80, "fragment2"))
	ok("5.3", both, one+two)
	ok("5.4", both, one, two)
	ok("5.5", both, chop(one+two, 1)...)
	ok("5.6", between, one+tail+two)
	ok("5.7", between, one, tail, two)
	ok("5.8", between, chop(one+tail+two, 1)...)
	for i, first := range []byte{0x80, 0x00} {
		stray, hello := frame(first, "non-continuation payload"), frame(text, "4Hello, world!")
		bad(fmt.Sprintf("5.%d", 9+3*i), nil, 1002, stray+hello)
		bad(fmt.Sprintf("5.%d", 10+3*i), nil, 1002, stray, hello)
		bad(fmt.Sprintf("5.%d", 11+3*i), nil, 1002, chop(stray+hello, 1)...)
	}
	bad("5.15", both, 1002, one+two+frame(0x00, "fragment3")+frame(text, "4fragment4"))
	bad("5.16", nil, 1002, strings.Repeat(frame(0x00, "fragment1")+frame(0x01, "4fragment2")+frame(0x80, "fragment3"), 2))
	bad("5.17", nil, 1002, strings.Repeat(frame(0x80, "fragment1")+frame(0x01, "4fragment2")+frame(0x80, "fragment3"), 2))
	bad("5.18", nil, 1002, one+frame(text, "4fragment2"))
	five := []string{one, frame(0x00, "fragment2"), frame(ping, "pongme 1!"), frame(0x00, "fragment3"), frame(0x00, "fragment4"), frame(ping, "pongme 2!"), frame(0x80, "fragment5")}
	answers := []string{ponged("pongme 1!"), ponged("pongme 2!"), said("4fragment1fragment2fragment3fragment4fragment5")}
	ok("5.19", answers, five...)
	ok("5.20", answers, strings.Join(five, ""))
}

// closings is group 7.
func closings(add func(exchange), ok fine, bad wrong) {
	// The client has closed: what it sends behind that is ignored.
	closed := func(id string, want []string, code int, send ...string) {
		add(exchange{id: id, send: send, want: want, end: code, closes: true})
	}
	hello, bye := frame(text, "4Hello World!"), closeFrame(1000, "")
	ok("7.1.1", []string{said("4Hello World!")}, hello)
	closed("7.1.2", nil, 1000, bye+bye)
	closed("7.1.3", nil, 1000, bye+frame(ping, ""))
	closed("7.1.4", nil, 1000, bye+hello)
	closed("7.1.5", nil, 1000, frame(0x01, "4fragment1")+bye+frame(0x80, "fragment2"))
	p := "4" + strings.Repeat("BAsd7&jh23", 26215)[:1<<18-1]
	closed("7.1.6", nil, 1000, frame(text, p)+bye+frame(ping, ""))
	closed("7.3.1", nil, 1005, frame(closing, ""))
	bad("7.3.2", nil, 1002, frame(closing, "a"))
	closed("7.3.3", nil, 1000, bye)
	closed("7.3.4", nil, 1000, closeFrame(1000, "Hello World!"))
	closed("7.3.5", nil, 1000, closeFrame(1000, strings.Repeat("*", 123)))
	bad("7.3.6", nil, 1002, closeFrame(1000, strings.Repeat("*", 124)))
	bad("7.5.1", nil, 1002, closeFrame(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"))
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		closed("7.7."+itoa(i+1), nil, code, closeFrame(code, ""))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		bad("7.9."+itoa(i+1), nil, 1002, closeFrame(code, ""))
	}
	bad("7.13.1", nil, 1002, closeFrame(5000, ""))
	bad("7.13.2", nil, 1002, closeFrame(65535, ""))
}

// limits is group 9: large messages, many fragments, small pieces, many messages.
func limits(ok fine) {
	for kind, k := range []struct {
		opcode byte
		said   func(string) string
		begin  string
	}{{1, said, "4"}, {2, saidBin, "\xfe"}} {
		whole := func(n int) string { return k.begin + strings.Repeat("*", n-1) }
		id := func(group, n int) string { return fmt.Sprintf("9.%d.%d", group+kind, n) }
		for i, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
			ok(id(1, i+1), []string{k.said(whole(n))}, frame(0x80|k.opcode, whole(n)))
		}
		for i, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			ok(id(3, i+1), []string{k.said(whole(4 << 20))}, fragments(k.opcode, whole(4<<20), n))
		}
		for i, n := range []int{64, 128, 256, 512, 1024, 2048} {
			ok(id(5, i+1), []string{k.said(whole(1 << 20))}, chop(frame(0x80|k.opcode, whole(1<<20)), n)...)
		}
		for i, n := range []int{0, 16, 64, 256, 1024, 4096} {
			p := whole(max(n, 1))
			var want []string
			for range 1000 {
				want = append(want, k.said(p))
			}
			ok(id(7, i+1), want, strings.Repeat(frame(0x80|k.opcode, p), 1000))
		}
	}
}
