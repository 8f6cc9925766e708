package sioedge

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type file struct {
	Name string
	Data []byte
	More *file          `json:",omitempty"`
	Tags map[string]any `json:"tags,omitempty"`
	Skip []byte         `json:"-"`
	Void []byte         `json:"void,omitempty"`
}

type inner struct{ Data []byte }

type outer struct {
	inner
	N int
}

var bin = [][]byte{{0, 1, 2}, {}, []byte("three")}

func TestEncodeArgs(t *testing.T) {
	loop := &file{Name: "loop"}
	loop.More = loop
	for _, c := range []struct {
		name        string
		args        []any
		json        string
		attachments int
	}{
		{"nothing", nil, `[]`, 0},
		{"plain", []any{nil, true, 1, int64(-2), 1.5, `a"<`, []string{"x"}}, `[null,true,1,-2,1.5,"a\"<",["x"]]`, 0},
		{"big number", []any{json.RawMessage(`9007199254740993`)}, `[9007199254740993]`, 0},
		{"time", []any{time.Unix(0, 0).UTC()}, `["1970-01-01T00:00:00Z"]`, 0},
		{"binary", []any{bin[0], "x", bin[1]}, `[{"_placeholder":true,"num":0},"x",{"_placeholder":true,"num":1}]`, 2},
		{"no binary", []any{[]byte(nil)}, `[null]`, 0},
		{"in a struct", []any{1, &file{Name: "a", Data: bin[0], Skip: bin[1], Void: []byte{}}}, `[1,{"Name":"a","Data":{"_placeholder":true,"num":0}}]`, 1},
		{"embedded", []any{outer{inner{bin[0]}, 1}}, `[{"Data":{"_placeholder":true,"num":0},"N":1}]`, 1},
		{"deeper", []any{file{More: &file{Tags: map[string]any{"x": []any{bin[2]}}}}},
			`[{"Name":"","Data":null,"More":{"Name":"","Data":null,"tags":{"x":[{"_placeholder":true,"num":0}]}}}]`, 1},
		{"slices and maps", []any{[][]byte{bin[0], nil}, map[string][]byte{"k": bin[2]}},
			`[[{"_placeholder":true,"num":0},null],{"k":{"_placeholder":true,"num":1}}]`, 2},
		{"array", []any{[2][]byte{bin[0], bin[2]}}, `[[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]`, 2},
		{"interface without binary", []any{map[string]any{"a": "AAEC"}}, `[{"a":"AAEC"}]`, 0},
		{"forwarded", []any{Args{JSON: []byte(`[ 1, "2" ]`)}}, `[ 1, "2" ]`, 0},
		{"spread", []any{bin[0], Args{JSON: []byte(`["\"{",{"num":0,"_placeholder": true}]`), Attachments: bin[1:2]}},
			`[{"_placeholder":true,"num":0},"\"{",{"_placeholder":true,"num":1}]`, 2},
		{"endless", []any{loop}, ``, 0},
		{"no json", []any{json.RawMessage(`{`)}, ``, 0},
		{"a channel", []any{make(chan int)}, ``, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := encodeArgs(c.args)
			if (err != nil) != (c.json == "") {
				t.Fatalf("error = %v", err)
			}
			if string(got.GetJson()) != c.json || len(got.GetAttachments()) != c.attachments {
				t.Errorf("got %s with %d attachments\nwant %s with %d", got.GetJson(), len(got.GetAttachments()), c.json, c.attachments)
			}
		})
	}
}

func TestEncodeLeavesTheCallersValuesAlone(t *testing.T) {
	v := &file{Data: []byte("data"), Tags: map[string]any{"x": []byte("y")}, More: &file{Data: []byte("more")}}
	want := &file{Data: []byte("data"), Tags: map[string]any{"x": []byte("y")}, More: &file{Data: []byte("more")}}
	if _, err := encodeArgs([]any{v}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("changed to %+v", v)
	}
}

func TestBind(t *testing.T) {
	place := func(n string) string { return `{"_placeholder":true,"num":` + n + `}` }
	for _, c := range []struct {
		name string
		json string
		want any
	}{
		{"a number", `[ 7 ]`, 7},
		{"a number that is no double", `[9007199254740993]`, int64(9007199254740993)},
		{"raw", `[ {"a" : [1, "]"]} ,2]`, json.RawMessage(`{"a" : [1, "]"]}`)},
		{"missing", `[]`, ""},
		{"nothing at all", ``, 0},
		{"bytes", `[` + place("2") + `]`, bin[2]},
		{"bytes with keys turned round", `[{ "num": 2 , "_placeholder" : true }]`, bin[2]},
		{"struct", `[{"Name":"n","Data":` + place("0") + `,"More":{"Data":` + place("2") + `}}]`,
			file{Name: "n", Data: bin[0], More: &file{Data: bin[2]}}},
		{"embedded", `[{"Data":` + place("0") + `}]`, outer{inner: inner{bin[0]}}},
		{"any", `[[` + place("0") + `,{"a":` + place("2") + `,"b":"x"}]]`, any([]any{bin[0], map[string]any{"a": bin[2], "b": "x"}})},
		{"map of bytes", `[{"a":` + place("1") + `}]`, map[string][]byte{"a": {}}},
		{"slice of bytes", `[[` + place("2") + `,` + place("0") + `]]`, [][]byte{bin[2], bin[0]}},
		{"raw inside", `[{"a":` + place("1") + `}]`, map[string]json.RawMessage{"a": json.RawMessage(place("1"))}},
		{"looks like one", `[{"_placeholder":true,"num":0,"x":1}]`, any(map[string]any{"_placeholder": true, "num": 0.0, "x": 1.0})},
		{"out of range", `[[` + place("9") + `]]`, [][]byte{nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := reflect.New(reflect.TypeOf(c.want))
			if c.name == "any" || c.name == "looks like one" {
				got = reflect.ValueOf(new(any))
			}
			if err := (Args{JSON: []byte(c.json), Attachments: bin}).Bind(got.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Elem().Interface(), c.want) {
				t.Errorf("got %#v, want %#v", got.Elem().Interface(), c.want)
			}
		})
	}
}

func TestBindErrors(t *testing.T) {
	n := 0
	for _, c := range []struct {
		json   string
		target any
		want   string
	}{
		{`["x"]`, &n, "argument 1"},
		{`[1]`, n, "no pointer"},
		{`{}`, &n, "no JSON array"},
		{`[1`, &n, "no JSON array"},
	} {
		if err := (Args{JSON: []byte(c.json)}).Bind(c.target); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q", c.json, err, c.want)
		}
	}
}

func TestArgsLen(t *testing.T) {
	for text, want := range map[string]int{"": 0, "[]": 0, "[ ]": 0, "[1]": 1, `["a,b",[1,2],{"x":[]}]`: 3, `["\"]",2]`: 2} {
		if got := (Args{JSON: []byte(text)}).Len(); got != want {
			t.Errorf("%s has %d arguments, want %d", text, got, want)
		}
	}
}

func TestArgsSlice(t *testing.T) {
	all := Args{JSON: []byte(`["a",{"x":{"_placeholder":true,"num":2}},{"_placeholder":true,"num":0}, 4 ]`), Attachments: bin}
	for _, c := range []struct {
		from, to int
		json     string
		want     [][]byte
	}{
		{0, 1, `["a"]`, nil},
		{1, 3, `[{"x":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]`, [][]byte{bin[2], bin[0]}},
		{3, 9, `[4]`, nil},
		{9, 10, `[]`, nil},
	} {
		if got := all.Slice(c.from, c.to); string(got.JSON) != c.json || !reflect.DeepEqual(got.Attachments, c.want) {
			t.Errorf("[%d:%d] = %s with %q", c.from, c.to, got.JSON, got.Attachments)
		}
	}
}

// What encoding/json takes for an array has the same elements here, and rewriting placeholders
// that are not there changes nothing.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,2]`, ` [ "a\"]" , {"b":[1,{}]} ] `, `[{"_placeholder":true,"num":0}]`, `["é",null]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := elements{b, 0}
		var got []json.RawMessage
		for raw, ok := rest.next(); ok; raw, ok = rest.next() {
			got = append(got, raw)
		}
		same := replacePlaceholders(b, func(dst []byte, num int) []byte { return appendPlaceholder(dst, num) })
		var want []json.RawMessage
		if len(b) == 0 || json.Unmarshal(b, &want) != nil || want == nil {
			return // what is no array must only not crash
		}
		if rest.err() != nil || len(got) != len(want) {
			t.Fatalf("%q: %d elements (%v), want %d", b, len(got), rest.err(), len(want))
		}
		for i := range want {
			if string(got[i]) != string(want[i]) {
				t.Errorf("%q: element %d is %q, want %q", b, i, got[i], want[i])
			}
		}
		if !json.Valid(same) {
			t.Errorf("%q became %q", b, same)
		}
	})
}

func TestNamespaceMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"/", "/", true}, {"/", "/a", false}, {"/a*", "/abc", true}, {"/a*", "/b", false}, {"*", "/x", true},
		{"/*/b", "/a/b", true}, {"/*/b", "/b", false}, {"/a*a", "/a", false}, {"/a*a", "/aa", true}, {"/*x*y", "/xy", true}, {"/*x*y", "/yx", false},
	} {
		if got := (&Namespace{name: c.pattern}).matches(c.name); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.name, got)
		}
	}
}

func TestDoneSetIsBounded(t *testing.T) {
	d := newDoneSet()
	for i := range uint64(doneEvents + 10) {
		d.put(settlement{eventID: eventID{offset: i + 1}})
	}
	if _, ok := d.get(eventID{offset: 10}); ok || len(d.index) != doneEvents {
		t.Errorf("the oldest event is still known, of %d", len(d.index))
	}
	if _, ok := d.get(eventID{offset: 11}); !ok {
		t.Error("a recent event is forgotten")
	}
	if _, ok := d.get(eventID{offset: 11, sid: "another"}); ok {
		t.Error("another event with the same offset is taken for done")
	}
	big, _ := encodeArgs([]any{make([]byte, doneBytes/2)})
	for i := range uint64(3) {
		d.put(settlement{eventID: eventID{offset: 1 << 20 << i}, reply: big})
	}
	if len(d.index) > 2 || d.bytes > doneBytes {
		t.Errorf("%d events of %d bytes are kept", len(d.index), d.bytes)
	}
}

func TestWindowKeepsOpenRanges(t *testing.T) {
	w := window{first: 1}
	for id := range uint64(10) {
		w.add(id + 1)
	}
	for _, id := range []uint64{1, 2, 5, 9, 99} {
		w.settle(id)
	}
	got := w.open()
	want := [][2]uint64{{3, 4}, {6, 8}, {10, 10}}
	if len(got) != len(want) || w.first != 3 {
		t.Fatalf("open = %v from %d", got, w.first)
	}
	for i, r := range got {
		if [2]uint64{r.First, r.Last} != want[i] {
			t.Errorf("range %d = %v, want %v", i, r, want[i])
		}
	}
}
