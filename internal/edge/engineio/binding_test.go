package engineio

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestBinding(t *testing.T) {
	for _, tt := range []struct {
		opened, now     string
		address, prefix bool
	}{
		{"192.0.2.1:5", "192.0.2.1:6", true, true},
		{"192.0.2.1:5", "192.0.2.99:5", false, true},
		{"192.0.2.1:5", "192.0.3.1:5", false, false},
		{"192.0.2.1:5", "[::ffff:192.0.2.1]:6", true, true},
		{"[2001:db8:1:2::3]:5", "[2001:db8:1:9::9]:5", false, true},
		{"[2001:db8:1:2::3]:5", "[2001:db8:2:2::3]:5", false, false},
		{"192.0.2.1:5", "[2001:db8::1]:5", false, false},
		{"192.0.2.1:5", "@", false, false},
		{"@", "@", true, true},
	} {
		if got := BindAddress.Holds(tt.opened, tt.now); got != tt.address {
			t.Errorf("%s, %s: to the address %v", tt.opened, tt.now, got)
		}
		if got := BindPrefix.Holds(tt.opened, tt.now); got != tt.prefix {
			t.Errorf("%s, %s: to the network %v", tt.opened, tt.now, got)
		}
		if !BindNothing.Holds(tt.opened, tt.now) {
			t.Errorf("%s, %s: bound to nothing, and refused", tt.opened, tt.now)
		}
	}
}

// A session of another network is forbidden to poll, to post and to upgrade; it goes on itself.
func TestL13_U9_BoundSession(t *testing.T) {
	f := &floor{}
	e := newEdge(t, Config{Binding: BindAddress}, f)
	sid, _ := e.poll()
	for name, r := range map[string]*http.Request{
		"L13 poll": httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling&sid="+sid, nil),
		"L13 post": httptest.NewRequest("POST", "/socket.io/?EIO=4&transport=polling&sid="+sid, strings.NewReader("4x")),
		"U9":       httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=websocket&sid="+sid, nil),
	} {
		want := `{"code":4,"message":"Forbidden"}`
		if name == "U9" {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			want = "Forbidden"
		}
		r.RemoteAddr = "192.0.2.7:1"
		w := httptest.NewRecorder()
		e.server.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || w.Body.String() != want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	up := e.probe(sid)
	up.say("2probe")
	up.want("3probe")
}

// L13: a client may change networks, and whoever looks for a stolen sid can see it.
func TestL13_RequestsFromElsewhereAreTold(t *testing.T) {
	var told []string
	e := newEdge(t, Config{Strayed: func(opened, now string) { told = append(told, now) }}, &floor{})
	sid, _ := e.poll()
	for _, from := range []string{"127.0.0.1:1", "127.0.0.1:2", "198.51.100.7:1", "198.51.100.7:2", "203.0.113.1:1"} {
		r := httptest.NewRequest("POST", "/socket.io/?EIO=4&transport=polling&sid="+sid, strings.NewReader("4x"))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		e.server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", from, w.Code, w.Body)
		}
	}
	if want := []string{"198.51.100.7:1"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q: the first from another host", told, want)
	}
}

// A credential is apart from what is kept of a handshake and handed on.
func TestTokenOfHandshake(t *testing.T) {
	f := &floor{}
	e := newEdge(t, Config{Token: func(r *http.Request) string {
		defer r.Header.Del("Authorization")
		return r.Header.Get("Authorization")
	}}, f)
	e.do("GET", "EIO=4&transport=polling", "", "Authorization", "Bearer x", "X-Other", "y")
	h := f.last().Handshake
	if h.Token == nil || *h.Token != "Bearer x" || strings.Contains(strings.Join(h.Headers, " "), "Bearer") || !strings.Contains(strings.Join(h.Headers, " "), "x-other y") {
		t.Errorf("%v %q", h.Token, h.Headers)
	}
}
