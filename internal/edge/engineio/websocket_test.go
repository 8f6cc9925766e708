package engineio

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// onEach runs a test over connections that loops serve, plain and TLS, and over others.
func onEach(t *testing.T, test func(t *testing.T, over wire)) {
	for _, over := range []wire{loopback, sealing, hidden} {
		t.Run(string(over), func(t *testing.T) { test(t, over) })
	}
}

func TestWebSocket(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		t.Run("W01 W02 W05 W06 W22 rel/K7 echo", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			c, _ := e.ws()
			c.say("4hello", "4", "4€ ok")
			c.want("4hello", "4", "4€ ok")
			c.send(frame(0x82, []byte{1, 2, 3}))
			c.want("\x01\x02\x03")
			c.send(frame(0x82, nil))
			c.want("")
			c.say("bAQIDBA==", "4then")
			c.want("\x01\x02\x03\x04", "4then")
			for range 300 {
				c.say("4a", "4b", "4c")
			}
			for range 300 {
				c.want("4a", "4b", "4c")
			}
		})
		t.Run("sizes", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			c, _ := e.ws()
			for _, n := range []int{1, 125, 126, 127, 4095, 65535, 65536, 65537, 200_000, 1_000_000} {
				p := "4" + strings.Repeat("x", n-1)
				c.say(p)
				if got := c.read(); got != p {
					t.Fatalf("%d bytes came back as %d", n, len(got))
				}
			}
		})
		t.Run("W07 L02 rel/K2 close packet", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.say("1")
			c.wantClose(1005)
			f.wantClosed(t, TransportClose)
		})
		t.Run("W08 L03 server closes", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			f.last().Queue(NewMessage([]byte("bye"), nil), false)
			f.last().Close(ForcedClose) // L09: what is queued goes first
			f.last().Close(PingTimeout)
			c.want("4bye")
			c.wantClose(1005)
			f.wantClosed(t, ForcedClose)
			if f.last().Queue(NewMessage(nil, nil), false) {
				t.Error("a closed Socket takes a message")
			}
		})
		t.Run("L04 client closes", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.say("4one")
			c.send(frame(0x88, binary.BigEndian.AppendUint16(nil, 1001)))
			c.wantClose(1001)
			f.wantClosed(t, TransportClose)
		})
		t.Run("L04 client is gone", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.conn.Close()
			f.wantClosed(t, TransportClose)
		})
		t.Run("L06 closed while opening", func(t *testing.T) {
			for _, r := range []Reason{ForcedClose, TransportError} {
				f := &floor{open: func(s *Socket) { s.Close(r) }}
				e := newEdgeOn(t, over, Config{}, f)
				c := e.dial("EIO=4&transport=websocket", nil)
				c.wantClose(1005)
				f.wantClosed(t, r)
			}
		})
		t.Run("L05 closed by the handler of a message", func(t *testing.T) {
			f := &floor{hear: func(s *Socket, _ bool, data []byte) {
				if string(data) == "stop" {
					s.Queue(NewMessage([]byte("last"), nil), false)
					s.Close(ForcedClose)
				}
			}}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.say("4a", "4stop", "4b", "4c")
			c.want("4last")
			c.wantClose(1005)
			f.wantClosed(t, ForcedClose)
			if got := strings.Join(f.heard(), " "); got != "a stop" {
				t.Errorf("heard %s", got)
			}
		})
		t.Run("message with attachments", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			f.last().Queue(NewMessage([]byte("51-"), [][]byte{{1}, {}, bytes.Repeat([]byte{2}, 200)}), false)
			f.last().Flush()
			c.want("451-", "\x01", "", strings.Repeat("\x02", 200))
		})
		t.Run("rel/W18 data after the close frame", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c, _ := e.ws()
			c.send(append(frame(0x88, nil), frame(0x81, []byte("4late"))...))
			c.wantClose(1005)
			f.wantClosed(t, TransportClose)
			if len(f.heard()) > 0 {
				t.Errorf("heard %q", f.heard())
			}
		})
		t.Run("rel/W5 frames behind the request", func(t *testing.T) {
			f := &floor{}
			e := newEdgeOn(t, over, Config{}, f)
			c := e.dial("EIO=4&transport=websocket", append(frame(0x81, []byte("4early")), frame(0x81, []byte("4bird"))[:5]...))
			parseOpen(t, c.read())
			c.want("4early")
			c.send(frame(0x81, []byte("4bird"))[5:])
			c.want("4bird")
			c = e.dial("EIO=4&transport=websocket", []byte("GET / HTTP/1.1\r\n\r\n"))
			c.wantClose(1002)
		})
		t.Run("pings", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			c, _ := e.ws()
			c.send(frame(0x89, []byte("are you there")))
			if first, p, err := c.next(); first != 0x8a || string(p) != "are you there" || err != nil {
				t.Errorf("%#x %q %v", first, p, err)
			}
			c.send(frame(0x8a, []byte("unasked"))) // a pong nobody asked for
			var burst []byte
			for i := range 40 { // rel/W19: coalesced
				burst = append(burst, frame(0x89, []byte{byte(i)})...)
			}
			c.send(append(burst, frame(0x81, []byte("4after"))...))
			n := 0
			var last byte
			for {
				first, p, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if first != 0x8a {
					break
				}
				n++
				last = p[0]
			}
			if n >= 40 || last != 39 {
				t.Errorf("%d pongs, the last %d", n, last)
			}
		})
		t.Run("fragments with a ping between", func(t *testing.T) {
			e := newEdgeOn(t, over, Config{}, &floor{})
			c, _ := e.ws()
			c.send(frame(0x01, []byte("4he")))
			c.send(frame(0x89, []byte("p")))
			if first, _, err := c.next(); first != 0x8a {
				t.Fatalf("%#x %v", first, err)
			}
			c.send(frame(0x00, []byte("ll")))
			c.send(frame(0x00, nil))
			c.send(append(frame(0x80, []byte("o")), frame(0x81, []byte("4next"))...))
			c.want("4hello", "4next")
			all := append(frame(0x01, []byte("4a")), frame(0x89, nil)...)
			c.send(append(all, frame(0x80, nil)...)) // ends with an empty frame
			for {
				first, p, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if first == 0x81 {
					if string(p) != "4a" {
						t.Errorf("%q", p)
					}
					break
				}
			}
		})
	})
}

// TestHostileFrames shows what ends a WebSocket, byte by byte.
func TestHostileFrames(t *testing.T) {
	type row struct {
		id     string
		send   []byte
		code   int
		reason Reason
	}
	text := func(s string) []byte { return frame(0x81, []byte(s)) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	closing := func(code uint16, reason string) []byte {
		return frame(0x88, append(binary.BigEndian.AppendUint16(nil, code), reason...))
	}
	header := func(b ...byte) []byte { return b }
	rows := []row{
		{"W03 rel/K6 unknown packet", text("abc"), 1005, ParseError},
		{"rel/K6 unknown type", text("7"), 1005, ParseError},
		{"W12 rel/K6 empty", text(""), 1005, ParseError},
		{"rel/K6 separator", text("4a\x1e4b"), 1005, ParseError},
		{"rel/L9 base64", text("b###"), 1005, ParseError},
		{"B10 rel/K3 ping", text("2"), 1005, TransportError},
		{"B10 rel/K3 probe", text("2probe"), 1005, TransportError},
		{"rel/W6 unmasked", []byte{0x81, 2, '4', 'a'}, 1002, TransportError},
		{"rel/W7 RSV1", frame(0xc1, []byte("4a")), 1002, TransportError},
		{"rel/W7 RSV2", frame(0xa1, []byte("4a")), 1002, TransportError},
		{"rel/W7 RSV3", frame(0x91, []byte("4a")), 1002, TransportError},
		{"rel/W20 empty, compressed", frame(0xc1, nil), 1002, TransportError},
		{"rel/W8 opcode 3", frame(0x83, nil), 1002, TransportError},
		{"rel/W8 opcode 7", frame(0x87, []byte("4a")), 1002, TransportError},
		{"rel/W8 opcode 11", frame(0x8b, nil), 1002, TransportError},
		{"rel/W8 opcode 15", frame(0x8f, nil), 1002, TransportError},
		{"rel/W9 long ping", frame(0x89, make([]byte, 126)), 1002, TransportError},
		{"rel/W9 ping in parts", frame(0x09, nil), 1002, TransportError},
		{"rel/W9 long close", frame(0x88, make([]byte, 200)), 1002, TransportError},
		{"rel/W10 sign bit", header(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4), 1002, TransportError},
		{"rel/W10 2^63-1", header(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4), 1009, TransportError},
		{"rel/W10 2^32", header(0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4), 1009, TransportError},
		{"rel/W10 not the shortest, 16 bits", header(0x82, 0xfe, 0, 125, 1, 2, 3, 4), 1002, TransportError},
		{"rel/W10 not the shortest, 64 bits", header(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4), 1002, TransportError},
		{"W04 rel/W11 announced", header(0x82, 0xff, 0, 0, 0, 0, 0, 0xf, 0x42, 0x41, 1, 2, 3, 4), 1009, TransportError},
		{"rel/W12 in sum", join(frame(0x02, make([]byte, 600_000)), frame(0x00, make([]byte, 600_000))[:14]), 1009, TransportError},
		{"rel/W12 in sum, with pings between", join(frame(0x02, make([]byte, 999_999)), frame(0x89, nil), frame(0x80, make([]byte, 2))), 1009, TransportError},
		{"W13 rel/W13 empty fragments", join(frame(0x02, nil), bytes.Repeat(frame(0x00, nil), 1024)), 1008, TransportError},
		{"rel/W13 fragments of a byte", join(frame(0x02, nil), bytes.Repeat(frame(0x00, []byte{1}), 1024)), 1008, TransportError},
		{"rel/W15 data between", join(frame(0x01, []byte("4a")), text("4b")), 1002, TransportError},
		{"rel/W15 no start", frame(0x80, []byte("4a")), 1002, TransportError},
		{"rel/W15 no start", frame(0x00, []byte("4a")), 1002, TransportError},
		{"rel/W16 overlong", text("4\xc0\xaf"), 1007, TransportError},
		{"rel/W16 surrogate", text("4\xed\xa0\x80"), 1007, TransportError},
		{"rel/W16 above U+10FFFF", text("4\xf4\x90\x80\x80"), 1007, TransportError},
		{"rel/W16 cut", text("4\xe2\x82"), 1007, TransportError},
		{"rel/W16 split across frames", join(frame(0x01, []byte("4\xe2\x82")), frame(0x80, []byte("4"))), 1007, TransportError},
		{"rel/W16 fail fast", frame(0x01, []byte("4a\xff")), 1007, TransportError},
		{"rel/W16 fail fast, split", join(frame(0x01, []byte("4\xe2\x82")), frame(0x00, []byte("\x41"))), 1007, TransportError},
		{"rel/W17 one byte", frame(0x88, []byte{3}), 1002, TransportError},
		{"rel/W17 code 0", closing(0, ""), 1002, TransportError},
		{"rel/W17 code 999", closing(999, ""), 1002, TransportError},
		{"rel/W17 code 1004", closing(1004, ""), 1002, TransportError},
		{"rel/W17 code 1005", closing(1005, ""), 1002, TransportError},
		{"rel/W17 code 1006", closing(1006, ""), 1002, TransportError},
		{"rel/W17 code 1015", closing(1015, ""), 1002, TransportError},
		{"rel/W17 code 2999", closing(2999, ""), 1002, TransportError},
		{"rel/W17 code 5000", closing(5000, ""), 1002, TransportError},
		{"rel/W17 bad UTF-8", closing(1000, "\xff"), 1002, TransportError},
		{"rel/W17 reason of 124 bytes", closing(1000, strings.Repeat("x", 124)), 1002, TransportError},
		{"rel/W17 reason of 123 bytes", closing(1000, strings.Repeat("x", 123)), 1000, TransportClose},
		{"rel/W17 code 4999", closing(4999, ""), 4999, TransportClose},
		{"rel/W17 no code", frame(0x88, nil), 1005, TransportClose},
		{"rel/W19 pings", bytes.Repeat(frame(0x89, make([]byte, 125)), 60), 1008, TransportError},
		{"rel/W19 pongs", bytes.Repeat(frame(0x8a, nil), 60), 1008, TransportError},
		{"rel/K4 pongs", bytes.Repeat(text("3"), 60), 1005, TransportError},
		{"rel/K1 rel/K5 useless packets", bytes.Repeat(text("6"), 60), 1005, TransportError},
	}
	onEach(t, func(t *testing.T, over wire) {
		for _, tt := range rows {
			for _, chop := range []bool{false, true} {
				if chop && len(tt.send) > 4096 {
					continue
				}
				id := tt.id
				if chop {
					id += ", byte by byte" // rel/W21
				}
				t.Run(id, func(t *testing.T) {
					f := &floor{}
					e := newEdgeOn(t, over, Config{}, f)
					c, _ := e.ws()
					begin := time.Now()
					if chop {
						for i := range tt.send {
							c.send(tt.send[i : i+1])
						}
					} else {
						c.send(tt.send)
					}
					c.wantClose(tt.code)
					f.wantClosed(t, tt.reason)
					if time.Since(begin) > 8*time.Second {
						t.Error("ended by the assembly timeout")
					}
				})
			}
		}
	})
}

func TestHarmlessPackets(t *testing.T) {
	e := newEdge(t, Config{}, &floor{})
	c, _ := e.ws()
	c.say("0", "5", "6", "3", "3x", "6abc", "4fine") // rel/K1 rel/K4 rel/K5
	c.want("4fine")
}

// TestManyAtOnce: no connection is forgotten, however many become readable together.
func TestManyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		e := newEdgeOn(t, over, Config{}, &floor{})
		var clients []*client
		for range 150 { // more than one epoll_wait returns
			c, _ := e.ws()
			clients = append(clients, c)
		}
		for range 20 {
			for _, c := range clients {
				c.say("4a")
			}
			for _, c := range clients {
				c.want("4a")
			}
		}
		var done sync.WaitGroup
		for _, c := range clients {
			done.Go(func() {
				for range 50 {
					c.say("4b")
					if _, p, err := c.next(); err != nil || string(p) != "4b" {
						t.Errorf("%q %v", p, err)
						return
					}
				}
			})
		}
		done.Wait()
	})
}

// TestChopping sends the same messages in random pieces, rel/W21.
func TestChopping(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		e := newEdgeOn(t, over, Config{}, &floor{})
		c, _ := e.ws()
		rnd := rand.New(rand.NewPCG(1, 2))
		var stream []byte
		var want []string
		for range 200 {
			p := []byte("4" + strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(3000)))
			want = append(want, string(p))
			first := byte(0x01)
			for len(p) > 1 && rnd.IntN(3) == 0 {
				n := rnd.IntN(len(p))
				stream = append(stream, frame(first, p[:n])...)
				p, first = p[n:], 0
			}
			stream = append(stream, frame(first|0x80, p)...)
		}
		go func() {
			for len(stream) > 0 {
				n := min(len(stream), 1+rnd.IntN(700))
				c.conn.Write(stream[:n])
				stream = stream[n:]
			}
		}()
		c.want(want...)
	})
}
