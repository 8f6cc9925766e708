package sio

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// spend fails if f allocates more than a multiple of what a client had to send for it.
func spend(t *testing.T, input int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(20*input+64<<10); got > most {
		t.Errorf("%d bytes of input cost %d bytes of memory, %d at most", input, got, most)
	}
}

// FuzzDecoder plays a connection: frames with a separator between them, a binary one with a 'b' in
// front. Every packet has to be what the naive parser says it is, and to survive AppendEvent.
func FuzzDecoder(f *testing.F) {
	for _, seed := range []string{
		``, `0`, `1`, `0/woot,{"token":"123"}`, `0/admin`, `0/,{}`, `1/woot,`, `2["a",1,{}]`, `2["a"]`, `2[1,"a",{}]`, `2/test,1["a",1,{}]`, `3/,123["a",1,{}]`,
		"2[ \"a\" ,\t1 , {} ]\n", `2["a",9007199254740993,1e999,-0,0.10,1E+2]`, `2["a","\ud800\udfff\ud800"]`, `2["\ud800-\udc00\ud83d\ude00",1]`,
		"51-[\"a\"," + ph0 + "]\x1ebxyz", "52-/x,7[\"a\",{\"b\":[" + ph1 + "]}," + ph0 + "]\x1eb1\x1eb2\x1e2[\"b\"]", "61-[" + ph0 + "]\x1eb1",
		"51-[\"a\"," + ph0 + "]\x1e2[\"a\"]\x1e2[\"b\"]", "b1", `50-["a"]`, `60-1[]`, `51-["a",{"num":0,"_placeholder":true}]`,
		`51-["a",{"\u005fplaceholder":true,"n\u0075m":0}]`, `51-["a",{"_placeholder":` + ph0 + `,"num":0}]`, `51-["a",{"x":` + ph0 + `,"_placeholder":true}]`,
		`5`, `51`, `5a-`, `51.23-`, `5-1-`, `5 1-`, `51e1-`, `511-["a"]`, `518446744073709551617-["a"]`, `501-["a",` + ph0 + `]`,
		`2`, `2[]`, `2{}`, `2"x"`, `2null`, `2[true]`, `2[["a"]]`, `2["connect"]`, `2["\u0063onnect"]`, `3`, `3[]`, `3{}`, `31{}`, `31`, `4{}`, `7`, `a`,
		`29007199254740991["a"]`, `29007199254740992["a"]`, `200000000000000007["a"]`, `2007["a"]`, `21e3["a"]`, `2 ["a"]`, `2["a"]x`, `2["a",]`,
		`0{"a":1,"\u0061":2}`, `0{"a":` + nest(63) + `}`, `0{"a":` + nest(64) + `}`, `2["a",` + nest(63) + `]`, `2["a",` + nest(64) + `]`, `0/a,b`, `1{}`, `01`, `2/x`,
	} {
		f.Add([]byte(seed))
	}
	l := DefaultLimits()
	l.Args, l.Name, l.Namespace, l.Auth, l.AttachmentBytes = 8, 16, 12, 64, 32 // within reach
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return
		}
		frames := bytes.Split(in, []byte{0x1e})
		d := Decoder{Limits: &l}
		missing := 0 // attachments, as the naive parser counts
		spend(t, len(in), func() {
			for _, frame := range frames {
				if len(frame) > 0 && frame[0] == 'b' {
					d.Binary(bytes.Clone(frame[1:]))
				} else {
					d.Text(bytes.Clone(frame))
				}
			}
		})
		d = Decoder{Limits: &l}
		var want naivePacket
		for _, frame := range frames {
			if len(frame) > 0 && frame[0] == 'b' {
				p, complete, err := d.Binary(bytes.Clone(frame[1:]))
				if missing == 0 && err != errBinary {
					t.Fatalf("%q: binary frame: %v", in, err)
				}
				if err != nil {
					if complete || d.Pending() {
						t.Fatalf("%q: complete = %v, pending = %v, err = %v", in, complete, d.Pending(), err)
					}
					missing = 0
					continue
				}
				missing--
				if complete != (missing == 0) || d.Pending() == complete {
					t.Fatalf("%q: complete = %v with %d attachments to come", in, complete, missing)
				}
				if complete {
					compare(t, p, want)
					if keep := want.typ == Event || want.hasID; keep && len(p.Attachments) != want.attachments {
						t.Fatalf("%q: %d attachments of %d", in, len(p.Attachments), want.attachments)
					}
				}
				continue
			}
			p, complete, err := d.Text(bytes.Clone(frame))
			if missing > 0 {
				if err != errText || complete || d.Pending() {
					t.Fatalf("%q: text while attachments are due: %v", in, err)
				}
				missing = 0
				continue
			}
			var ok bool
			want, ok = naiveParse(string(frame), l)
			if ok != (err == nil) {
				t.Fatalf("%q: %v, but the naive parser says %v", frame, err, ok)
			}
			if !ok {
				if complete || d.Pending() {
					t.Fatalf("%q: complete = %v, pending = %v", frame, complete, d.Pending())
				}
				continue
			}
			missing = want.attachments
			if complete != (missing == 0) || d.Pending() == complete {
				t.Fatalf("%q: complete = %v, pending = %v", frame, complete, d.Pending())
			}
			compare(t, p, want)
			again(t, p, want)
		}
	})
}

// compare fails if p is not what the naive parser says.
func compare(t *testing.T, p Packet, want naivePacket) {
	t.Helper()
	if p.Type != want.typ || string(p.Namespace) != want.namespace || p.ID != want.id || p.HasID != want.hasID {
		t.Fatalf("header of %s, want %+v", show(p), want)
	}
	switch p.Type {
	case Connect:
		if !bytes.Equal(p.Data, want.auth) {
			t.Fatalf("auth is %s, want %s", p.Data, want.auth)
		}
	case Event:
		if string(p.Name) != want.name || p.NumericName != want.numericName || !sameElements(p.Data, want.args) {
			t.Fatalf("%s, want %q %s", show(p), want.name, want.args)
		}
	case Ack:
		if p.Data != nil && !sameElements(p.Data, want.args) {
			t.Fatalf("%s, want %s", show(p), want.args)
		}
	}
}

// again encodes p as the edge would towards a client and parses that.
func again(t *testing.T, p Packet, want naivePacket) {
	t.Helper()
	var out []byte
	switch {
	case p.Type == Disconnect:
		out = AppendDisconnect(nil, string(p.Namespace))
	case p.Type == Event:
		out = AppendEvent(nil, string(p.Namespace), p.ID, p.HasID, string(p.Name), p.Data, "", want.attachments)
		want.numericName = false
		if Reserved(want.name) {
			return
		}
	case p.Type == Ack && p.HasID:
		out = AppendAck(nil, string(p.Namespace), p.ID, p.Data, want.attachments)
	default:
		return
	}
	p, attachments, err := parse(bytes.Clone(out), &defaults)
	if err != nil || attachments != want.attachments {
		t.Fatalf("%s: %v with %d attachments, want %d", out, err, attachments, want.attachments)
	}
	compare(t, p, want)

	if p.Type != Event {
		return
	}
	out = AppendEvent(nil, "", 0, false, "x", p.Data, "o-1", attachments)
	p, _, err = parse(bytes.Clone(out), &defaults)
	if err != nil || !sameElements(p.Data, append(want.args, json.RawMessage(`"o-1"`))) {
		t.Fatalf("%s: with offset: %s, %v", out, p.Data, err)
	}
}

// FuzzScan compares the scanner with encoding/json, and its depth with a count of brackets.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, `true`, `false`, `nul`, `0`, `-0`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `1E-07`, `0.10`, `1e999`, `NaN`, `'a'`, `""`, `"`, `"\`, `"\u12`, `"\u12G4"`,
		`"\ud800"`, `"\/\b\f\n\r\t\"\\"`, `"\x"`, "\"\t\"", "\"\x00\"", "\"\x7f\"", `"12345678"`, `"1234567\"8"`, "\"1234567\n\"", `[]`, `[ ]`, `[1,]`, `[,1]`, `[1 2]`, `{}`, `{ }`,
		`{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[}`, `{]`, `[{"a":[{}]}]`, `{"a":1}}`, `[1]x`, "\ufeff[]", nest(62), nest(63), nest(64), nest(70),
		"[\"\xff\"]", `[1,/**/2]`, "\v[]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		agree(t, in)
		s := scanner{b: in, depth: 64}
		end, err := s.value(0)
		if err == nil {
			err = s.end(end)
		}
		valid := json.Valid(in)
		deep := valid && naiveDepth(string(in)) > 63 // one less: a packet is an array itself
		switch {
		case deep && err != errDepth:
			t.Errorf("%q: depth %d: %v", in, naiveDepth(string(in)), err)
		case valid && !deep && err != nil:
			t.Errorf("%q: %v", in, err)
		case !valid && err == nil:
			t.Errorf("%q was accepted", in)
		}
	})
}

// FuzzCheckArgs compares with the naive search for placeholders.
func FuzzCheckArgs(f *testing.F) {
	for _, seed := range []string{
		``, `[]`, `[1]`, `{}`, `[` + ph0 + `]`, `[` + ph1 + `,` + ph0 + `]`, `[` + ph0 + `,` + ph0 + `]`, `[{"num":0,"_placeholder":true}]`, "[ { \"num\" : 0 ,\n\"_placeholder\"\t:true } ]",
		`[{"\u005fplaceholder":true,"n\u0075m":0}]`, `[{"_placeholder":true,"num":"splice"}]`, `[{"_placeholder":true,"num":-1}]`, `[{"_placeholder":true,"num":-0}]`,
		`[{"_placeholder":true,"num":0.5}]`, `[{"_placeholder":true,"num":1e99}]`, `[{"_placeholder":true,"num":00}]`, `[{"_placeholder":true}]`, `[{"_placeholder":"true","num":0}]`,
		`[{"_placeholder":true,"num":0,"x":1}]`, `[{"x":` + ph0 + `,"_placeholder":true,"num":0}]`, `[{"_placeholder":` + ph0 + `,"num":0}]`, `[{"num":` + ph0 + `,"_placeholder":true}]`,
		`[{"num":7},{"a":{"b":[` + ph0 + `]}}]`, `[{"_placeholder":true,"_placeholder":true}]`, `[{"_placeholder":true,"num":0,"num":0}]`, "[\"\xff\"]", `[` + nest(63) + `]`, `[` + nest(64) + `]`,
	} {
		for n := range uint8(3) {
			f.Add([]byte(seed), n)
		}
	}
	l := DefaultLimits()
	l.Args = 8
	f.Fuzz(func(t *testing.T, in []byte, n uint8) {
		before := bytes.Clone(in)
		var err error
		spend(t, len(in), func() { err = CheckArgs(in, int(n), &l) })
		if !bytes.Equal(in, before) {
			t.Fatalf("%q was changed to %q", before, in)
		}
		var args []json.RawMessage
		doc := string(in)
		if doc == "" {
			doc = "[]"
		}
		want := int(n) <= l.Attachments && utf8.ValidString(doc) && json.Valid([]byte(doc)) && naiveDepth(doc) <= l.Depth &&
			strings.HasPrefix(strings.TrimLeft(doc, " \t\r\n"), "[") && json.Unmarshal([]byte(doc), &args) == nil && len(args) <= l.Args &&
			(n == 0 || naivePlaceholders(doc, int(n)))
		if want != (err == nil) {
			t.Errorf("%q with %d attachments: %v, want %v", in, n, err, want)
		}
		if err != nil {
			return
		}
		// What was accepted can be sent.
		out := AppendEvent(nil, "/x", 0, false, "a", in, "o", int(n))
		p, attachments, err := parse(bytes.Clone(out), &Limits{Attachments: 10, Args: 9, Depth: 64, Name: 9, Namespace: 9})
		if err != nil || attachments != int(n) || !sameElements(p.Data, append(args, json.RawMessage(`"o"`))) {
			t.Errorf("%q: %v with %d attachments, want %d", out, err, attachments, n)
		}
		out = AppendAck(nil, "", 7, in, int(n))
		p, attachments, err = parse(bytes.Clone(out), &l)
		if err != nil || attachments != int(n) || !sameElements(p.Data, args) {
			t.Errorf("%q: %v with %d attachments, want %d", out, err, attachments, n)
		}
	})
}

// FuzzRecoveryKeys checks that rest is the object without the two keys, and CheckObject on the way.
func FuzzRecoveryKeys(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, ` {} `, `{"pid":"p","offset":"o"}`, `{"pid":"p"}`, `{"a":1,"pid":"p","b":[2],"offset":"o"}`, `{"offset":"o","a":1,"pid":"p"}`, "{ \"a\" : 1 ,\n\t\"pid\" : \"p\" , \"b\" : 2\n}",
		`{"PID":"p","Offset":"o"}`, `{"\u0070id":"p","off\u0073et":"o"}`, `{"pid":"\u0070\n\ud800"}`, `{"a":{"pid":"p"}}`, `{"pid":1,"offset":null}`, `{"pid":"","offset":"","a":1}`, `{"pid":"p","pid":"q"}`,
		`{"b":"\"pid\":\"x\"","n":9007199254740993}`, `{"pid":"p"`, `{"a":1,"\u0061":2}`, `{"a":1,"A":2,"":3}`, "{\"\xff\":1}", `{"a":` + nest(63) + `}`, `{"a":` + nest(64) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		var pid, offset string
		var rest []byte
		spend(t, len(in), func() { pid, offset, rest = RecoveryKeys(in) })
		err := CheckObject(in, nil)
		if !bytes.Equal(in, before) {
			t.Fatalf("%q was changed to %q", before, in)
		}
		doc := string(in)
		want := utf8.Valid(in) && json.Valid(in) && naiveDepth(doc) <= defaults.Depth && naiveObject(doc)
		if want != (err == nil) {
			t.Fatalf("%q: %v, want %v", in, err, want)
		}
		if err != nil {
			return
		}
		var wantPID, wantOffset string
		var wantRest []naiveMember
		for _, m := range naiveMembers(doc) {
			into := map[string]*string{"pid": &wantPID, "offset": &wantOffset}[m.key]
			if into == nil || m.value[0] != '"' {
				wantRest = append(wantRest, m)
				continue
			}
			json.Unmarshal(m.value, into)
		}
		if pid != wantPID || offset != wantOffset {
			t.Errorf("%q: %q, %q; want %q, %q", in, pid, offset, wantPID, wantOffset)
		}
		if !json.Valid(rest) {
			t.Fatalf("%q: the rest is %q", in, rest)
		}
		got := naiveMembers(string(rest))
		if len(got) != len(wantRest) {
			t.Fatalf("%q: the rest is %q", in, rest)
		}
		for i := range got {
			if got[i].key != wantRest[i].key || !bytes.Equal(got[i].value, wantRest[i].value) {
				t.Errorf("%q: the rest is %q", in, rest)
			}
		}
		if len(got) == len(naiveMembers(doc)) && !bytes.Equal(rest, in) {
			t.Errorf("%q without keys became %q", in, rest)
		}
	})
}

// TestCost holds the bound on memory for what costs most, which a fuzzer hardly finds.
func TestCost(t *testing.T) {
	var keys bytes.Buffer
	for i := range 200_000 {
		keys.WriteString(`"\u0061` + strconv.Itoa(i) + `":0,`)
	}
	object := []byte(`{` + keys.String() + `"x":0}`)
	spend(t, len(object), func() {
		if err := CheckObject(object, nil); err != nil {
			t.Error(err)
		}
	})
	spend(t, len(object), func() { RecoveryKeys(object) })
	spend(t, 0, func() {
		d := Decoder{Limits: &Limits{Attachments: 1 << 40}}
		d.Text([]byte(`51000000000-["a"]`))
	})
}
