package sio

import (
	"fmt"
	"strings"
	"testing"
)

// event100 is an event as chats send them, of 100 bytes.
const event100 = `2["chat message",{"room":"general","text":"hello, how are you doing?","ts":1718000000000,"ok":true}]`

func BenchmarkText(b *testing.B) {
	for _, bm := range []struct{ name, in string }{
		{"event of 100 bytes", event100},
		{"event of 10 KB", `2["doc",{"body":"` + strings.Repeat("lorem ipsum dolor ", 560) + `"}]`},
		{"numbers", `2["pos",` + strings.Repeat(`[12.5,-7.25,1718000000000],`, 30) + `0]`},
		{"ack", `3/admin,42[{"ok":true}]`},
		{"connect", `0/admin,{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln","pid":"7f3c","offset":"12"}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var d Decoder
			buf := make([]byte, len(bm.in))
			b.SetBytes(int64(len(bm.in)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, bm.in)
				if _, _, err := d.Text(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBinary(b *testing.B) {
	const in = `52-/x,7["upload",{"name":"cat.png","data":` + ph0 + `},` + ph1 + `]`
	var d Decoder
	buf := make([]byte, len(in))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, in)
		_, _, err := d.Text(buf)
		if err == nil {
			_, _, err = d.Binary(nil)
		}
		if err == nil {
			_, _, err = d.Binary(nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckArgs(b *testing.B) {
	args := []byte(`[{"room":"general","text":"hello, how are you doing?","ts":1718000000000,"ok":true}]`)
	b.SetBytes(int64(len(args)))
	b.ReportAllocs()
	for b.Loop() {
		if err := CheckArgs(args, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	args := []byte(`[{"room":"general","text":"hello, how are you doing?","ts":1718000000000,"ok":true}]`)
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], "/chat", 0, false, "chat message", args, "1a2b-77", 0)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkRecoveryKeys(b *testing.B) {
	auth := []byte(`{"pid":"7f3c","offset":"12","token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}`)
	b.ReportAllocs()
	for b.Loop() {
		RecoveryKeys(auth)
	}
}

// TestAllocs holds what the benchmarks show: the messages that make up the load cost no memory
// beyond the bytes they came in.
func TestAllocs(t *testing.T) {
	for in, want := range map[string]float64{
		event100:                            0,
		`2["a"]`:                            0,
		`2/x,1["\u0061\n",[[{"k":"v"}]]]`:   0,
		`31[{"ok":true}]`:                   0,
		`0/x,{"token":"x"}`:                 0,
		`2["a",` + nest(63) + `]`:           0,
		`2["a",` + strings.Repeat("[", 100): 0,
		`2[` + strings.Repeat(fmt.Sprintf("%q,", "x"), 9): 0,
		`51-["a",` + ph0 + `]`:                            1, // the assembly
	} {
		buf := make([]byte, len(in))
		got := testing.AllocsPerRun(100, func() {
			var d Decoder
			copy(buf, in)
			d.Text(buf)
		})
		if got > want {
			t.Errorf("%s: %v allocations, want %v", clip(in), got, want)
		}
	}
}
