package hostile

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// foreign is a row of an Origin that may not connect, over both transports.
func foreign(id, input string, header ...string) row {
	return row{id: id, input: input, count: "2 http/origin", play: func(t *testing.T, e *edge) {
		e.http(t, "GET", pollingQuery, "", header...).want(t, 403, refusal(4))
		l := e.dial(t)
		l.send(opening(webSocketQuery, header...))
		l.response("GET").want(t, 403, "Forbidden")
	}}
}

// welcome is a row of an Origin that may.
func welcome(id, input string, header ...string) row {
	return row{id: id, input: input, play: func(t *testing.T, e *edge) {
		e.http(t, "GET", pollingQuery, "", header...).want(t, 200, `0{"sid":*`)
		l := e.dial(t)
		l.send(opening(webSocketQuery, header...))
		if r := l.response("GET"); r.status != 101 {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}}
}

var originRows = []row{
	foreign("O1", "another site", "Origin: https://evil.example"),
	welcome("O1", "a site that may", "Origin: https://good.example"),
	welcome("O2", "no Origin"),
	{id: "O2", input: "no Origin where one is wanted", apart: true, play: func(t *testing.T, _ *edge) {
		e := start(t, "--allow-missing-origin=false")
		e.http(t, "GET", pollingQuery, "").want(t, 403, refusal(4))
		e.http(t, "GET", pollingQuery, "", "Origin: http://edge.test").want(t, 200, `0{"sid":*`)
	}},
	foreign("O3", "null", "Origin: null"),
	foreign("O3", "two Origins", "Origin: https://good.example", "Origin: https://good.example"),
	foreign("O3", "the name in front of another", "Origin: https://good.example.evil.example"),
	foreign("O3", "the name behind another", "Origin: https://evilgood.example"),
	foreign("O3", "another port", "Origin: https://good.example:444"),
	foreign("O3", "another scheme", "Origin: http://good.example"),
	welcome("O3", "upper case", "Origin: HTTPS://GOOD.EXAMPLE"),
	foreign("O3", "a dot behind", "Origin: https://good.example."),
	foreign("O3", "userinfo", "Origin: https://good.example@evil.example"),
	foreign("O3", "userinfo in front", "Origin: https://evil.example@good.example"),
	foreign("O3", "another alphabet", "Origin: https://gооd.example"), // two Cyrillic letters
	foreign("O3", "4 KiB", "Origin: https://"+strings.Repeat("a", 4096)),
	foreign("O3", "the domain of a pattern without a label", "Origin: https://wild.example"),
	foreign("O3", "a pattern behind a slash", "Origin: https://evil.example/.wild.example"),
	sends("O4", "control character", get+"Origin: https://good.example\x01\r\n\r\n", 400, "malformed header field"),
	{id: "O5", input: "10,000 commas in a preflight", play: func(t *testing.T, e *edge) {
		r := e.http(t, "OPTIONS", pollingQuery, "", "Origin: https://good.example", "Access-Control-Request-Method: GET",
			"Access-Control-Request-Headers: "+strings.Repeat(",", 10_000))
		r.want(t, 204, "")
		if got := r.header.Get("Access-Control-Allow-Headers"); got != "" {
			t.Errorf("allowed %.40q", got)
		}
	}},
	{id: "O6", input: "every origin with credentials", apart: true, play: func(t *testing.T, _ *edge) {
		out, err := exec.Command(program, "--cors-origin", "*", "--cors-credentials").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("--cors-credentials")) && !bytes.Contains(out, []byte("credentials")) {
			t.Errorf("%v: %s", err, out)
		}
	}},
}

// refusedBoth is a row of a query that is refused over both transports: with that code as JSON, and
// before an upgrade with its bare message.
func refusedBoth(id, input, reason, query string, code int) []row {
	message := strings.Split(strings.TrimSuffix(refusal(code), `"}`), `"message":"`)[1]
	return []row{
		asks(id, input, "http/"+reason, request("GET", query, ""), 400, refusal(code)),
		asks(id, input+" (upgrade)", "http/"+reason, opening(query), 400, message),
	}
}

var handshakeRows = flat(
	asks("E1", "no EIO", "http/version", request("GET", "transport=polling", ""), 400, refusal(5)),
	asks("E1", "EIO=3", "http/version", request("GET", "EIO=3&transport=polling", ""), 400, refusal(5)),
	asks("E1", "EIO=abc", "http/version", request("GET", "EIO=abc&transport=polling", ""), 400, refusal(5)),
	asks("E1", "EIO twice", "http/query", request("GET", "EIO=4&EIO=4&transport=polling", ""), 400, refusal(3)), // as H12 has it
	asks("E1", "no EIO (upgrade)", "http/version", opening("transport=websocket"), 400, "Unsupported protocol version"),
	asks("E1", "EIO=3 (upgrade)", "http/version", opening("EIO=3&transport=websocket"), 400, "Unsupported protocol version"),
	refusedBoth("E2", "no transport", "transport", "EIO=4", 0),
	refusedBoth("E2", "abc", "transport", "EIO=4&transport=abc", 0),
	refusedBoth("E2", "webtransport", "transport", "EIO=4&transport=webtransport", 0),
	refusedBoth("E2", "constructor", "transport", "EIO=4&transport=constructor", 0),
	refusedBoth("E2", "__proto__", "transport", "EIO=4&transport=__proto__", 0),
	refusedBoth("E2", "toString", "transport", "EIO=4&transport=toString", 0),
	refusedBoth("E2", "POLLING", "transport", "EIO=4&transport=POLLING", 0),
	asks("E3", "websocket without Upgrade", "http/handshake", request("GET", webSocketQuery, ""), 400, refusal(3)),
	asks("E4", "Upgrade with polling", "http/transport mismatch", opening(pollingQuery), 400, "Bad request"),
	asks("E5", "POST", "http/method", request("POST", pollingQuery, "40"), 400, refusal(2)),
	row{id: "E5", input: "OPTIONS without CORS", apart: true, play: func(t *testing.T, _ *edge) {
		start(t).http(t, "OPTIONS", pollingQuery, "").want(t, 400, refusal(2))
	}},
	refusedBoth("E6", "unknown sid", "sid", "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA", 1),
	asks("E6", "unknown sid, polling", "http/sid", request("GET", pollingQuery+"&sid=AAAAAAAAAAAAAAAAAAAA", ""), 400, refusal(1)),
	asks("E6", "empty sid", "", request("GET", pollingQuery+"&sid=", ""), 200, `0{"sid":*`),
	asks("E6", "sid of 4 KiB", "http/sid", request("GET", pollingQuery+"&sid="+strings.Repeat("a", 4096), ""), 400, refusal(1)),
	asks("E6", "__proto__", "http/sid", request("GET", pollingQuery+"&sid=__proto__", ""), 400, refusal(1)),
	asks("E6", "NUL", "http/sid", request("GET", pollingQuery+"&sid=%00", ""), 400, refusal(1)),
	row{id: "E7", input: "sid of a WebSocket", count: "2 http/transport mismatch", play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(opening(webSocketQuery))
		l.response("GET")
		sid := sidOf(t, l.packet())
		e.http(t, "GET", pollingQuery+"&sid="+sid, "").want(t, 400, refusal(3))
		e.http(t, "POST", pollingQuery+"&sid="+sid, "40").want(t, 400, refusal(3))
		l.say("40")
		l.wantPacket("40{")
		l.wantAlive()
	}},
	row{id: "E7", input: "sid of polling as websocket without Upgrade", count: "http/transport mismatch", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		e.http(t, "GET", webSocketQuery+"&sid="+p.sid, "").want(t, 400, refusal(3))
		p.wantAlive()
	}},
	row{id: "E8", input: "sid of a session that has ended", count: "2 http/sid", play: func(t *testing.T, e *edge) {
		p := e.polling(t, true)
		p.post("1").want(t, 200, "ok")
		p.wantGone()
		p.post("40").want(t, 400, sessionUnknown)
	}},
	row{id: "E8", input: "sid of another edge", apart: true, play: func(t *testing.T, _ *edge) {
		p := start(t).polling(t, false)
		start(t).http(t, "GET", p.query, "").want(t, 400, refusal(1))
	}},
	asks("E12", "keys of the application", "", request("GET", pollingQuery+"&t=abc&b64=1&token=x&a[b]=c", ""), 200, `0{"sid":*`),
	asks("E12", "the key j, polling", "http/jsonp", request("GET", pollingQuery+"&j=0", ""), 400, refusal(3)),
)

// flat puts rows and lists of them in one list.
func flat(parts ...any) (all []row) {
	for _, p := range parts {
		switch p := p.(type) {
		case row:
			all = append(all, p)
		case []row:
			all = append(all, p...)
		}
	}
	return all
}
