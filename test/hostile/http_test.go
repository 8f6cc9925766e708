package hostile

import (
	"encoding/base64"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const get = "GET /socket.io/?" + pollingQuery + " HTTP/1.1\r\nHost: a\r\n"

// closesAt is a row of a connection that the edge gives up on after so long, without a word or
// with that status.
func closesAt(id, input, count string, after time.Duration, status int, begin func(*testing.T, *edge) *line) row {
	return row{id: id, input: input, count: count, slow: true, play: func(t *testing.T, e *edge) {
		began := time.Now()
		l := begin(t, e)
		if status != 0 {
			l.response("GET").want(t, status, "*")
		}
		l.wantEnd()
		if took := time.Since(began); took < after-500*time.Millisecond || took > after+slack {
			t.Errorf("closed after %v, want %v", took, after)
		}
	}}
}

// drips sends s a byte at a time, as long as the edge listens and the test lasts.
func (l *line) drips(s string, every time.Duration) {
	pace := time.NewTicker(every)
	stop, stopped := make(chan struct{}), make(chan struct{})
	l.t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	go func() { // the cleanup waits
		defer close(stopped)
		defer pace.Stop()
		for i := range len(s) {
			if _, err := l.Write([]byte(s[i : i+1])); err != nil {
				return
			}
			select {
			case <-pace.C:
			case <-stop:
				return
			}
		}
	}()
}

var tcpRows = []row{
	closesAt("C1", "silence", "", 5*time.Second, 0, func(t *testing.T, e *edge) *line { return e.dial(t) }),
	sends("C4", "PROXY v1 while disabled", "PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n"+get+"\r\n", 400, "malformed request line"),
	sends("C4", "PROXY v2 while disabled", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x05\x00\x50"+get+"\r\n", 400, "malformed request line"),
	sends("C10", "TLS on the plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed request line"),
	{id: "C11", input: "reset in every state", count: "any", play: resets},
	{id: "C11", input: "connect and close", play: func(t *testing.T, e *edge) {
		for range 2000 {
			e.dial(t).Close()
		}
		e.http(t, "GET", "EIO=3&transport=polling", "").want(t, 400, refusal(5))
	}, count: "http/version", besides: "tcp/gave up"}, // who has gone before it was his turn
	{id: "C12", input: "out of descriptors", apart: true, play: outOfDescriptors},
}

// resets drops a connection at every point of its life, so that the edge reads and writes into it.
// CVE-2022-41940 is the reset during a refused upgrade.
func resets(t *testing.T, e *edge) {
	states := map[string]func() *line{
		"accepted": func() *line { return e.dial(t) },
		"half a head": func() *line {
			l := e.dial(t)
			l.send(get[:30])
			return l
		},
		"a refused head": func() *line {
			l := e.dial(t)
			l.send("GET / HTTP/9\r\n")
			return l
		},
		"a refused upgrade": func() *line {
			l := e.dial(t)
			l.send(opening("EIO=3&transport=websocket"))
			return l
		},
		"half a body": func() *line {
			p := e.polling(t, false)
			l := e.dial(t)
			l.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n40")
			return l
		},
		"a poll that waits": func() *line {
			p := e.polling(t, false)
			l := e.dial(t)
			l.send(request("GET", p.query, ""))
			return l
		},
		"a handshake without its answer": func() *line {
			l := e.dial(t)
			l.send(opening(webSocketQuery))
			return l
		},
		"a WebSocket":    func() *line { return e.webSocket(t, true) },
		"half a frame":   func() *line { l := e.webSocket(t, true); l.send(frame(text, "42")[:3]); return l },
		"half a message": func() *line { l := e.webSocket(t, true); l.send(frame(0x01, "42")); return l },
		"while answered": func() *line { l := e.webSocket(t, true); l.say(`421["echo"]`); return l },
		"while closing":  func() *line { l := e.webSocket(t, true); l.say("1"); return l },
		"half an upgrade": func() *line {
			p := e.polling(t, false)
			l := e.dial(t)
			l.send(opening(webSocketQuery + "&sid=" + p.sid))
			l.response("GET")
			l.say("2probe")
			return l
		},
	}
	for name, reach := range states {
		l := reach()
		if err := l.SetLinger(0); err != nil { // closing resets
			t.Fatalf("%s: %v", name, err)
		}
		l.Close()
	}
	e.webSocket(t, true).wantAlive()
}

// outOfDescriptors opens connections until the edge cannot take more. Those that are there are
// served, it is counted, and when they leave others come in.
func outOfDescriptors(t *testing.T, _ *edge) {
	e := &edge{data: t.TempDir()}
	args := e.args([]string{"--namespaces", "/"})
	e.launch(t, exec.Command("sh", append([]string{"-c", `ulimit -n 64 && exec "$0" "$@"`, program}, args...)...))
	defer e.stop(t)
	good := e.webSocket(t, true)
	var crowd []net.Conn
	for range 100 { // more than there are descriptors; the kernel takes what the edge does not
		c, err := net.Dial("tcp", e.clients)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, c)
	}
	good.say("40/nowhere,")
	good.wantPacket(`44/nowhere,{"message":"Invalid namespace"}`)
	for _, c := range crowd {
		c.Close()
	}
	e.webSocket(t, true)
	if n := e.refusals(t)["tcp/no resources to accept"]; n == 0 {
		t.Error("not counted")
	}
}

var headRows = []row{
	sends("H1", "a field of 16 KiB", get+"Big: "+strings.Repeat("b", 16<<10)+"\r\n\r\n", 431, "request head too large"),
	sends("H1", "7 MB of head", get+"Big: "+strings.Repeat("b", 7<<20)+"\r\n\r\n", 431, "request head too large"),
	sends("H2", "101 fields", get+strings.Repeat("a: b\r\n", 100)+"\r\n", 431, "too many header fields"),
	sends("H2", "2,500 fields before an upgrade", "GET /socket.io/?"+webSocketQuery+" HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("a:\r\n", 2500)+strings.Join(wsHeader, "\r\n")+"\r\n\r\n", 431, "too many header fields"),
	closesAt("H3", "a byte of head every 4 s", "", 5*time.Second, 0, func(t *testing.T, e *edge) *line {
		l := e.dial(t)
		l.drips(get, 4*time.Second)
		return l
	}),
	sends("H4", "no Host", "GET / HTTP/1.1\r\n\r\n", 400, "exactly one valid Host is required"),
	sends("H4", "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "exactly one valid Host is required"),
	sends("H4", "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "exactly one valid Host is required"),
	sends("H4", "Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "exactly one valid Host is required"),
	sends("H4", "Host with a CR", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400, "malformed header field"),
	sends("H4", "Host with a NUL", "GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", 400, "malformed header field"),
	sends("H5", "length and coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Content-Length together with Transfer-Encoding"),
	sends("H5", "two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "malformed Content-Length"),
	sends("H5", "signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400, "malformed Content-Length"),
	sends("H5", "xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding is not chunked"),
	sends("H5", "identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding is not chunked"),
	sends("H5", "chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding is not chunked"),
	chunks("bare LF in a size", "5\nhello\r\n0\r\n\r\n"),
	chunks("huge extension", "5;"+strings.Repeat("x", 200)+"\r\nhello\r\n0\r\n\r\n"),
	chunks("negative size", "-5\r\nhello\r\n0\r\n\r\n"),
	chunks("size of 17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
	chunks("1 MB of trailers", "5\r\n4heyo\r\n0\r\n"+strings.Repeat("a: b\r\n", 170_000)+"\r\n"),
	sends("H7", "folded field", get+"A: b\r\n c\r\n\r\n", 400, "folded header field"),
	sends("H7", "space before the colon", get+"A : b\r\n\r\n", 400, "malformed header field"),
	sends("H7", "bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "line does not end in CR LF"),
	sends("H8", "NUL", get+"A: b\x00\r\n\r\n", 400, "malformed header field"),
	sends("H8", "CR", get+"A: b\rc\r\n\r\n", 400, "malformed header field"),
	sends("H8", "DEL", get+"A: b\x7f\r\n\r\n", 400, "malformed header field"),
	{id: "H8", input: "X_Forwarded_For from a trusted proxy", play: func(t *testing.T, e *edge) {
		wantAddress(t, e, "127.0.0.9", "127.0.0.9:", "X_Forwarded_For: 198.51.100.7")
	}},
	sends("H9", "TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method not allowed here"),
	sends("H9", "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, "method not allowed here"),
	sends("H10", "absolute form", "GET http://a/socket.io/?"+pollingQuery+" HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target is not a path"),
	sends("H10", "asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target is not a path"),
	sends("H10", "9 KiB", "GET /"+strings.Repeat("a", 9<<10)+" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "request target too long"),
	sends("H15", "HTTP/0.9", "GET /\r\n", 400, "malformed request line"),
	sends("H15", "HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 505, "HTTP version not supported"),
	sends("H15", "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "method not allowed here"),
	sends("H15", "HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "HTTP version not supported"),
	// HTTP/2 is off on this port, so that none of its floods has anything to reach.
	sends("H16", "rapid reset", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"+strings.Repeat("\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 1000), 400, "method not allowed here"),
	{id: "H16", input: "upgrade to h2c", play: func(t *testing.T, e *edge) {
		e.http(t, "GET", pollingQuery, "", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA").want(t, 200, `0{"sid":*`)
	}},
	sends("H19", "compressed body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", 415, "Content-Encoding not supported"),
}

// chunks is a row of a chunked body for a session, which ends.
func chunks(input, body string) row {
	return row{id: "H6", input: input, count: "http/sid, polling/aborted", play: func(t *testing.T, e *edge) {
		p := e.polling(t, false)
		l := e.dial(t)
		l.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
		r := l.response("POST")
		r.want(t, 400, "")
		if !r.last {
			t.Error("the connection is kept")
		}
		p.wantGone()
	}}
}

// wantAddress checks which address a backend sees of a client that comes from ip with the header.
func wantAddress(t *testing.T, e *edge, ip, address string, header ...string) {
	t.Helper()
	l := e.dialFrom(t, ip)
	l.send(opening(webSocketQuery, header...))
	if r := l.response("GET"); r.status != 101 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	l.packet()
	l.say("40")
	l.wantPacket("40{")
	l.say(`421["where"]`)
	l.wantPacket(`431["` + address)
}

var requestRows = []row{
	asks("H9", "PUT", "http/method", request("PUT", pollingQuery, "x"), 400, refusal(2)),
	asks("H9", "DELETE", "http/method", request("DELETE", pollingQuery, ""), 400, refusal(2)),
	asks("H9", "PATCH", "http/method", request("PATCH", pollingQuery, "x"), 400, refusal(2)),
	asks("H9", "HEAD", "http/method", request("HEAD", pollingQuery, ""), 400, ""),
	asks("H9", "FOO", "http/method", request("FOO", pollingQuery, ""), 400, refusal(2)),
	{id: "H9", input: "PUT with a sid", count: "http/method", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		e.http(t, "PUT", p.query, "4x").want(t, 405, "")
		p.wantAlive()
	}},
	paths("H10", "//socket.io/", 404), paths("H10", "/socket.io/../x", 404), paths("H10", "/x/%2e%2e/socket.io/", 404),
	paths("H10", "/socket.io/%00", 404), paths("H10", "/%c0%ae%c0%ae/socket.io/", 404), paths("H10", "/socket.io/%5c..", 404),
	paths("H10", "/"+strings.Repeat("../", 2000), 404),
	paths("H11", "/socket.iofoo", 404), paths("H11", "/socket.io", 404), paths("H11", "/SOCKET.IO/", 404),
	asks("H12", "65 parameters", "http/query", request("GET", pollingQuery+strings.Repeat("&a=", 63), ""), 400, refusal(3)),
	asks("H12", "4,000 parameters", "http/query", request("GET", pollingQuery+strings.Repeat("&a", 4000), ""), 400, refusal(3)),
	asks("H12", "64 parameters", "", request("GET", pollingQuery+strings.Repeat("&a=", 62), ""), 200, `0{"sid":*`),
	asks("H12", "transport twice", "http/query", request("GET", pollingQuery+"&transport=websocket", ""), 400, refusal(3)),
	asks("H12", "sid twice", "http/query", request("GET", pollingQuery+"&sid=a&sid=b", ""), 400, refusal(3)),
	asks("H12", "EIO twice", "http/query", request("GET", pollingQuery+"&EIO=4", ""), 400, refusal(3)),
	asks("H12", "transport twice, escaped", "http/query", request("GET", pollingQuery+"&tr%61nsport=x", ""), 400, refusal(3)),
	asks("H12", "sid[]", "", request("GET", pollingQuery+"&sid[]=x", ""), 200, `0{"sid":*`),
	asks("H12", "broken escape", "http/query", request("GET", pollingQuery+"&a=%zz", ""), 400, refusal(3)),
	asks("H12", "semicolons", "http/transport", request("GET", "EIO=4;a=b&transport=polling;x", ""), 400, refusal(0)),
	asks("H13", "3,000 cookies", "", request("GET", pollingQuery, "", "Cookie: "+strings.Repeat("a=;", 3000)), 200, `0{"sid":*`),
	sends("H13", "10,000 cookies", get+"Cookie: "+strings.Repeat("a=;", 10_000)+"\r\n\r\n", 431, "request head too large"),
	sends("H13", "cookie of 16 KiB", get+"Cookie: a="+strings.Repeat("a", 16<<10)+"\r\n\r\n", 431, "request head too large"),
	asks("H13", "bytes above ASCII in a cookie", "", request("GET", pollingQuery, "", "Cookie: a=\xff\xfe"), 200, `0{"sid":*`),
	{id: "H14", input: "Expect: 100-continue on a refused request", count: "http/sid", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send("POST /socket.io/?" + pollingQuery + "&sid=none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		l.response("POST").want(t, 400, sessionUnknown) // and not 100 before it
	}},
	{id: "H14", input: "Expect: 100-continue", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		l := e.dial(t)
		l.send("POST /socket.io/?" + p.query + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
		l.response("POST").want(t, 100, "")
		l.send("6")
		l.response("POST").want(t, 200, "ok")
		p.wantAlive()
	}, count: "packet/unexpected"},
	asks("H14", "Expect: foo", "", request("GET", pollingQuery, "", "Expect: foo"), 417, ""),
	{id: "H17", input: "100 requests at once", count: "packet/unexpected", play: func(t *testing.T, e *edge) {
		// One connection is served in turn: nothing overlaps, and each request is answered.
		p := e.polling(t, true)
		l := e.dial(t)
		l.send(strings.Repeat(request("POST", p.query, "6"), 1) + strings.Repeat(request("GET", "EIO=4&transport=polling&x", ""), 99))
		l.response("POST").want(t, 200, "ok")
		for range 99 {
			l.response("GET").want(t, 200, `0{"sid":*`)
		}
	}},
	{id: "H18", input: "1 MB behind a refused request", count: "http/version", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send("GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
		l.send(strings.Repeat("x", 1_000_000))
		l.response("GET").want(t, 400, refusal(5))
		l.wantEnd()
	}},
	{id: "H18", input: "body of a GET", play: func(t *testing.T, e *edge) {
		e.http(t, "GET", pollingQuery, "4hello").want(t, 200, `0{"sid":*`)
	}},
	{id: "H19", input: "Accept-Encoding", play: func(t *testing.T, e *edge) {
		r := e.http(t, "GET", pollingQuery, "", "Accept-Encoding: gzip, deflate, br, zstd"+strings.Repeat(", x", 1000))
		if r.want(t, 200, `0{"sid":*`); r.header.Get("Content-Encoding") != "" {
			t.Errorf("compressed: %v", r.header)
		}
	}},
	{id: "H20", input: "X-Forwarded-For of anyone", play: func(t *testing.T, e *edge) {
		wantAddress(t, e, "127.0.0.1", "127.0.0.1:", "X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7", "X-Real-IP: 198.51.100.7")
	}},
	{id: "H20", input: "X-Forwarded-For of a trusted proxy", play: func(t *testing.T, e *edge) {
		wantAddress(t, e, "127.0.0.9", "198.51.100.7:", "X-Forwarded-For: 203.0.113.5, 198.51.100.7")
	}},
	{id: "H20", input: "1,000 hops of anyone", play: func(t *testing.T, e *edge) {
		wantAddress(t, e, "127.0.0.1", "127.0.0.1:", "X-Forwarded-For: "+strings.Repeat("10.0.0.1,", 1000)+"::1%lo")
	}},
	{id: "H20", input: "33 hops of a trusted proxy", count: "http/too many forwarding hops", play: func(t *testing.T, e *edge) {
		l := e.dialFrom(t, "127.0.0.9")
		l.send(request("GET", pollingQuery, "", "X-Forwarded-For: "+strings.Repeat("10.0.0.1,", 32)+"10.0.0.1"))
		l.response("GET").want(t, 400, "too many forwarding hops\n")
	}},
	{id: "H20", input: "empty list of a trusted proxy", play: func(t *testing.T, e *edge) {
		wantAddress(t, e, "127.0.0.9", "127.0.0.9:", "X-Forwarded-For: ,,")
	}},
	paths("H21", "/healthz", 404), paths("H21", "/metrics", 404), paths("H21", "/debug/pprof/", 404), paths("H21", "/sioedge.v1.AdminService/ListGroups", 404),
	{id: "H21", input: "User-Agent of a prober", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send("GET /metrics HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.30\r\n\r\n")
		l.response("GET").want(t, 404, "Not Found\n")
	}},
}

// paths is a row of a path that nobody answers at.
func paths(id, target string, status int) row {
	count := ""
	if target == "/socket.io" {
		count = "http/path" // the engine's own answer
	}
	name := target
	if len(name) > 40 {
		name = fmt.Sprintf("%.12s… of %d bytes", target, len(target))
	}
	return row{id: id, input: name, count: count, play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send("GET " + target + "?" + pollingQuery + " HTTP/1.1\r\nHost: a\r\n\r\n")
		l.response("GET").want(t, status, "*")
	}}
}
