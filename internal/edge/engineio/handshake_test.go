package engineio

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestHandshake(t *testing.T) {
	t.Run("H01 H03 H04 H08 polling", func(t *testing.T) {
		e := newEdge(t, Config{}, &floor{})
		resp, body := e.do("GET", "EIO=4&transport=polling", "")
		o := parseOpen(t, body)
		want := `0{"sid":"` + o.SID + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		if body != want || resp.StatusCode != 200 {
			t.Errorf("%d %s, want %s", resp.StatusCode, body, want)
		}
		if ct := resp.Header.Get("Content-Type"); ct != "text/plain; charset=UTF-8" {
			t.Errorf("content type %q", ct)
		}
	})
	t.Run("H02 websocket", func(t *testing.T) {
		e := newEdge(t, Config{}, &floor{})
		c, o := e.ws()
		if !strings.HasPrefix(c.text, "HTTP/1.1 101 ") || !strings.Contains(c.text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
			t.Errorf("response %q", c.text)
		}
		if o.Upgrades == nil || len(o.Upgrades) != 0 {
			t.Errorf("upgrades %v, want []", o.Upgrades)
		}
	})
	t.Run("H05 H06 upgrades", func(t *testing.T) {
		for _, cfg := range []Config{{NoUpgrades: true}, {Transports: []string{Polling}}} {
			e := newEdge(t, cfg, &floor{})
			_, body := e.do("GET", "EIO=4&transport=polling", "")
			if o := parseOpen(t, body); o.Upgrades == nil || len(o.Upgrades) != 0 {
				t.Errorf("%+v: upgrades %v, want []", cfg, o.Upgrades)
			}
		}
	})
	t.Run("H07 heartbeat values", func(t *testing.T) {
		e := newEdge(t, Config{PingInterval: 123e6, PingTimeout: 456e6, MaxPayload: 789}, &floor{})
		_, o := e.ws()
		if o.PingInterval != 123 || o.PingTimeout != 456 || o.MaxPayload != 789 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("H09 sid", func(t *testing.T) {
		s := NewServer(Config{EdgeTag: []byte("ab")}, &floor{}, quiet)
		seen := map[string]bool{}
		for range 1000 {
			sid := s.newSID()
			b, err := base64.RawURLEncoding.DecodeString(sid)
			if err != nil || len(sid) != 20 || string(b[:2]) != "ab" || seen[sid] {
				t.Fatalf("sid %q", sid)
			}
			seen[sid] = true
		}
	})
	t.Run("H14 registered", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, o := e.ws()
		e.poll()
		if n := e.server.Connections(); n != 2 {
			t.Errorf("%d connections", n)
		}
		if s := e.server.find(o.SID); s == nil || s.SID != o.SID || s.Transport() != WebSocket {
			t.Errorf("found %v", s)
		}
	})
	t.Run("H34 H35 H43 C12 rel/E12 what is kept", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		e.request("GET", "/socket.io/x?EIO=4&transport=polling&a=1&a=2&t=xyz&b64=1", "",
			"X-My-Header", "one", "X-My-Header", "two", "Cookie", "a=b", "Te", "trailers", "Sec-WebSocket-Key", "k", "User-Agent", "me")
		h := f.last().Handshake
		if h.RawQuery != "EIO=4&transport=polling&a=1&a=2&t=xyz&b64=1" || h.Path != "/socket.io/x" ||
			h.Transport != Polling || h.Secure || h.At.IsZero() || !strings.HasPrefix(h.RemoteAddr, "127.0.0.1:") {
			t.Errorf("%+v", h)
		}
		got := strings.Join(h.Headers, "|")
		if want := "accept-encoding|gzip|cookie|a=b|host|edge.test|user-agent|me|x-my-header|one, two"; got != want {
			t.Errorf("headers %s\n   want %s", got, want)
		}
		e.dial("EIO=4&transport=websocket", nil, "X-My-Header: three").read()
		if got := strings.Join(f.last().Handshake.Headers, "|"); got != "host|edge.test|x-my-header|three" {
			t.Errorf("websocket headers %s", got)
		}
	})
	t.Run("forwarded headers, chosen", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{ForwardHeaders: []string{"x-mine"}}, f)
		e.do("GET", "EIO=4&transport=polling", "", "X-Mine", "1", "X-Other", "2")
		if got := strings.Join(f.last().Handshake.Headers, "|"); got != "x-mine|1" {
			t.Errorf("headers %s", got)
		}
	})
	t.Run("H36 packet with the handshake", func(t *testing.T) {
		f := &floor{open: func(s *Socket) { s.Queue(NewMessage([]byte("hi"), nil), false); s.Flush() }}
		e := newEdge(t, Config{}, f)
		_, body := e.do("GET", "EIO=4&transport=polling", "")
		if !strings.HasSuffix(body, "}\x1e4hi") {
			t.Errorf("body %q", body)
		}
		c, _ := e.ws()
		c.want("4hi")
	})
	t.Run("H44 secure as told by whoever is trusted", func(t *testing.T) {
		s := NewServer(Config{}, &floor{}, quiet)
		r, _ := http.NewRequest("GET", "https://x/socket.io/", nil)
		if _, h := s.handshake(r, Polling, s.newSID()); !h.Secure {
			t.Error("not secure")
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		if err := e.server.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		resp, _ := e.do("GET", "EIO=4&transport=polling", "")
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
}

const upgradeLines = "Connection|Upgrade|Upgrade|websocket|Sec-WebSocket-Version|13|Sec-WebSocket-Key|dGhlIHNhbXBsZSBub25jZQ=="

// TestRefusals shows every request that is turned away, with the answer. "ws" in a header stands
// for the headers of a WebSocket handshake.
func TestRefusals(t *testing.T) {
	const (
		e0 = `{"code":0,"message":"Transport unknown"}`
		e1 = `{"code":1,"message":"Session ID unknown"}`
		e2 = `{"code":2,"message":"Bad handshake method"}`
		e3 = `{"code":3,"message":"Bad request"}`
		e4 = `{"code":4,"message":"Forbidden"}`
		e5 = `{"code":5,"message":"Unsupported protocol version"}`
	)
	f := &floor{}
	e := newEdge(t, Config{}, f)
	pollSID, _ := e.poll()
	ws, o := e.ws()
	wsSID := o.SID
	many := strings.Repeat("&a=b", 63)
	for _, tt := range []struct {
		id, method, target, header string
		status                     int
		body                       string
	}{
		{"H15 EIO=abc", "GET", "/socket.io/?EIO=abc&transport=polling", "", 400, e5},
		{"H15 EIO=5", "GET", "/socket.io/?EIO=5&transport=polling", "", 400, e5},
		{"rel/E1 EIO=3", "GET", "/socket.io/?EIO=3&transport=polling", "", 400, e5},
		{"H16 H45 EIO=3", "GET", "/socket.io/?EIO=3&transport=websocket", "ws", 400, "Unsupported protocol version"},
		{"H17 no EIO", "GET", "/socket.io/?transport=polling", "", 400, e5},
		{"H18 no transport", "GET", "/socket.io/?EIO=4", "", 400, e0},
		{"H18 transport", "GET", "/socket.io/?EIO=4&transport=abc", "", 400, e0},
		{"H19 transport", "GET", "/socket.io/?EIO=4&transport=abc", "ws", 400, "Transport unknown"},
		{"rel/E2 webtransport", "GET", "/socket.io/?EIO=4&transport=webtransport", "", 400, e0},
		{"rel/E2 upper case", "GET", "/socket.io/?EIO=4&transport=POLLING", "", 400, e0},
		{"H20 constructor", "GET", "/socket.io/?EIO=4&transport=constructor", "", 400, e0},
		{"H21 __proto__", "GET", "/socket.io/?EIO=4&transport=__proto__", "", 400, e0},
		{"H21 __proto__", "GET", "/socket.io/?EIO=4&transport=__proto__", "ws", 400, "Transport unknown"},
		{"H22 sid", "GET", "/socket.io/?EIO=4&transport=polling&sid=abc", "", 400, e1},
		{"H22 rel/U1 sid", "GET", "/socket.io/?EIO=4&transport=websocket&sid=abc", "ws", 400, "Session ID unknown"},
		{"rel/E6 long sid", "GET", "/socket.io/?EIO=4&transport=polling&sid=" + strings.Repeat("x", 4096), "", 400, e1},
		{"rel/E6 __proto__", "GET", "/socket.io/?EIO=4&transport=polling&sid=__proto__", "", 400, e1},
		{"rel/E6 NUL", "GET", "/socket.io/?EIO=4&transport=polling&sid=%00", "", 400, e1},
		{"rel/E8 strange sid", "GET", "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "", 400, e1},
		{"H23 PUT", "PUT", "/socket.io/?EIO=4&transport=polling", "", 400, e2},
		{"rel/E5 POST", "POST", "/socket.io/?EIO=4&transport=polling", "", 400, e2},
		{"rel/E5 OPTIONS", "OPTIONS", "/socket.io/?EIO=4&transport=polling", "", 400, e2},
		{"rel/H9 FOO", "FOO", "/socket.io/?EIO=4&transport=polling", "", 400, e2},
		{"H24 rel/E3 no upgrade", "GET", "/socket.io/?EIO=4&transport=websocket", "", 400, e3},
		{"rel/E4 upgrade of polling", "GET", "/socket.io/?EIO=4&transport=polling", "ws", 400, "Bad request"},
		{"H25 rel/E7 rel/U11", "GET", "/socket.io/?EIO=4&transport=polling&sid=" + wsSID, "", 400, e3},
		{"H25 POST", "POST", "/socket.io/?EIO=4&transport=polling&sid=" + wsSID, "", 400, e3},
		{"H25 rel/E7", "GET", "/socket.io/?EIO=4&transport=websocket&sid=" + pollSID, "", 400, e3},
		{"H26 EIO of a session", "GET", "/socket.io/?EIO=3&transport=polling&sid=" + pollSID, "", 400, e3},
		{"H26 EIO of a session", "GET", "/socket.io/?EIO=3&transport=websocket&sid=" + pollSID, "ws", 400, "Bad request"},
		{"H48 rel/H9 PUT", "PUT", "/socket.io/?EIO=4&transport=polling&sid=" + pollSID, "", 405, ""},
		{"H48 rel/H9 DELETE", "DELETE", "/socket.io/?EIO=4&transport=polling&sid=" + pollSID, "", 405, ""},
		{"H48 rel/H9 TRACE", "TRACE", "/socket.io/?EIO=4&transport=polling&sid=" + pollSID, "", 405, ""},
		{"H32 H47 rel/W1 version", "GET", "/socket.io/?EIO=4&transport=websocket", "ws|Sec-WebSocket-Version|12", 400,
			"websocket: unsupported version: 13 not found in 'Sec-Websocket-Version' header"},
		{"H32 H47 rel/W2 key", "GET", "/socket.io/?EIO=4&transport=websocket", "ws|Sec-WebSocket-Key|", 400,
			"Missing or invalid Sec-WebSocket-Key header"},
		{"rel/W2 key", "GET", "/socket.io/?EIO=4&transport=websocket", "ws|Sec-WebSocket-Key|abc", 400,
			"websocket: not a websocket handshake: 'Sec-WebSocket-Key' header must be Base64 encoded value of 16-byte in length"},
		{"rel/W2 key twice", "GET", "/socket.io/?EIO=4&transport=websocket",
			"ws|Sec-WebSocket-Key+|dGhlIHNhbXBsZSBub25jZQ==", 400, "Missing or invalid Sec-WebSocket-Key header"},
		{"rel/W3 protocols", "GET", "/socket.io/?EIO=4&transport=websocket",
			"ws|Sec-WebSocket-Protocol|b" + strings.Repeat(" ", 3000) + "x", 400, "Sec-WebSocket-Protocol header too long"},
		{"H37 no slash", "GET", "/socket.io?EIO=4&transport=polling", "", 404, "404 page not found\n"},
		{"H40 rel/H11 path", "GET", "/socket.iofoo/?EIO=4&transport=polling", "", 404, "404 page not found\n"},
		{"H40 path", "GET", "/", "", 404, "404 page not found\n"},
		{"rel/H11 upper case", "GET", "/Socket.IO/?EIO=4&transport=polling", "", 404, "404 page not found\n"},
		{"rel/H10 escapes", "GET", "/socket.io%2f?EIO=4&transport=polling", "", 200, "0{"},
		{"rel/H12 65 parameters", "GET", "/socket.io/?EIO=4&transport=polling" + many, "", 400, e3},
		{"rel/H12 64 parameters", "GET", "/socket.io/?EIO=4&transport=polling" + many[4:], "", 200, "0{"},
		{"rel/H12 10,000 parameters", "GET", "/socket.io/?EIO=4&transport=polling" + strings.Repeat("&a", 10000), "", 400, e3},
		{"rel/H12 transport twice", "GET", "/socket.io/?EIO=4&transport=polling&transport=x", "", 400, e3},
		{"rel/H12 transport twice, escaped", "GET", "/socket.io/?EIO=4&transport=polling&%74ransport=polling", "", 400, e3},
		{"rel/H12 EIO twice", "GET", "/socket.io/?EIO=4&EIO=4&transport=polling", "", 400, e3},
		{"rel/H12 sid twice", "GET", "/socket.io/?EIO=4&transport=polling&sid=&sid=", "", 400, e3},
		{"rel/H12 escape", "GET", "/socket.io/?EIO=4&transport=polling&a=%zz", "", 400, e3},
		{"rel/H12 sid[]", "GET", "/socket.io/?EIO=4&transport=polling&sid[]=" + pollSID, "", 200, "0{"},
		{"rel/H12 semicolon", "GET", "/socket.io/?EIO=4&transport=polling;sid=x", "", 400, e0},
		{"rel/L11 JSONP", "GET", "/socket.io/?EIO=4&transport=polling&j=0", "", 400, e3},
		{"rel/O1 origin", "GET", "/socket.io/?EIO=4&transport=polling", "Origin|http://evil.example", 403, e4},
		{"C19 rel/O1 origin", "GET", "/socket.io/?EIO=4&transport=websocket", "ws|Origin|http://evil.example", 403, "Forbidden"},
		{"rel/O1 origin with a sid", "GET", "/socket.io/?EIO=4&transport=polling&sid=" + pollSID, "Origin|http://evil.example", 403, e4},
	} {
		t.Run(tt.id, func(t *testing.T) {
			var header []string
			if rest, ok := strings.CutPrefix(tt.header, "ws"); ok {
				parts := strings.Split(upgradeLines, "|")
				extra := strings.Split(strings.TrimPrefix(rest, "|"), "|")
				for i := 0; i+1 < len(extra); i += 2 {
					name, add := strings.CutSuffix(extra[i], "+")
					for k := 0; k < len(parts) && !add; k += 2 {
						if parts[k] == name {
							parts = append(parts[:k:k], parts[k+2:]...)
						}
					}
					if extra[i+1] != "" {
						parts = append(parts, name, extra[i+1])
					}
				}
				header = parts
			} else if tt.header != "" {
				header = strings.Split(tt.header, "|")
			}
			status, body := e.raw(tt.method, tt.target, header)
			if status != tt.status || !strings.HasPrefix(body, tt.body) || tt.status != 200 && body != tt.body {
				t.Errorf("%d %.100q, want %d %q", status, body, tt.status, tt.body)
			}
		})
	}
	// Nothing of this has hurt anyone.
	ws.say("4still here")
	ws.want("4still here")
	e.want(200, "ok", "POST", "EIO=4&transport=polling&sid="+pollSID, "4me too")
	e.want(200, "4me too", "GET", "EIO=4&transport=polling&sid="+pollSID, "")
}

func TestE11_AllowRequest(t *testing.T) {
	asked := 0
	allow := true
	e := newEdge(t, Config{AllowRequest: func(r *http.Request) (bool, string) {
		asked++
		return allow, strings.Repeat(r.Header.Get("X-Say"), 50)
	}}, &floor{})
	_, q := e.poll() // H30
	e.want(200, "ok", "POST", q, "4a")
	e.want(200, "4a", "GET", q, "")
	if asked != 1 { // H31
		t.Errorf("asked %d times", asked)
	}
	allow = false
	e.want(403, `{"code":4,"message":"Forbidden"}`, "GET", "EIO=4&transport=polling", "") // H28
	_, body := e.do("GET", "EIO=4&transport=polling", "", "X-Say", `"no"`)
	if want := `{"code":4,"message":"` + strings.Repeat(`\"no\"`, 32) + `"}`; body != want { // rel/E11
		t.Errorf("body %s", body)
	}
	status, body := e.raw("GET", "/socket.io/?EIO=4&transport=websocket", strings.Split(upgradeLines, "|"))
	if status != 400 || body != "Forbidden" { // H29
		t.Errorf("%d %s", status, body)
	}
}

func TestPaths(t *testing.T) {
	e := newEdge(t, Config{Path: "/engine.io/", BarePath: true}, &floor{})
	for target, status := range map[string]int{ // H38 H39
		"/engine.io":      200,
		"/engine.io/":     200,
		"/engine.io/x/y":  200,
		"/engine.iox":     404,
		"/socket.io/":     404,
		"/x/engine.io/":   404,
		"//engine.io/":    404,
		"/./engine.io/":   404,
		"/engine.io/../x": 200, // below our path: nothing is looked up by it
	} {
		if got, _ := e.raw("GET", target+"?EIO=4&transport=polling", nil); got != status {
			t.Errorf("%s: %d, want %d", target, got, status)
		}
	}
}

func TestValidate(t *testing.T) {
	err := Config{
		Path: "x", Transports: []string{"carrier pigeon"}, EdgeTag: make([]byte, 4), Credentials: true,
		Origins: []string{"*", "example.com", "https://*.*.com", "https://a/b"}, PingTimeout: -1,
	}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 7 { // rel/O6
		t.Errorf("faults: %v", err)
	}
	if err := (Config{Origins: []string{"https://*.example.com:8443", "http://localhost:3000"}}).Validate(); err != nil {
		t.Error(err)
	}
}
