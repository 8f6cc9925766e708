package sio

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The ids in front of the rows: with two digits those of the feature map, with one or two after
// B, J, N and S those of the table of bad input.

// show writes a packet in one line: type, namespace, id, name, data.
func show(p Packet) string {
	types := [...]string{"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"}
	s := types[p.Type]
	if p.Namespace != nil {
		s += " " + string(p.Namespace)
	}
	if p.HasID {
		s += fmt.Sprintf(" #%d", p.ID)
	}
	if p.NumericName {
		s += fmt.Sprintf(" number %s", p.Name)
	} else if p.Type == Event {
		s += fmt.Sprintf(" %q", p.Name)
	}
	if p.Data != nil {
		s += " " + string(p.Data)
	}
	return s
}

func TestText(t *testing.T) {
	long := strings.Repeat("n", 127)
	for _, tt := range []struct{ id, in, want string }{
		{"K01 connect", `0`, `CONNECT`},
		{"K01 disconnect", `1`, `DISCONNECT`},
		{"K02", `0/woot,{"token":"123"}`, `CONNECT /woot {"token":"123"}`},
		{"K02 empty auth", `0{}`, `CONNECT {}`},
		{"K02 main namespace by name", `0/,{}`, `CONNECT {}`},
		{"K02 without comma", `0/admin`, `CONNECT /admin`},
		{"K02 with comma only", `0/admin,`, `CONNECT /admin`},
		{"K03", `1/woot,`, `DISCONNECT /woot`},
		{"K03 without comma", `1/woot`, `DISCONNECT /woot`},
		{"K04", `2["a",1,{}]`, `EVENT "a" [1,{}]`},
		{"K04 no arguments", `2["a"]`, `EVENT "a" []`},
		{"K05 S11", `2[1,"a",{}]`, `EVENT number 1 ["a",{}]`},
		{"S11 no arguments", `2[1]`, `EVENT number 1 []`},
		{"S11 as it was written", `2[-1.50e+3,0]`, `EVENT number -1.50e+3 [0]`},
		{"K06", `2/test,1["a",1,{}]`, `EVENT /test #1 "a" [1,{}]`},
		{"K06 id zero", `20["a"]`, `EVENT #0 "a" []`},
		{"K07", `3/,123["a",1,{}]`, `ACK #123 ["a",1,{}]`},
		{"K07 empty", `31[]`, `ACK #1 []`},
		{"K16 white space is passed on", "2[ \"a\" ,\t1 , {} ]", `EVENT "a" [` + "\t1 , {} ]"},
		{"K16 white space without arguments", `2["a" ]`, `EVENT "a" [ ]`},
		{"K16 white space without arguments", `2[1 ]`, `EVENT number 1 []`},
		{"K16 white space at the end", "2[\"a\",1]\r\n", `EVENT "a" [1]`},
		{"K16 white space at the end", `31[1] `, `ACK #1 [1]`},
		{"K16 white space at the end", `0{"a":1} `, `CONNECT {"a":1}`},

		{"K16 every kind in every kind", `2["a",[{"b":1},[1,2],{"c":[{}],"d":{"e":[]}},[[]]]]`, `EVENT "a" [[{"b":1},[1,2],{"c":[{}],"d":{"e":[]}},[[]]]]`},
		{"K20 J6 numbers", `2["a",9007199254740993,1e999,-0,0.10,1E+2]`, `EVENT "a" [9007199254740993,1e999,-0,0.10,1E+2]`},
		{"K20 J4 keys", `2["a",{"__proto__":{"x":1},"constructor":{"prototype":2},"a":1,"a":2}]`, `EVENT "a" [{"__proto__":{"x":1},"constructor":{"prototype":2},"a":1,"a":2}]`},
		{"K20 J5 lone surrogates", `2["a","\ud800\udfff\ud800"]`, `EVENT "a" ["\ud800\udfff\ud800"]`},
		{"K20 J9 markup", `2["a","<script>\/\u003c&é😀"]`, `EVENT "a" ["<script>\/\u003c&é😀"]`},
		{"B8 placeholders without attachments are objects", `2["a",{"_placeholder":true,"num":7}]`, `EVENT "a" [{"_placeholder":true,"num":7}]`},
		{"B8 the same in an ack", `31[{"_placeholder":"x"}]`, `ACK #1 [{"_placeholder":"x"}]`},
		{"B7", `50-["a"]`, `EVENT "a" []`},
		{"B7 with arguments", `50-/x,1["a",1]`, `EVENT /x #1 "a" [1]`},
		{"B7 ack", `60-1[]`, `ACK #1 []`},

		{"S13", `2["error"]`, `EVENT "error" []`},
		{"S13 connection", `2["connection"]`, `EVENT "connection" []`},
		{"S14", `2["__proto__"]`, `EVENT "__proto__" []`},
		{"S14", `2["constructor"]`, `EVENT "constructor" []`},
		{"S14", `2["hasOwnProperty"]`, `EVENT "hasOwnProperty" []`},
		{"S14 empty", `2[""]`, `EVENT "" []`},
		{"S14 empty", `2["",1]`, `EVENT "" [1]`},
		{"S14 128 bytes", `2["n` + long + `"]`, `EVENT "n` + long + `" []`},
		{"S14 128 bytes behind escapes", `2["\u006e` + long + `"]`, `EVENT "n` + long + `" []`},
		{"S14 control characters", `2["\u0000\n\u202e"]`, `EVENT "\x00\n\u202e" []`},
		{"S14 escapes", `2["\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00",1]`, `EVENT "\"\\/\b\f\n\r\té😀" [1]`},
		{"S14 lone surrogates", `2["\ud800-\udc00\ud800\u0041"]`, `EVENT "�-��A" []`},
		{"S15 no id", `3`, `ACK`},
		{"S15 no id", `3[]`, `ACK []`},
		{"S15 no id", `3/x,`, `ACK /x`},
		{"S18 A11 highest", `29007199254740991["a"]`, `EVENT #9007199254740991 "a" []`},
		{"S18 leading zeros", `2007["a"]`, `EVENT #7 "a" []`},
		{"S18 sixteen digits", `20000000000000007["a"]`, `EVENT #7 "a" []`},
		{"S22 256 arguments", `2["a"` + strings.Repeat(",1", 256) + `]`, `EVENT "a" [1` + strings.Repeat(",1", 255) + `]`},
		{"S22 256 arguments of an ack", `31[1` + strings.Repeat(",1", 255) + `]`, `ACK #1 [1` + strings.Repeat(",1", 255) + `]`},

		{"J1 64 levels", `2["a",` + nest(63) + `]`, `EVENT "a" [` + nest(63) + `]`},
		{"J1 64 levels of an ack", `31[` + nest(63) + `]`, `ACK #1 [` + nest(63) + `]`},
		{"J1 64 levels of auth", `0{"a":` + nest(63) + `}`, `CONNECT {"a":` + nest(63) + `}`},
		{"J1 64 levels again and again", `2["a",` + nest(63) + `,` + nest(63) + `]`, `EVENT "a" [` + nest(63) + `,` + nest(63) + `]`},
		{"J3 the same key at different levels", `0{"a":{"b":1,"b":2},"b":3}`, `CONNECT {"a":{"b":1,"b":2},"b":3}`},

		{"N1 query is no query", `0/a?token=x,`, `CONNECT /a?token=x`},
		{"N1 dots", `0/../,`, `CONNECT /../`},
		{"N1 NUL", "0/\x00,", "CONNECT /\x00"},
		{"N1 128 bytes", `0/` + long, `CONNECT /` + long},
		{"N1 128 bytes and a comma", `0/` + long + `,{}`, `CONNECT /` + long + ` {}`},
		{"N1 slashes", `0//,`, `CONNECT //`},
		{"N1 event", `2/nsp,["a"]`, `EVENT /nsp "a" []`},
	} {
		var d Decoder
		p, complete, err := d.Text([]byte(tt.in))
		if err != nil || !complete {
			t.Errorf("%s: %s: complete = %v, err = %v", tt.id, clip(tt.in), complete, err)
			continue
		}
		if got := show(p); got != tt.want {
			t.Errorf("%s: %s:\ngot  %s\nwant %s", tt.id, clip(tt.in), clip(got), clip(tt.want))
		}
		if d.Pending() || p.Attachments != nil {
			t.Errorf("%s: %s: attachments", tt.id, clip(tt.in))
		}
	}
}

// nest returns n arrays and objects inside each other.
func nest(n int) string {
	s := ""
	end := ""
	for i := range n {
		if i%3 == 0 {
			s, end = s+`{"k":`, "}"+end
		} else {
			s, end = s+`[`, "]"+end
		}
	}
	return s + "0" + end
}

func clip(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%q… (%d bytes)", s[:100], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func TestTextRefuses(t *testing.T) {
	const payload = "invalid payload"
	long := strings.Repeat("n", 128)
	for _, tt := range []struct{ id, in, want string }{
		{"K10", `5`, "Illegal attachments"},
		{"K11 B2", `511-["a"]`, "too many attachments"},
		{"K12", `51-["a",{"_placeholder":true,"num":"splice"}]`, "illegal attachments"},
		{"K12", `51-["a",{"_placeholder":true,"num":1}]`, "illegal attachments"},
		{"K15", `442["some","data"`, "connect error from a client"},
		{"K15", `242["some","data"`, payload},
		{"K15", `0/admin,"invalid"`, payload},
		{"K15", `0[]`, payload},
		{"K15", `1/admin,{}`, payload},
		{"K15", `2/admin,"invalid`, payload},
		{"K15", `2/admin,{}`, payload},
		{"K15 S10", `2[{"toString":"foo"}]`, payload},
		{"K15 S10", `2[true,"foo"]`, payload},
		{"K15 S10", `2[null,"bar"]`, payload},
		{"K15 S12 D14", `2["connect"]`, payload},
		{"K15 S12 D14", `2["disconnect","123"]`, payload},
		{"K15", `51`, "Illegal attachments"},
		{"K15", `5a-`, "Illegal attachments"},
		{"K15", `51.23-`, "Illegal attachments"},
		{"K15 D11 S17", `999`, "unknown packet type 9"},
		{"D12", `2{}`, payload},
		{"D13", `2abc["a"]`, payload},

		{"S5", `0"x"`, payload},
		{"S5", `0{bad`, payload},
		{"S5", `0null`, payload},
		{"S5", `0 {}`, payload},
		{"S5", `0{}{}`, payload},
		{"S5 K16", `01{}`, payload},
		{"S7", `1{}`, payload},
		{"S7", `1[]`, payload},
		{"S7", `1/x, `, payload},
		{"S9", `2`, payload},
		{"S9", `2/x`, payload},
		{"S9", `2/x,`, payload},
		{"S9", `21`, payload},
		{"S9", `2[]`, payload},
		{"S9", `2[ ]`, payload},
		{"S9", `2"x"`, payload},
		{"S9", `2null`, payload},
		{"S10", `2[["a"]]`, payload},
		{"S10", `2[true]`, payload},
		{"S10", `2[null]`, payload},
		{"S10", `2[{}]`, payload},
		{"S12", `2["connect_error"]`, payload},
		{"S12", `2["disconnecting"]`, payload},
		{"S12", `2["newListener"]`, payload},
		{"S12", `2["removeListener"]`, payload},
		{"S12 behind escapes", `2["\u0063onnect"]`, payload},
		{"S12 binary", `50-["connect"]`, payload},
		{"S14 129 bytes", `2["n` + long + `"]`, "event name too long"},
		{"S14 129 bytes behind escapes", `2["\u006e` + long + `"]`, "event name too long"},
		{"S14 long number", `2[` + strings.Repeat("1", 129) + `]`, "event name too long"},
		{"S15", `3{}`, payload},
		{"S15", `31{}`, payload},
		{"S15", `31`, payload},
		{"S15", `3null`, payload},
		{"S16", `4{"message":"x"}`, "connect error from a client"},
		{"S16", `4`, "connect error from a client"},
		{"S17", ``, "empty packet"},
		{"S17", `7`, "unknown packet type 7"},
		{"S17", `8["a"]`, "unknown packet type 8"},
		{"S17", `a`, "unknown packet type NaN"},
		{"S17", `-1`, "unknown packet type NaN"},
		{"S18 17 digits", `200000000000000007["a"]`, "ack id out of range"},
		{"S18 over 2^53-1", `29007199254740992["a"]`, "ack id out of range"},
		{"S18 over 2^53-1", `39999999999999999[]`, "ack id out of range"},
		{"S18 400 nines", `2` + strings.Repeat("9", 400) + `["a"]`, "ack id out of range"},
		{"S18 1 MB", strings.Repeat("2", 1_000_000), "ack id out of range"},
		{"S18", `21e3["a"]`, payload},
		{"S18", `2+1["a"]`, payload},
		{"S18", `2-1["a"]`, payload},
		{"S18 fullwidth", `2１["a"]`, payload},
		{"S19 BOM", "2\ufeff[\"a\"]", payload},
		{"S19 space", `2 ["a"]`, payload},
		{"S19 tab", "2\t[\"a\"]", payload},
		{"S19 NBSP", "2\u00a0[\"a\"]", payload},
		{"S19 after the namespace", `2/x, ["a"]`, payload},
		{"S19 after the id", `21 ["a"]`, payload},
		{"S19 ack", `31 []`, payload},
		{"S19 before the type", ` 2["a"]`, "unknown packet type NaN"},
		{"S21", `2["a"]x`, payload},
		{"S21", `2["a"]["b"]`, payload},
		{"S21", `2["a",1]]`, payload},
		{"S21", `2["a"/**/]`, payload},
		{"S21", `2["a",NaN]`, payload},
		{"S21", `2["a",Infinity]`, payload},
		{"S21", `2["a",-Infinity]`, payload},
		{"S21", `2['a']`, payload},
		{"S21", `2["a",]`, payload},
		{"S21", `2["a" 1]`, payload},
		{"S21", `2["a",1 2]`, payload},
		{"S21", `2[1.]`, payload},
		{"S21", `2[-]`, payload},
		{"S21", `2["a`, payload},
		{"S21", `2["a"`, payload},
		{"S21", `2[`, payload},
		{"S21", `2["a",`, payload},
		{"S21", `2["a\`, payload},
		{"S22 10,000 arguments", `2["a"` + strings.Repeat(",1", 10_000) + `]`, "too many arguments"},
		{"S22 257 arguments", `2["a"` + strings.Repeat(",1", 257) + `]`, "too many arguments"},
		{"S22 257 arguments of an ack", `31[1` + strings.Repeat(",1", 256) + `]`, "too many arguments"},

		{"J1 65 levels", `2["a",` + nest(64) + `]`, "nested too deeply"},
		{"J1 65 levels of an ack", `31[` + nest(64) + `]`, "nested too deeply"},
		{"J1 10,000 levels", `2["a",` + strings.Repeat("[", 10_000), "nested too deeply"},
		{"J1 500,000 levels", `2["a",` + strings.Repeat(`{"":`, 500_000), "nested too deeply"},
		{"J3", `0{"a":1,"a":1}`, "duplicate key"},
		{"J3 behind escapes", `0{"pid":"x","\u0070i\u0064":"y"}`, "duplicate key"},

		{"N1 129 bytes", `0/` + long, "namespace too long"},
		{"N1 129 bytes and a comma", `0/` + long + `,`, "namespace too long"},
		{"N1 1 MB without comma", `0/` + strings.Repeat("n", 1_000_000), "namespace too long"},
		{"N1", `0/a,b`, payload},
		{"N1 without slash", `2admin,["a"]`, payload},
	} {
		var d Decoder
		p, complete, err := d.Text([]byte(tt.in))
		if p.Data != nil || p.Name != nil || p.HasID {
			t.Errorf("%s: %s: left %s", tt.id, clip(tt.in), show(p))
		}
		var e *Error
		if !errors.As(err, &e) || complete {
			t.Errorf("%s: %s was accepted, want %s", tt.id, clip(tt.in), tt.want)
			continue
		}
		if e.Reason != tt.want {
			t.Errorf("%s: %s: %s, want %s", tt.id, clip(tt.in), e.Reason, tt.want)
		}
		if d.Pending() {
			t.Errorf("%s: %s: attachments are awaited", tt.id, clip(tt.in))
		}
	}
}

// TestAuthTooLarge is about S6: a refusal for good, so the namespace has to be known.
func TestAuthTooLarge(t *testing.T) {
	var keys bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&keys, `"%d":0,`, i)
	}
	for id, auth := range map[string]string{
		"S6 8193 bytes":      `{"a":"` + strings.Repeat("x", 8193-8) + `"}`,
		"S6 10,000 keys":     `{` + keys.String() + `"x":0}`,
		"S6 depth 65":        `{"a":` + nest(64) + `}`,
		"S6 1 MB of nothing": `{"a":"` + strings.Repeat("x", 1_000_000),
	} {
		var d Decoder
		p, complete, err := d.Text([]byte("0/admin," + auth))
		if err != ErrAuthTooLarge || complete {
			t.Errorf("%s: err = %v, complete = %v", id, err, complete)
		}
		if p.Type != Connect || string(p.Namespace) != "/admin" || p.Data != nil {
			t.Errorf("%s: packet is %s", id, show(p))
		}
		if _, complete, err := d.Text([]byte("0")); err != nil || !complete {
			t.Errorf("%s: the next packet: complete = %v, err = %v", id, complete, err)
		}
	}
	var d Decoder
	if _, _, err := d.Text([]byte(`0{"a":"` + strings.Repeat("x", 8192-8) + `"}`)); err != nil {
		t.Errorf("8192 bytes: %v", err)
	}
}

// TestLimits gives every limit another value than its default.
func TestLimits(t *testing.T) {
	l := &Limits{Attachments: 1, AttachmentBytes: 3, Namespace: 4, Name: 2, Args: 1, Depth: 2, Auth: 9}
	for _, tt := range []struct {
		good, bad string
		want      *Error
	}{
		{`51-["a",{"_placeholder":true,"num":0}]`, `52-["a"]`, errTooMany},
		{`0/abc`, `0/abcd`, errNamespace},
		{`2["ab"]`, `2["abc"]`, errName},
		{`2["a",1]`, `2["a",1,2]`, errArgs},
		{`2["a",[1]]`, `2["a",[[]]]`, errDepth},
		{`0{"a":"b"}`, `0{"a":"bc"}`, ErrAuthTooLarge},
	} {
		d := Decoder{Limits: l}
		if _, _, err := d.Text([]byte(tt.good)); err != nil {
			t.Errorf("%s: %v", tt.good, err)
		}
		d = Decoder{Limits: l}
		if _, _, err := d.Text([]byte(tt.bad)); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.bad, err, tt.want)
		}
	}
	// What the scanner has room for bounds a limit without sense.
	huge := &Limits{Attachments: 1 << 40, Depth: 1 << 40, Args: 1 << 40, Namespace: 128, Name: 128}
	d := Decoder{Limits: huge}
	if _, _, err := d.Text([]byte(`51025-["a"]`)); err != errTooMany {
		t.Errorf("1025 attachments: %v", err)
	}
	if _, _, err := d.Text([]byte(`2["a",` + nest(1023) + `]`)); err != nil {
		t.Errorf("1024 levels: %v", err)
	}
	if _, _, err := d.Text([]byte(`2["a",` + nest(1024) + `]`)); err != errDepth {
		t.Errorf("1025 levels: %v", err)
	}
}

// TestOwnership checks that no part of a Packet can grow into what follows it in the buffer.
func TestOwnership(t *testing.T) {
	for _, in := range []string{`2/x,1["a",1]`, `2["a"]`, `2["\n"]`, `2[1,2]`, `0/x,{} `, `31[1] `} {
		var d Decoder
		p, _, err := d.Text([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]byte{p.Namespace, p.Name, p.Data} {
			if cap(part) > len(part) {
				t.Errorf("%s: %q can grow", in, part)
			}
		}
	}
}
