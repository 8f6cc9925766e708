package protocol

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everywhere runs a test of Engine.IO against the bare echo server and below Socket.IO.
func everywhere(t *testing.T, servers func(*testing.T) servers, test func(t *testing.T, base string)) {
	s := servers(t)
	t.Run("engine.io", func(t *testing.T) { test(t, s.engineIO) })
	t.Run("socket.io", func(t *testing.T) { test(t, s.socketIO) })
}

func TestH01_H07_H08_PollingHandshake(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		o := poll(t, base).opening
		if !slices.Equal(o.Upgrades, []string{"websocket"}) { // H04
			t.Errorf("upgrades = %v, want [websocket]", o.Upgrades)
		}
		if o.PingInterval != 300 || o.PingTimeout != 200 || o.MaxPayload != 1_000_000 {
			t.Errorf("handshake is %+v, want the configured heartbeat and 1000000 bytes", o)
		}
	})
}

func TestH02_WebSocketHandshake(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		o := parseOpening(t, dial(t, base, "EIO=4&transport=websocket").next(t).data)
		if len(o.Upgrades) != 0 {
			t.Errorf("upgrades = %v, want none", o.Upgrades)
		}
		if o.PingInterval != 300 || o.PingTimeout != 200 || o.MaxPayload != 1_000_000 {
			t.Errorf("handshake is %+v, want the configured heartbeat and 1000000 bytes", o)
		}
	})
}

func TestH01_HandshakeKeysInOrder(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		r := do(t, "GET", base+"?EIO=4&transport=polling", "")
		order := regexp.MustCompile(`^0\{"sid":"[^"]+","upgrades":\["websocket"\],"pingInterval":\d+,"pingTimeout":\d+,"maxPayload":\d+\}$`)
		if !order.MatchString(r.Body) {
			t.Errorf("handshake is %q, want the keys sid, upgrades, pingInterval, pingTimeout, maxPayload", r.Body)
		}
	})
}

func TestH09_SIDs(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		format := regexp.MustCompile(`^[A-Za-z0-9_-]{20}$`)
		seen := map[string]bool{}
		for range 20 {
			sid := poll(t, base).SID
			if !format.MatchString(sid) || seen[sid] {
				t.Fatalf("sid %q, want 20 new characters of base64url", sid)
			}
			seen[sid] = true
		}
	})
}

// refusals are polling requests that are answered with an error code.
var refusals = []struct {
	name, method, query string
	code                int
	message             string
}{
	{"H17 no EIO", "GET", "transport=polling", 5, "Unsupported protocol version"},
	{"H15 EIO is no number", "GET", "EIO=abc&transport=polling", 5, "Unsupported protocol version"},
	{"H15 EIO 5", "GET", "EIO=5&transport=polling", 5, "Unsupported protocol version"},
	{"V13 EIO 3", "GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"},
	{"H18 no transport", "GET", "EIO=4", 0, "Transport unknown"},
	{"H18 unknown transport", "GET", "EIO=4&transport=abc", 0, "Transport unknown"},
	{"H20 constructor", "GET", "EIO=4&transport=constructor", 0, "Transport unknown"},
	{"H21 __proto__", "GET", "EIO=4&transport=__proto__", 0, "Transport unknown"},
	{"H22 unknown sid", "GET", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"},
	{"H22 unknown sid, POST", "POST", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"},
	{"H23 POST", "POST", "EIO=4&transport=polling", 2, "Bad handshake method"},
	{"H23 PUT", "PUT", "EIO=4&transport=polling", 2, "Bad handshake method"},
	{"H24 websocket without upgrade", "GET", "EIO=4&transport=websocket", 3, "Bad request"},
}

func TestRefusedRequests(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for _, c := range refusals {
			t.Run(c.name, func(t *testing.T) {
				r := do(t, c.method, base+"?"+c.query, "")
				var body struct {
					Code    *int
					Message string
				}
				if err := json.Unmarshal([]byte(r.Body), &body); err != nil || body.Code == nil {
					t.Fatalf("got %d %q, want a JSON error", r.Status, r.Body)
				}
				if r.Status != 400 || *body.Code != c.code || body.Message != c.message {
					t.Errorf("got %d %s, want 400, code %d, %q", r.Status, r.Body, c.code, c.message)
				}
				if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
					t.Errorf("content type %q, want JSON", kind)
				}
			})
		}
	})
}

func TestRefusedWebSockets(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for _, c := range []struct{ name, query string }{
			{"H16 no EIO", "transport=websocket"},
			{"H16 EIO is no number", "EIO=abc&transport=websocket"},
			{"H45 EIO 3", "EIO=3&transport=websocket"},
			{"H19 no transport", "EIO=4"},
			{"H19 unknown transport", "EIO=4&transport=abc"},
			{"H21 __proto__", "EIO=4&transport=__proto__"},
			{"H22 unknown sid", "EIO=4&transport=websocket&sid=abc"},
		} {
			t.Run(c.name, func(t *testing.T) {
				w, r, err := tryDial(t.Context(), base, c.query)
				switch {
				case err == nil && *reference: // it accepts first and closes then
					w.wantEnd(t)
				case err == nil:
					t.Error("accepted, want 400 before the upgrade")
				case r.Status != 400:
					t.Errorf("got %d %q (%v), want 400", r.Status, r.Body, err)
				}
			})
		}
	})
}

func TestH25_OtherTransportThanTheSession(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		w := dial(t, base, "EIO=4&transport=websocket")
		o := parseOpening(t, w.next(t).data)
		r := do(t, "GET", base+"?EIO=4&transport=polling&sid="+o.SID, "")
		r.want(t, 400, `{"code":3,"message":"Bad request"}`)
	})
}

func TestH26_OtherProtocolThanTheSession(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		do(t, "GET", strings.Replace(p.url, "EIO=4", "EIO=3", 1), "").want(t, 400, `{"code":3,"message":"Bad request"}`)
	})
}

func TestH27_IllegalOrigin(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		conn := openRaw(t, "GET", base+"?EIO=4&transport=polling", "Origin: http://good\x01.example", "")
		conn.want(t, 400)
	})
}

func TestH37_H39_H40_Paths(t *testing.T) {
	s := calm(t)
	root := strings.TrimSuffix(s.socketIO, "socket.io/")
	for _, c := range []struct {
		path   string
		status int
	}{
		{"socket.io/", 200},
		{"socket.io/x/y", 200},
		{"socket.io", 404},
		{"Socket.io/", 404},
		{"other/", 404},
	} {
		if r := do(t, "GET", root+c.path+"?EIO=4&transport=polling", ""); r.Status != c.status {
			t.Errorf("/%s: %d %q, want %d", c.path, r.Status, r.Body, c.status)
		}
	}
}

// upgrade is the header of a WebSocket handshake.
var upgrade = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

func TestH47_MalformedWebSocketHandshake(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for _, c := range []struct{ name, line string }{
			{"bad version", "Sec-WebSocket-Version: 7"},
			{"bad key", "Sec-WebSocket-Key: short"},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := do(t, "GET", base+"?EIO=4&transport=websocket", "", append(slices.Clone(upgrade), c.line)...)
				if r.Status != http.StatusBadRequest && r.Status != http.StatusUpgradeRequired {
					t.Fatalf("got %d %q, want 400", r.Status, r.Body)
				}
				if versions := r.Header.Get("Sec-WebSocket-Version"); c.name == "bad version" && !strings.Contains(versions, "13") {
					t.Errorf("Sec-WebSocket-Version is %q, want 13 among them", versions)
				}
			})
		}
		poll(t, base) // H32: nothing crashed
	})
}
