package eio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The ids in front of the rows: E01 to E03 and H01 are those of the feature map, K and L with a
// number those of the table of bad input.

func show(p Packet, err error) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case p.Binary:
		return fmt.Sprintf("%c binary %x", p.Type, p.Data)
	}
	return fmt.Sprintf("%c %s", p.Type, p.Data)
}

func TestParseText(t *testing.T) {
	const base, sep, empty, unknown = "error: invalid base64", "error: separator in a packet", "error: empty packet", "error: unknown packet type"
	for _, tt := range []struct{ id, in, want string }{
		{"E01 open", `0{"sid":"x"}`, `0 {"sid":"x"}`},
		{"E01 close", `1`, `1 `},
		{"E01 ping", `2`, `2 `},
		{"E01 ping", `2probe`, `2 probe`},
		{"E01 pong", `3probe`, `3 probe`},
		{"E01 message", `4hello €`, `4 hello €`},
		{"E01 upgrade", `5`, `5 `},
		{"E01 noop", `6`, `6 `},
		{"E03 K7", `bAQIDBA==`, `4 binary 01020304`},
		{"E03", `b/+8=`, `4 binary ffef`},
		{"K10 empty message", `4`, `4 `},
		{"L9 b alone", `b`, `4 binary `},
		{"E02 K6", ``, empty},
		{"E02 K6", `7`, unknown},
		{"E02 K6", `a`, unknown},
		{"E02", `/`, unknown},
		{"E02", `:`, unknown},
		{"E02 K6", "\x1e", sep},
		{"E02 K6", "2\x1e2", sep},
		{"E02 K6", "40/x\x1e,", sep},
		{"E02", "\ufeff4x", unknown},
		{"L9", `b###`, base},
		{"L9 unpadded", `bAQIDBA`, base},
		{"L9 unpadded", `bAQI`, base}, // three characters
		{"L9 unpadded", `bA`, base},
		{"L9 half padded", `bAQIDBA=`, base},
		{"L9 too much padding", `bAQID====`, base},
		{"L9 padding in the middle", `bAQ==AQID`, base},
		{"L9 url-safe", `b_-8=`, base},
		{"L9 url-safe", `b____`, base},
		{"L9 line break", "bAQID\nBA==", base},
		{"L9 line break", "bAQID\r\n", base},
		{"L9 line break", "b\n", base},
		{"L9 line break", "bAQID\r", base},
		{"L9 space", "bAQID ", base},
		{"L9 padding bits", `bAQIDBB==`, base},
	} {
		if got := show(ParseText([]byte(tt.in))); got != tt.want {
			t.Errorf("%s: %q: %s, want %s", tt.id, tt.in, got, tt.want)
		}
	}
}

// TestBase64InPlace decodes where it reads, which the standard library allows but does not
// promise, at every length and every alignment of its fast path.
func TestBase64InPlace(t *testing.T) {
	var want []byte
	for n := range 300 {
		got, err := ParseText(AppendText(nil, Packet{Type: Message, Binary: true, Data: want}))
		if err != nil || !got.Binary || got.Type != Message || !bytes.Equal(got.Data, want) || cap(got.Data) > n {
			t.Fatalf("E03: %d bytes: %v, %v, want %v", n, got, err, want)
		}
		want = append(want, byte(n*7))
	}
}

func TestAppendText(t *testing.T) {
	for _, tt := range []struct {
		id   string
		p    Packet
		want string
	}{
		{"E01", Packet{Type: Open, Data: []byte("{}")}, "0{}"},
		{"E01", Packet{Type: Close}, "1"},
		{"E01", Packet{Type: Ping, Data: []byte("probe")}, "2probe"},
		{"E01", Packet{Type: Pong}, "3"},
		{"E01", Packet{Type: Message, Data: []byte("hello")}, "4hello"},
		{"E01", Packet{Type: Upgrade}, "5"},
		{"E01", Packet{Type: Noop}, "6"},
		{"E03", Packet{Type: Message, Binary: true, Data: []byte{1, 2, 3, 4}}, "bAQIDBA=="},
		{"E03", Packet{Type: Message, Binary: true, Data: []byte{0xff, 0xef}}, "b/+8="},
		{"E03 empty", Packet{Type: Message, Binary: true}, "b"},
	} {
		if got := AppendText([]byte("x"), tt.p); string(got) != "x"+tt.want {
			t.Errorf("%s: %s, want %s", tt.id, got[1:], tt.want)
		}
	}
}

func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		id, in string
		want   []string
	}{
		{"E01 one", "4hello", []string{"4 hello"}},
		{"E01 two", "4a\x1e4b", []string{"4 a", "4 b"}},
		{"E03 mixed", "4a\x1e2\x1ebAQID\x1e4\x1e3", []string{"4 a", "2 ", "4 binary 010203", "4 ", "3 "}},
		{"E02 L7 empty", "", []string{"error: empty packet"}},
		{"E02 L7 text", "abc", []string{"error: unknown packet type"}},
		{"L7 type 7", "4a\x1e7\x1e4b", []string{"4 a", "error: unknown packet type"}},
		{"L7 separator alone", "\x1e", []string{"error: empty packet"}},
		{"L7 trailing", "4a\x1e", []string{"4 a", "error: empty packet"}},
		{"L7 leading", "\x1e4a", []string{"error: empty packet"}},
		{"L7 double", "4a\x1e\x1e4b", []string{"4 a", "error: empty packet"}},
		{"L9", "4a\x1eb###\x1e4b", []string{"4 a", "error: invalid base64"}},
		{"EIO3 payload", "6:4hello", []string{"6 :4hello"}},
	} {
		var got []string
		for p, err := range Packets([]byte(tt.in)) {
			got = append(got, show(p, err))
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
			t.Errorf("%s: %q: %q, want %q", tt.id, tt.in, got, tt.want)
		}
	}
}

// TestPacketsStop breaks off in the middle, and lets a packet grow while the next one waits.
func TestPacketsStop(t *testing.T) {
	payload := []byte("4a\x1e4b\x1e4c")
	var got []string
	for p, err := range Packets(payload) {
		got = append(got, show(p, err))
		_ = append(p.Data, "XXX"...)
		if len(got) == 2 {
			break
		}
	}
	if fmt.Sprint(got) != "[4 a 4 b]" {
		t.Errorf("packets %q", got)
	}
}

// TestManyPackets is L3: half a million packets cost nothing before somebody looks at them.
func TestManyPackets(t *testing.T) {
	payload := []byte(strings.Repeat("2\x1e", 500_000) + "2")
	n := 0
	allocs := testing.AllocsPerRun(1, func() {
		for _, err := range Packets(payload) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	})
	if n != 2*500_001 || allocs > 0 {
		t.Errorf("L3: %d packets in two runs, %v allocations a run", n, allocs)
	}
	for _, err := range Packets([]byte(strings.Repeat("\x1e", 1_000_000))) {
		if err == nil {
			t.Errorf("L3: a million separators hold a packet")
		}
	}
}

func TestAppendHandshake(t *testing.T) {
	got := AppendHandshake(nil, Handshake{SID: "a-_9", Upgrades: []string{"websocket", "webtransport"}, PingInterval: 25000, PingTimeout: 20000, MaxPayload: 1000000})
	if want := `0{"sid":"a-_9","upgrades":["websocket","webtransport"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`; string(got) != want {
		t.Errorf("H01: %s, want %s", got, want)
	}
	got = AppendHandshake(nil, Handshake{SID: "x"})
	if want := `0{"sid":"x","upgrades":[],"pingInterval":0,"pingTimeout":0,"maxPayload":0}`; string(got) != want {
		t.Errorf("H02: %s, want %s", got, want)
	}
	if !json.Valid(got[1:]) {
		t.Errorf("H02: not JSON")
	}
}

// FuzzParseText checks that what can be parsed comes out of AppendText as it went in, and that
// base64 is read as the standard library reads it when nothing is in place.
func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"", "0{}", "1", "2probe", "3", "4hello", "4", "5", "6", "7", "a", "b", "bAQIDBA==", "b/+8=", "b###", "bAQIDBB==", "bAQID\n", "\x1e", "4\x1e4"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := ParseText(bytes.Clone(in))
		if err != nil {
			if len(in) > 0 && in[0] == 'b' && !bytes.ContainsAny(in, "\r\n\x1e") {
				if _, err := base64.StdEncoding.Strict().DecodeString(string(in[1:])); err == nil {
					t.Errorf("%q was refused", in)
				}
			}
			return
		}
		if got := AppendText(nil, p); !bytes.Equal(got, in) {
			t.Errorf("%q became %q", in, got)
		}
	})
}

// FuzzPackets checks that the packets of a payload are its parts, in order, up to the first that
// is none.
func FuzzPackets(f *testing.F) {
	for _, seed := range []string{"", "4a", "4a\x1e4b", "4a\x1ebAQID\x1e2", "\x1e", "4a\x1e", "\x1e4a", "4\x1e\x1e4", "4a\x1e7\x1e4", "b\x1eb", "bAQID\x1eb###"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		parts := bytes.Split(in, []byte{Separator})
		var out []byte
		n := 0
		for p, err := range Packets(bytes.Clone(in)) {
			if n == len(parts) {
				t.Fatalf("%q: more than %d packets", in, n)
			}
			want, wantErr := ParseText(bytes.Clone(parts[n]))
			n++
			if got := show(p, err); got != show(want, wantErr) {
				t.Fatalf("%q: packet %d is %s, want %s", in, n, got, show(want, wantErr))
			}
			if err != nil {
				return
			}
			if n > 1 {
				out = append(out, Separator)
			}
			out = AppendText(out, p)
		}
		if n != len(parts) || !bytes.Equal(out, in) {
			t.Errorf("%q became %q", in, out)
		}
	})
}

func BenchmarkPackets(b *testing.B) {
	payload := []byte(strings.Repeat(`42["chat message",{"text":"hello"}]`+"\x1e", 9) + "2")
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Packets(payload) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkBase64(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 640)
	text := AppendText(nil, Packet{Type: Message, Binary: true, Data: data})
	buf := make([]byte, len(text))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, text)
		if _, err := ParseText(buf); err != nil {
			b.Fatal(err)
		}
	}
}
