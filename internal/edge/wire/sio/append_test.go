package sio

import (
	"encoding/json"
	"testing"
)

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		id   string
		got  []byte
		want string
	}{
		{"K02 S4", AppendConnect(nil, "/woot", "s1", ""), `0/woot,{"sid":"s1"}`},
		{"K02 main namespace", AppendConnect(nil, "/", "s1", "p1"), `0{"sid":"s1","pid":"p1"}`},
		{"K02 main namespace", AppendConnect(nil, "", "s1", "p1"), `0{"sid":"s1","pid":"p1"}`},
		{"K03", AppendDisconnect(nil, "/woot"), `1/woot,`},
		{"K03 main namespace", AppendDisconnect(nil, "/"), `1`},
		{"K04", AppendEvent(nil, "/", 0, false, "a", []byte(`[1,{}]`), "", 0), `2["a",1,{}]`},
		{"K04 no arguments", AppendEvent(nil, "/", 0, false, "a", []byte(`[]`), "", 0), `2["a"]`},
		{"K04 no arguments", AppendEvent(nil, "/", 0, false, "a", []byte(" [ ] "), "", 0), `2["a"]`},
		{"K04 no arguments", AppendEvent(nil, "/", 0, false, "a", nil, "", 0), `2["a"]`},
		{"K04 pretty", AppendEvent(nil, "/", 0, false, "a", []byte("\n[ 1,\t2 ]\n"), "o", 0), `2["a",1,` + "\t" + `2,"o"]`},
		{"K06", AppendEvent(nil, "/test", 1, true, "a", []byte(`[1,{}]`), "", 0), `2/test,1["a",1,{}]`},
		{"K06 id zero", AppendEvent(nil, "", 0, true, "a", nil, "", 0), `20["a"]`},
		{"K07", AppendAck(nil, "/", 123, []byte(`["a",1,{}]`), 0), `3123["a",1,{}]`},
		{"K07 A11", AppendAck(nil, "/x", 18446744073709551615, nil, 0), `3/x,18446744073709551615[]`},
		{"K08", AppendConnectError(nil, "/", "Unauthorized", nil), `4{"message":"Unauthorized"}`},
		{"K08 with data", AppendConnectError(nil, "/x", "no", []byte(`{"code":7}`)), `4/x,{"message":"no","data":{"code":7}}`},
		{"K09", AppendEvent(nil, "/", 0, false, "a", []byte(`[`+ph0+`]`), "", 1), `51-["a",` + ph0 + `]`},
		{"K09 all of it", AppendEvent(nil, "/x", 7, true, "a", []byte(`[`+ph1+`,`+ph0+`]`), "o", 2), `52-/x,7["a",` + ph1 + `,` + ph0 + `,"o"]`},
		{"K09 ack", AppendAck(nil, "/x", 7, []byte(`[`+ph0+`]`), 1), `61-/x,7[` + ph0 + `]`},
		{"K20", AppendEvent(nil, "/", 0, false, "a", []byte(`[9007199254740993,1e999,-0,"\ud800",{"b":1,"a":2,"b":3}]`), "", 0),
			`2["a",9007199254740993,1e999,-0,"\ud800",{"b":1,"a":2,"b":3}]`},
		{"offset", AppendEvent(nil, "/", 0, false, "a", []byte(`[1]`), "x-1", 0), `2["a",1,"x-1"]`},
		{"offset of an event without arguments", AppendEvent(nil, "/", 0, false, "a", []byte(`[]`), "x-1", 0), `2["a","x-1"]`},
		{"offset of an event without arguments", AppendEvent(nil, "/", 0, false, "a", []byte(`[ ]`), "x-1", 0), `2["a","x-1"]`},
		{"offset of an event without arguments", AppendEvent(nil, "/", 0, false, "a", nil, "x-1", 0), `2["a","x-1"]`},
		{"behind what is there", AppendDisconnect([]byte("4"), "/x"), `41/x,`},
		{"strings", AppendEvent(nil, "/", 0, false, "\"\\/\b\f\n\r\t\x00\x1e\x1f\x7f é\u2028😀<", nil, "", 0),
			`2["\"\\/\b\f\n\r\t\u0000\u001e\u001f` + "\x7f é\u2028😀<" + `"]`},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.id, tt.got, tt.want)
		}
	}
}

// TestAppendString puts every character into a string and lets encoding/json read it.
func TestAppendString(t *testing.T) {
	for r := range rune(0x500) {
		want := string(r) + "x" + string(r)
		var got string
		if err := json.Unmarshal(appendString(nil, want), &got); err != nil || got != want {
			t.Errorf("%q became %q, %v", want, got, err)
		}
	}
}

func TestRecoveryKeys(t *testing.T) {
	for _, tt := range []struct{ id, auth, pid, offset, rest string }{
		{"none", `{"token":"x"}`, "", "", `{"token":"x"}`},
		{"empty", `{}`, "", "", `{}`},
		{"nothing", ``, "", "", ``},
		{"both", `{"pid":"p","offset":"o"}`, "p", "o", `{}`},
		{"pid alone", `{"pid":"p"}`, "p", "", `{}`},
		{"offset alone", `{"offset":"o"}`, "", "o", `{}`},
		{"in front", `{"pid":"p","offset":"o","a":1}`, "p", "o", `{"a":1}`},
		{"behind", `{"a":1,"pid":"p","offset":"o"}`, "p", "o", `{"a":1}`},
		{"around", `{"offset":"o","a":1,"pid":"p"}`, "p", "o", `{"a":1}`},
		{"between", `{"a":1,"pid":"p","b":[2]}`, "p", "", `{"a":1,"b":[2]}`},
		{"K20", `{"pid":"p","n":9007199254740993,"s":"\u0041\ud800","x":1e999}`, "p", "", `{"n":9007199254740993,"s":"\u0041\ud800","x":1e999}`},
		{"white space", "{ \"a\" : 1 ,\n\t\"pid\" : \"p\" , \"b\" : 2\n}", "p", "", "{ \"a\" : 1 , \"b\" : 2\n}"},
		{"white space", "{ \"pid\" : \"p\" }", "p", "", "{}"},
		{"around it", " {\"pid\":\"p\"} ", "p", "", " {} "},
		{"around it", " {\"pid\":\"p\",\"a\":1}", "p", "", " {\"a\":1}"},
		{"J8 other case", `{"PID":"p","Offset":"o"}`, "", "", `{"PID":"p","Offset":"o"}`},
		{"escapes in a key", `{"\u0070id":"p","off\u0073et":"o"}`, "p", "o", `{}`},
		{"escapes in a value", `{"pid":"\u0070\n"}`, "p\n", "", `{}`},
		{"deeper", `{"a":{"pid":"p","offset":"o"}}`, "", "", `{"a":{"pid":"p","offset":"o"}}`},
		{"R4 no strings", `{"pid":1,"offset":null}`, "", "", `{"pid":1,"offset":null}`},
		{"no string", `{"pid":"p","offset":7}`, "p", "", `{"offset":7}`},
		{"empty strings", `{"pid":"","offset":"","a":1}`, "", "", `{"a":1}`},
		{"a value that looks alike", `{"a":"pid","b":"\"pid\":\"x\""}`, "", "", `{"a":"pid","b":"\"pid\":\"x\""}`},
		{"unchecked", `{"pid":"p"`, "", "", `{"pid":"p"`},
		{"unchecked", `[{"pid":"p"}]`, "", "", `[{"pid":"p"}]`},
	} {
		before := tt.auth
		auth := []byte(tt.auth)
		pid, offset, rest := RecoveryKeys(auth)
		if pid != tt.pid || offset != tt.offset || string(rest) != tt.rest {
			t.Errorf("%s: %s: %q, %q, %s; want %q, %q, %s", tt.id, tt.auth, pid, offset, rest, tt.pid, tt.offset, tt.rest)
		}
		if string(auth) != before {
			t.Errorf("%s: auth was changed to %s", tt.id, auth)
		}
	}
}

func TestStringKey(t *testing.T) {
	for _, tt := range []struct{ auth, value, rest string }{
		{`{"token":"x"}`, "x", `{}`},
		{`{"a":1,"token":"\u0078","pid":"p"}`, "x", `{"a":1,"pid":"p"}`},
		{`{"\u0074oken":"x"}`, "x", `{}`},
		{`{"Token":"x","TOKEN":"y","token ":"z"}`, "", `{"Token":"x","TOKEN":"y","token ":"z"}`},
		{`{"token":["x"]}`, "", `{"token":["x"]}`},
		{`{"a":{"token":"x"}}`, "", `{"a":{"token":"x"}}`},
		{`{}`, "", `{}`},
		{``, "", ``},
	} {
		if value, rest := StringKey([]byte(tt.auth), "token"); value != tt.value || string(rest) != tt.rest {
			t.Errorf("%s: %q, %s", tt.auth, value, rest)
		}
	}
}

func TestReserved(t *testing.T) {
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if !Reserved(name) {
			t.Errorf("D14: %s is not reserved", name)
		}
	}
	for _, name := range []string{"", "error", "connection", "message", "Connect", "disconnected"} {
		if Reserved(name) {
			t.Errorf("S13: %s is reserved", name)
		}
	}
}
