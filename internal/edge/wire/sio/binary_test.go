package sio

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const ph0, ph1 = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`

func TestBinary(t *testing.T) {
	ten, numbers := `{"_placeholder":true,"num":9}`, []string{"9"}
	for i := 8; i >= 0; i-- {
		ten += fmt.Sprintf(`,{"_placeholder":true,"num":%d}`, i)
		numbers = append(numbers, fmt.Sprint(i))
	}
	for _, tt := range []struct {
		id, in string
		n      int
		want   string
	}{
		{"K09", `51-["a",` + ph0 + `]`, 1, `EVENT "a" [` + ph0 + `]`},
		{"K09 nested", `52-/x,["a",{"b":[` + ph1 + `],"c":` + ph0 + `}]`, 2, `EVENT /x "a" [{"b":[` + ph1 + `],"c":` + ph0 + `}]`},
		{"K09 with an id", `51-/x,7["a",` + ph0 + `]`, 1, `EVENT /x #7 "a" [` + ph0 + `]`},
		{"K09 ack", `61-7[` + ph0 + `]`, 1, `ACK #7 [` + ph0 + `]`},
		{"K05 numeric name", `51-[1,` + ph0 + `]`, 1, `EVENT number 1 [` + ph0 + `]`},
		{"B2 ten", `510-["a",` + ten + `]`, 10, `EVENT "a" [` + ten + `]`},
		{"B2 leading zero", `501-["a",` + ph0 + `]`, 1, `EVENT "a" [` + ph0 + `]`},
		{"B8 the same twice", `51-["a",` + ph0 + `,` + ph0 + `]`, 1, `EVENT "a" [` + ph0 + `,` + ph0 + `]`},
		{"B8 other order", `51-["a",{"num":0,"_placeholder":true}]`, 1, `EVENT "a" [{"num":0,"_placeholder":true}]`},
		{"B8 white space", "51-[\"a\",{ \"num\"\t:\n0 ,\r\"_placeholder\" : true } ]", 1, "EVENT \"a\" [{ \"num\"\t:\n0 ,\r\"_placeholder\" : true } ]"},
		{"B8 escapes", `51-["a",{"\u005fplaceholder":true,"n\u0075m":0}]`, 1, `EVENT "a" [{"\u005fplaceholder":true,"n\u0075m":0}]`},
		{"B8 objects that look alike", `51-["a",{"num":7},{"num":0,"x":1},{"placeholder":true,"num":3},{},` + ph0 + `]`, 1,
			`EVENT "a" [{"num":7},{"num":0,"x":1},{"placeholder":true,"num":3},{},` + ph0 + `]`},
		{"B8 a long key with escapes", `51-["a",{"\n` + strings.Repeat("k", 80) + `":1},` + ph0 + `]`, 1, `EVENT "a" [{"\n` + strings.Repeat("k", 80) + `":1},` + ph0 + `]`},
		{"B8 a value that looks alike", `51-["a","_placeholder",{"x":"_placeholder"},` + ph0 + `]`, 1, `EVENT "a" ["_placeholder",{"x":"_placeholder"},` + ph0 + `]`},
		{"B13 64 levels", `51-["a",` + strings.Repeat("[", 62) + ph0 + strings.Repeat("]", 62) + `]`, 1,
			`EVENT "a" [` + strings.Repeat("[", 62) + ph0 + strings.Repeat("]", 62) + `]`},
	} {
		var d Decoder
		p, complete, err := d.Text([]byte(tt.in))
		if err != nil || complete || !d.Pending() {
			t.Errorf("%s: %s: complete = %v, pending = %v, err = %v", tt.id, clip(tt.in), complete, d.Pending(), err)
			continue
		}
		if got := show(p); got != tt.want {
			t.Errorf("%s: header is %s, want %s", tt.id, clip(got), clip(tt.want))
		}
		for i := range tt.n {
			if complete || !d.Pending() {
				t.Errorf("%s: complete after %d of %d", tt.id, i, tt.n)
			}
			p, complete, err = d.Binary([]byte{byte(i)})
			if err != nil {
				t.Fatalf("%s: attachment %d: %v", tt.id, i, err)
			}
		}
		if !complete || d.Pending() || len(p.Attachments) != tt.n {
			t.Errorf("%s: complete = %v, pending = %v, %d attachments", tt.id, complete, d.Pending(), len(p.Attachments))
		}
		for i, a := range p.Attachments {
			if !bytes.Equal(a, []byte{byte(i)}) {
				t.Errorf("%s: attachment %d is %v", tt.id, i, a)
			}
		}
		if got := show(p); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.id, clip(got), clip(tt.want))
		}
	}
}

func TestBinaryRefuses(t *testing.T) {
	const count, placeholders, payload = "Illegal attachments", "illegal attachments", "invalid payload"
	for _, tt := range []struct{ id, in, want string }{
		{"B1", `5`, count},
		{"B1", `51`, count},
		{"B1", `5a-`, count},
		{"B1", `51.23-`, count},
		{"B1 the dash counts nothing", `5-1-`, count},
		{"B1", `5-["a"]`, count},
		{"B1", `5 1-`, count},
		{"B1", `51e1-`, count},
		{"B1", `5+1-["a"]`, count},
		{"B1 BOM", "5\ufeff1-", count},
		{"B2", `511-["a"]`, "too many attachments"},
		{"B2", `51000000000-["a"]`, "too many attachments"},
		{"A2", `611-1[]`, "too many attachments"},
		{"B2 400 digits", `5` + strings.Repeat("9", 400) + `-["a"]`, "too many attachments"},
		{"B2 2^64+1", `518446744073709551617-["a"]`, "too many attachments"},
		{"B8 string", `51-["a",{"_placeholder":true,"num":"splice"}]`, placeholders},
		{"B8 digit in a string", `51-["a",{"_placeholder":true,"num":"0"}]`, placeholders},
		{"B8 -1", `51-["a",{"_placeholder":true,"num":-1}]`, placeholders},
		{"B8 -0", `51-["a",{"_placeholder":true,"num":-0}]`, placeholders},
		{"B8 1 of 1", `51-["a",` + ph1 + `]`, placeholders},
		{"B8 0.5", `51-["a",{"_placeholder":true,"num":0.5}]`, placeholders},
		{"B8 0.0", `51-["a",{"_placeholder":true,"num":0.0}]`, placeholders},
		{"B8 0e0", `51-["a",{"_placeholder":true,"num":0e0}]`, placeholders},
		{"B8 1e99", `51-["a",{"_placeholder":true,"num":1e99}]`, placeholders},
		{"B8 2^64", `51-["a",{"_placeholder":true,"num":18446744073709551616}]`, placeholders},
		{"B8 null", `51-["a",{"_placeholder":true,"num":null}]`, placeholders},
		{"B8 missing", `51-["a",{"_placeholder":true}]`, placeholders},
		{"B8 duplicate", `51-["a",{"_placeholder":true,"num":0,"num":0}]`, placeholders},
		{"B8 duplicate", `51-["a",{"_placeholder":true,"_placeholder":true}]`, placeholders},
		{"B8 duplicate", `51-["a",{"_placeholder":true,"\u005fplaceholder":true,"num":0}]`, placeholders},
		{"B8 unused", `51-["a"]`, placeholders},
		{"B8 unused", `52-["a",` + ph1 + `]`, placeholders},
		{"B8 unused, none at all", `61-1[]`, placeholders},
		{"B8 unused, no payload", `61-`, placeholders},
		{`B8 "true"`, `51-["a",{"_placeholder":"true","num":0}]`, placeholders},
		{"B8 false", `51-["a",{"_placeholder":false,"num":0}]`, placeholders},
		{"B8 beside a good one", `51-["a",` + ph0 + `,{"_placeholder":false}]`, placeholders},
		{"B8 extra key", `51-["a",{"_placeholder":true,"num":0,"x":1}]`, placeholders},
		{"B8 extra key in front", `51-["a",{"x":1,"_placeholder":true,"num":0}]`, placeholders},
		{"B8 extra object in front", `51-["a",{"x":` + ph0 + `,"_placeholder":true,"num":0}]`, placeholders},
		{"B8 extra key behind escapes", `51-["a",{"x":1,"\u005f\u0070\u006c\u0061\u0063\u0065\u0068\u006f\u006c\u0064\u0065\u0072":true}]`, placeholders},
		{"B8 the same beside a good one", `51-["a",` + ph0 + `,{"x":1,"\u005f\u0070\u006c\u0061\u0063\u0065\u0068\u006f\u006c\u0064\u0065\u0072":true}]`, placeholders},
		{"B8 in a packet without attachments", `50-["a",` + ph0 + `]`, placeholders},
		{"B8 broken", `51-["a",{"_placeholder":true,"num":0]`, placeholders},
		{"B8 broken", `51-["a",{"_placeholder":true,"num":0,}]`, placeholders},
		{"B8 broken", `51-["a",{"_placeholder":true,"num":00}]`, placeholders},
		{"B8 broken", `51-["a",{"_placeholder":truer,"num":0}]`, placeholders},
		{"B8 broken", `51-["a",` + ph0 + `,{"_placeholder`, payload},
		{"B8 broken", `51-["a",` + ph0 + `,{"num" 0}]`, payload},
		{"B9 name", `51-[` + ph0 + `]`, payload},
		{"B9 whole payload", `51-` + ph0, payload},
		{"B9 64 levels down", `51-["a",` + strings.Repeat("[", 63) + ph0 + strings.Repeat("]", 63) + `]`, "nested too deeply"},
		{"B9 in a placeholder", `51-["a",{"_placeholder":` + ph0 + `,"num":0}]`, placeholders},
		{"B9 in a placeholder", `51-["a",{"num":` + ph0 + `,"_placeholder":true}]`, placeholders},
		{"B11", `01-{}`, payload},
		{"B11", `11-`, payload},
		{"B11", `11-/x,`, payload},
		{"B13", `51-["a",` + strings.Repeat("[", 5000), "nested too deeply"},
		{"S9 binary", `50-`, payload},
		{"S9 binary", `51-{}`, payload},
	} {
		var d Decoder
		p, complete, err := d.Text([]byte(tt.in))
		if err == nil {
			t.Errorf("%s: %s was accepted as %s (complete = %v), want %s", tt.id, clip(tt.in), show(p), complete, tt.want)
			continue
		}
		if err.Error() != tt.want || complete || d.Pending() {
			t.Errorf("%s: %s: %v, want %s (complete = %v, pending = %v)", tt.id, clip(tt.in), err, tt.want, complete, d.Pending())
		}
	}
}

// TestInterrupted is about frames that come when another kind is due, and about what comes after.
func TestInterrupted(t *testing.T) {
	one := func() []byte { return []byte(`52-["a",` + ph0 + `,` + ph1 + `]`) }
	t.Run("K13 B6 D10 binary without header", func(t *testing.T) {
		var d Decoder
		if _, complete, err := d.Binary([]byte("x")); err != errBinary || complete {
			t.Errorf("err = %v, complete = %v", err, complete)
		}
	})
	t.Run("K14 B5 K21 text while attachments are due", func(t *testing.T) {
		var d Decoder
		d.Text(one())
		d.Binary([]byte("x"))
		if _, complete, err := d.Text([]byte(`2["b"]`)); err != errText || complete || d.Pending() {
			t.Errorf("err = %v, complete = %v, pending = %v", err, complete, d.Pending())
		}
	})
	t.Run("K17 nothing is left behind", func(t *testing.T) {
		var d Decoder
		d.Text(one())
		d.Text([]byte(`2["b"]`))
		p, complete, err := d.Text([]byte(`2["hello"]`))
		if err != nil || !complete || show(p) != `EVENT "hello" []` {
			t.Errorf("%s, complete = %v, err = %v", show(p), complete, err)
		}
		d.Text(one())
		d.Binary([]byte("x"))
		p, complete, err = d.Binary([]byte("y"))
		if err != nil || !complete || len(p.Attachments) != 2 || string(p.Attachments[0]) != "x" {
			t.Errorf("%d attachments, complete = %v, err = %v", len(p.Attachments), complete, err)
		}
	})
	t.Run("B2 one more attachment than announced", func(t *testing.T) {
		var d Decoder
		d.Text([]byte(`51-["a",` + ph0 + `]`))
		d.Binary([]byte("x"))
		if _, _, err := d.Binary([]byte("y")); err != errBinary {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("B4 over the total", func(t *testing.T) {
		d := Decoder{Limits: &Limits{Attachments: 10, AttachmentBytes: 3, Depth: 9, Args: 9, Name: 9}}
		d.Text(one())
		d.Binary([]byte("12"))
		if _, _, err := d.Binary([]byte("34")); err != ErrAttachmentsTooLarge || d.Pending() {
			t.Errorf("4 of 3 bytes: err = %v, pending = %v", err, d.Pending())
		}
		d.Text(one())
		d.Binary([]byte("12"))
		if _, complete, err := d.Binary([]byte("3")); err != nil || !complete {
			t.Errorf("3 of 3 bytes: err = %v, complete = %v", err, complete)
		}
	})
	t.Run("B10 an ack without id keeps nothing", func(t *testing.T) {
		var d Decoder
		d.Text([]byte(`61-[` + ph0 + `]`))
		p, complete, err := d.Binary([]byte("x"))
		if err != nil || !complete || p.HasID || p.Attachments != nil {
			t.Errorf("%s with %d attachments, complete = %v, err = %v", show(p), len(p.Attachments), complete, err)
		}
	})
	t.Run("D06 empty attachment", func(t *testing.T) {
		var d Decoder
		d.Text([]byte(`51-["a",` + ph0 + `]`))
		p, complete, err := d.Binary([]byte{})
		if err != nil || !complete || len(p.Attachments) != 1 || len(p.Attachments[0]) != 0 {
			t.Errorf("attachments %v, complete = %v, err = %v", p.Attachments, complete, err)
		}
	})
}
