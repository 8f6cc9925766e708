package sio

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestCheckArgs(t *testing.T) {
	for _, tt := range []struct {
		id, args    string
		attachments int
		want        *Error
	}{
		{"nothing", ``, 0, nil},
		{"empty", `[]`, 0, nil},
		{"pretty", "\n[ 1,\t2 ]\n", 0, nil},
		{"K20", `[9007199254740993,"\ud800",{"a":1,"a":2}]`, 0, nil},
		{"B8 no attachments, no placeholders", `[{"_placeholder":true,"num":3}]`, 0, nil},
		{"K09", `[[` + ph1 + `],` + ph0 + `]`, 2, nil},
		{"J1", `[` + nest(63) + `]`, 0, nil},
		{"256", `[1` + strings.Repeat(",1", 255) + `]`, 0, nil},
		{"K19 what an encoder gives up on", `[{"a":`, 0, errSyntax},
		{"object", `{}`, 0, errArray},
		{"string", `"a"`, 0, errArray},
		{"space", ` `, 0, errArray},
		{"two", `[][]`, 0, errSyntax},
		{"comma", `[1,]`, 0, errSyntax},
		{"open", `[`, 0, errSyntax},
		{"separator", "[\"\x1e\"]", 0, errSyntax},
		{"UTF-8: a client would close", "[\"\xff\"]", 0, errUTF8},
		{"UTF-8: half a pair", "[\"\xed\xa0\x80\"]", 0, errUTF8},
		{"J1", `[` + nest(64) + `]`, 0, errDepth},
		{"257", `[1` + strings.Repeat(",1", 256) + `]`, 0, errArgs},
		{"B2", `[]`, 11, errTooMany},
		{"B8 unused", `[]`, 1, errPlaceholders},
		{"B8 unused", ``, 1, errPlaceholders},
		{"B8 out of range", `[` + ph0 + `,` + ph1 + `]`, 1, errPlaceholders},
	} {
		err := CheckArgs([]byte(tt.args), tt.attachments, nil)
		if tt.want == nil && err != nil || tt.want != nil && err != tt.want {
			t.Errorf("%s: %s: %v, want %v", tt.id, clip(tt.args), err, tt.want)
		}
	}
}

func TestCheckObject(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		many.WriteString(`"` + strings.Repeat("k", i) + `":0,`)
	}
	for in, want := range map[string]*Error{
		`{}`:                             nil,
		" { \"a\" : [ ] } ":              nil,
		`{"a":{"b":1,"b":2},"b":1}`:      nil,
		`{` + many.String() + `"x":0}`:   nil,
		`{` + many.String() + `"kk":0}`:  errDuplicate,
		`{"a":1,"a":1}`:                  errDuplicate,
		`{"":1,"":1}`:                    errDuplicate,
		`{"a":1,"\u0061":1}`:             errDuplicate,
		`{"\u0061":1,"b":2,"\u0061":1}`:  errDuplicate,
		`[]`:                             errObject,
		``:                               errObject,
		`null`:                           errObject,
		`{"a"}`:                          errSyntax,
		`{"a":}`:                         errSyntax,
		`{"a":1,}`:                       errSyntax,
		`{a:1}`:                          errSyntax,
		`{"a":1}}`:                       errSyntax,
		`{"a":1`:                         errSyntax,
		`{"a":1]`:                        errSyntax,
		`{`:                              errSyntax,
		"{\"a\":\"\xff\"}":               errUTF8,
		`{"a":` + nest(64) + `}`:         errDepth,
		`{"a":{"_placeholder":"never"}}`: nil,
	} {
		err := CheckObject([]byte(in), nil)
		if want == nil && err != nil || want != nil && err != want {
			t.Errorf("%s: %v, want %v", clip(in), err, want)
		}
	}
}

func TestCheckValue(t *testing.T) {
	for in, want := range map[string]*Error{
		`null`: nil, ` "a" `: nil, `-0.5e-7`: nil, `[]`: nil, `{}`: nil, nest(63): nil,
		``: errSyntax, `nul`: errSyntax, `1 2`: errSyntax, `01`: errSyntax, `+1`: errSyntax, `.5`: errSyntax,
		nest(64): errDepth, "\"\xc0\x80\"": errUTF8,
	} {
		err := CheckValue([]byte(in), nil)
		if want == nil && err != nil || want != nil && err != want {
			t.Errorf("%s: %v, want %v", clip(in), err, want)
		}
	}
}

// TestScanLikeJSON puts every byte at every place of a few documents and lets encoding/json judge,
// which covers every branch of the scanner and every position in the eight bytes it looks at.
func TestScanLikeJSON(t *testing.T) {
	for _, doc := range []string{
		`["0123456789abcdef0123456789",-12.5e+30,{"k":[true,false,null]}]`,
		`{"a\u00e9\n\\":"\ud83d\ude00","":{} , "b":[ [],{"c":0}]}`,
		"[\"12345678\",\"1234567\",\"123456789\"\t,0.1E-2 , -0]",
	} {
		for i := range len(doc) {
			for c := range 256 {
				in := []byte(doc)
				in[i] = byte(c)
				agree(t, in)
			}
			agree(t, []byte(doc[:i]))
			agree(t, []byte(doc[i:]))
			agree(t, []byte(doc[:i]+doc[i+1:]))
		}
	}
}

// agree fails if the scanner and encoding/json have different opinions about in.
func agree(t *testing.T, in []byte) {
	t.Helper()
	s := scanner{b: in, depth: maxDepth}
	end, err := s.value(0)
	if err == nil {
		err = s.end(end)
	}
	if err == errDepth {
		return
	}
	if want := json.Valid(in); want != (err == nil) {
		t.Errorf("%q: %v, but encoding/json says %v", in, err, want)
	}
}

// TestMegabytes is about J2: a megabyte of anything is looked at once. BenchmarkMegabytes tells how
// long that takes; the bound here is far above it, so that only what is not linear is over it.
func TestMegabytes(t *testing.T) {
	for _, tt := range megabytes() {
		var d Decoder
		start := time.Now()
		_, _, err := d.Text([]byte(tt.in))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: %v", tt.id, took)
		}
		if tt.valid != (err == nil) {
			t.Errorf("%s: %v", tt.id, err)
		}
	}
}

func BenchmarkMegabytes(b *testing.B) {
	for _, bm := range megabytes() {
		b.Run(bm.id, func(b *testing.B) {
			buf := make([]byte, len(bm.in))
			b.SetBytes(int64(len(bm.in)))
			for b.Loop() {
				copy(buf, bm.in)
				var d Decoder
				d.Text(buf)
			}
		})
	}
}

type megabyte struct {
	id, in string
	valid  bool
}

func megabytes() []megabyte {
	const n = 1_000_000
	return []megabyte{
		{"J2 brackets", `2["a",` + strings.Repeat("[", n), false},
		{"J2 quotes", `2["a",` + strings.Repeat(`"`, n), false},
		{"J2 escapes", `2["a","` + strings.Repeat(`\u0000`, n/6) + `"]`, true},
		{"J2 digits", `2["a",` + strings.Repeat("1", n) + `]`, true},
		{"J2 text", `2["a","` + strings.Repeat("x", n) + `"]`, true},
		{"J2 spaces", `2["a",` + strings.Repeat(" ", n) + `1]`, true},
		{"B8 brace and spaces", `51-["a",` + ph0 + `,{` + strings.Repeat(" ", n) + `}]`, true},
		{"B8 braces", `51-["a",` + ph0 + `,[` + strings.Repeat(`{"num":0},`, n/10) + `0]]`, true},
		{"J7 keys", `51-["a",` + ph0 + `,{` + strings.Repeat(`"num":0,`, n/8) + `"num":0}]`, true},
		{"S14 name", `2["` + strings.Repeat("x", n) + `"]`, false},
		{"S14 name of escapes", `2["` + strings.Repeat(`\u0000`, n/6) + `"]`, false},
	}
}
