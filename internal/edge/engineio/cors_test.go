package engineio

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestOrigin(t *testing.T) {
	configured := []string{"https://good.example", "https://*.wild.example", "http://port.example:8080"}
	for _, tt := range []struct {
		id     string
		cfg    Config
		host   string
		origin []string
		want   verdict
	}{
		{"rel/O2 none", Config{}, "a.example", nil, originAllowed},
		{"rel/O2 none, required", Config{RequireOrigin: true}, "a.example", nil, originForeign},
		{"same", Config{}, "a.example", []string{"http://a.example"}, originAllowed},
		{"same, port", Config{}, "a.example:3000", []string{"http://a.example:3000"}, originAllowed},
		{"same, default port", Config{}, "a.example", []string{"https://a.example:443"}, originAllowed},
		{"same, default port", Config{}, "a.example:443", []string{"https://a.example"}, originAllowed},
		{"same, case", Config{}, "A.Example", []string{"HTTP://a.EXAMPLE"}, originAllowed},
		{"TLS same", Config{}, "a.example", []string{"https://a.example"}, originAllowed},
		{"TLS same, default port", Config{}, "a.example:443", []string{"https://a.example"}, originAllowed},
		{"TLS rel/O3 scheme", Config{}, "a.example", []string{"http://a.example"}, originForeign},
		{"TLS rel/O3 scheme and port", Config{}, "a.example:80", []string{"http://a.example"}, originForeign},
		{"other port", Config{}, "a.example:3000", []string{"http://a.example"}, originForeign},
		{"rel/O1 foreign", Config{}, "a.example", []string{"http://b.example"}, originForeign},
		{"rel/O3 null", Config{}, "a.example", []string{"null"}, originForeign},
		{"rel/O3 two", Config{}, "a.example", []string{"http://a.example", "http://a.example"}, originForeign},
		{"rel/O3 trailing dot", Config{}, "a.example", []string{"http://a.example."}, originForeign},
		{"rel/O3 userinfo", Config{}, "a.example", []string{"http://a.example@b.example"}, originForeign},
		{"rel/O3 userinfo", Config{}, "a.example", []string{"http://b.example@a.example"}, originForeign},
		{"rel/O3 path", Config{}, "a.example", []string{"http://a.example/"}, originForeign},
		{"scheme", Config{}, "a.example", []string{"ftp://a.example"}, originForeign},
		{"empty", Config{}, "", []string{"http://"}, originForeign},
		{"rel/O3 4 KiB", Config{}, "a.example", []string{"http://" + strings.Repeat("a", 4096)}, originForeign},
		{"H27 rel/O4", Config{}, "a.example", []string{"http://a.example\x00"}, originBroken},
		{"H27 rel/O4", Config{}, "a.example", []string{"http://a.example\x7f"}, originBroken},
		{"configured", Config{Origins: configured}, "a.example", []string{"https://good.example"}, originAllowed},
		{"configured, own too", Config{Origins: configured}, "a.example", []string{"https://a.example"}, originAllowed},
		{"configured, scheme", Config{Origins: configured}, "a.example", []string{"http://good.example"}, originForeign},
		{"rel/O3 port", Config{Origins: configured}, "a.example", []string{"https://good.example:444"}, originForeign},
		{"rel/O3 prefix", Config{Origins: configured}, "a.example", []string{"https://good.example.evil.com"}, originForeign},
		{"rel/O3 suffix", Config{Origins: configured}, "a.example", []string{"https://evilgood.example"}, originForeign},
		{"wildcard", Config{Origins: configured}, "a.example", []string{"https://x.y.wild.example"}, originAllowed},
		{"wildcard, bare", Config{Origins: configured}, "a.example", []string{"https://wild.example"}, originForeign},
		{"wildcard, empty label", Config{Origins: configured}, "a.example", []string{"https://.wild.example"}, originForeign},
		{"wildcard, suffix", Config{Origins: configured}, "a.example", []string{"https://evilwild.example"}, originForeign},
		{"wildcard, userinfo", Config{Origins: configured}, "a.example", []string{"https://evil.com/.wild.example"}, originForeign},
		{"with port", Config{Origins: configured}, "a.example", []string{"http://port.example:8080"}, originAllowed},
		{"without port", Config{Origins: configured}, "a.example", []string{"http://port.example"}, originForeign},
		{"any", Config{Origins: []string{"*"}}, "a.example", []string{"null"}, originAllowed},
	} {
		t.Run(tt.id, func(t *testing.T) {
			s := NewServer(tt.cfg, &floor{}, quiet)
			r := &http.Request{Host: tt.host, Header: http.Header{}, URL: &url.URL{}}
			if strings.HasPrefix(tt.id, "TLS ") {
				r.URL.Scheme = "https" // how the front door says it
			}
			if tt.origin != nil {
				r.Header["Origin"] = tt.origin
			}
			if got := s.browsers.Load().checkOrigin(r); got != tt.want {
				t.Errorf("verdict %d on %.40q, want %d", got, tt.origin, tt.want)
			}
		})
	}
	t.Run("H27 answer", func(t *testing.T) {
		s := NewServer(Config{}, &floor{}, quiet)
		r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil)
		r.Header.Set("Origin", "http://a\x00")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 400 || w.Body.String() != `{"code":3,"message":"Bad request"}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestCORS(t *testing.T) {
	full := Config{
		Origins: []string{"https://good.example"}, Credentials: true, ExposedHeaders: []string{"X-A", "X-B"},
		AllowedHeaders: []string{"X-C"}, CORSMaxAge: 10 * time.Minute,
	}
	for _, tt := range []struct {
		id     string
		cfg    Config
		method string
		header string
		status int
		want   string // the headers of CORS, in a fixed order
	}{
		{"C13 off", Config{}, "GET", "", 200, ""},
		{"C13 off", Config{}, "GET", "Origin|http://edge.test", 200, ""},
		{"C14 C17 preflight", full, "OPTIONS", "Origin|https://good.example|Access-Control-Request-Headers|X-Q", 204,
			"Access-Control-Allow-Credentials: true|Access-Control-Allow-Headers: X-C|" +
				"Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE|" +
				"Access-Control-Allow-Origin: https://good.example|Access-Control-Max-Age: 600|Vary: Origin"},
		{"C14 preflight, headers asked for", Config{Origins: []string{"*"}}, "OPTIONS",
			"Origin|https://any.example|Access-Control-Request-Headers|x-q, x-r", 204,
			"Access-Control-Allow-Headers: x-q, x-r|Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE|" +
				"Access-Control-Allow-Origin: *|Vary: Access-Control-Request-Headers"},
		{"rel/O5 commas", Config{Origins: []string{"*"}}, "OPTIONS",
			"Origin|https://any.example|Access-Control-Request-Headers|" + strings.Repeat(",", 10000), 204,
			"Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE|" +
				"Access-Control-Allow-Origin: *|Vary: Access-Control-Request-Headers"},
		{"C15 C17 C18 request", full, "GET", "Origin|https://good.example", 200,
			"Access-Control-Allow-Credentials: true|Access-Control-Allow-Origin: https://good.example|" +
				"Access-Control-Expose-Headers: X-A,X-B|Vary: Origin"},
		{"C16 rel/O1 bad origin", full, "GET", "Origin|https://bad.example", 403, "Vary: Origin"},
		{"rel/O1 bad origin, preflight", full, "OPTIONS", "Origin|https://bad.example", 403, "Vary: Origin"},
		{"H46 error", full, "PUT", "Origin|https://good.example", 400,
			"Access-Control-Allow-Credentials: true|Access-Control-Allow-Origin: https://good.example|" +
				"Access-Control-Expose-Headers: X-A,X-B|Vary: Origin"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			e := newEdge(t, tt.cfg, &floor{})
			var header []string
			if tt.header != "" {
				header = strings.Split(tt.header, "|")
			}
			resp, _ := e.do(tt.method, "EIO=4&transport=polling", "", header...)
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			var got []string
			for _, name := range []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers",
				"Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
				"Access-Control-Max-Age", "Vary"} {
				for _, v := range resp.Header[name] {
					got = append(got, name+": "+v)
				}
			}
			if g := strings.Join(got, "|"); g != tt.want {
				t.Errorf("headers %s\n   want %s", g, tt.want)
			}
		})
	}
	t.Run("C19 websocket", func(t *testing.T) {
		e := newEdge(t, full, &floor{})
		c := e.dial("EIO=4&transport=websocket", nil, "Origin: https://good.example")
		if !strings.HasPrefix(c.text, "HTTP/1.1 101") {
			t.Error(c.text)
		}
		c = e.dial("EIO=4&transport=websocket", nil, "Origin: https://bad.example")
		if !strings.HasPrefix(c.text, "HTTP/1.1 403") {
			t.Error(c.text)
		}
	})
}

func TestCookie(t *testing.T) {
	with := func(change func(*http.Cookie)) Config {
		c := DefaultCookie()
		change(c)
		return Config{Cookie: c}
	}
	for _, tt := range []struct {
		id, want string
		cfg      Config
	}{
		{"C01 default", "io=SID; Path=/; HttpOnly; SameSite=Lax", Config{Cookie: DefaultCookie()}},
		{"C02 none", "", Config{}},
		{"C03 name", "woot=SID; Path=/; HttpOnly; SameSite=Lax", with(func(c *http.Cookie) { c.Name = "woot" })},
		{"C04 path", "io=SID; Path=/custom; HttpOnly; SameSite=Lax", with(func(c *http.Cookie) { c.Path = "/custom" })},
		{"C04 no path", "io=SID; HttpOnly; SameSite=Lax", with(func(c *http.Cookie) { c.Path = "" })},
		{"C05 not httpOnly", "io=SID; Path=/; SameSite=Lax", with(func(c *http.Cookie) { c.HttpOnly = false })},
		{"C06 sameSite", "io=SID; Path=/; HttpOnly; SameSite=Strict",
			with(func(c *http.Cookie) { c.SameSite = http.SameSiteStrictMode })},
	} {
		t.Run(tt.id, func(t *testing.T) {
			e := newEdge(t, tt.cfg, &floor{})
			resp, body := e.do("GET", "EIO=4&transport=polling", "")
			o := parseOpen(t, body)
			if got := strings.ReplaceAll(resp.Header.Get("Set-Cookie"), o.SID, "SID"); got != tt.want {
				t.Errorf("cookie %q, want %q", got, tt.want)
			}
			resp, _ = e.do("POST", "EIO=4&transport=polling&sid="+o.SID, "4a") // C07
			if c := resp.Header.Get("Set-Cookie"); c != "" {
				t.Errorf("POST sets %q", c)
			}
			if c, _ := e.ws(); strings.Contains(c.text, "Cookie") { // C07
				t.Errorf("WebSocket: %q", c.text)
			}
		})
	}
}

func TestResponseHeaders(t *testing.T) {
	e := newEdge(t, Config{Headers: http.Header{"X-Static": {"yes"}}}, &floor{})
	resp, body := e.do("GET", "EIO=4&transport=polling", "", "User-Agent", "Mozilla/4.0 (compatible;MSIE 8.0; X)")
	if resp.Header.Get("X-XSS-Protection") != "0" || resp.Header.Get("Cache-Control") != "no-store" || // C08 C09
		resp.Header.Get("X-Static") != "yes" { // C10 C11
		t.Errorf("GET: %v", resp.Header)
	}
	q := "EIO=4&transport=polling&sid=" + parseOpen(t, body).SID
	resp, _ = e.do("POST", q, "4a", "User-Agent", "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko")
	if resp.Header.Get("X-XSS-Protection") != "0" || resp.Header.Get("X-Static") != "yes" ||
		resp.Header.Get("Content-Type") != "text/html" { // P04
		t.Errorf("POST: %v", resp.Header)
	}
	if resp, _ = e.do("GET", q, ""); resp.Header.Get("X-XSS-Protection") != "" {
		t.Errorf("GET: %v", resp.Header)
	}
	if resp, _ = e.do("GET", "EIO=4&transport=x", ""); resp.Header.Get("X-Static") != "" {
		t.Errorf("error: %v", resp.Header)
	}
	c, _ := e.ws()
	if !strings.Contains(c.text, "X-Static: yes\r\n") || strings.Contains(c.text, "Extensions") { // C30
		t.Errorf("101: %q", c.text)
	}
	c = e.dial("EIO=4&transport=websocket", nil, "Sec-WebSocket-Protocol: one, two", "Sec-WebSocket-Extensions: permessage-deflate, constructor, __proto__") // rel/W4
	if !strings.Contains(c.text, "Sec-WebSocket-Protocol: one\r\n") || strings.Contains(c.text, "Extensions") {                                              // W10
		t.Errorf("101: %q", c.text)
	}
}

// What concerns browsers can change while the server runs.
func TestSetBrowsers(t *testing.T) {
	e := newEdge(t, Config{Origins: []string{"https://a.example"}}, &floor{})
	ask := func(origin string) (int, string) {
		resp, _ := e.do("GET", "EIO=4&transport=polling", "", "Origin", origin)
		return resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin")
	}
	if code, allowed := ask("https://a.example"); code != 200 || allowed != "https://a.example" {
		t.Errorf("before: %d %q", code, allowed)
	}
	e.server.SetBrowsers(Config{Origins: []string{"https://b.example"}, Credentials: true})
	if code, _ := ask("https://a.example"); code != 403 {
		t.Errorf("the former origin: %d", code)
	}
	if code, allowed := ask("https://b.example"); code != 200 || allowed != "https://b.example" {
		t.Errorf("the new origin: %d %q", code, allowed)
	}
	e.server.SetBrowsers(Config{})
	if code, _ := ask("https://b.example"); code != 403 {
		t.Errorf("no origin but the own: %d", code)
	}
}
