package hostile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// row is one input of the corpus and what must come of it. Its test is id/input.
type row struct {
	id, input string
	// count is what sioedge_refused_total grows by, as since writes it. Empty: by nothing.
	// "any": it depends on timing; only that the labels are known is checked.
	count string
	// besides may grow as well, by as much as the machine's load has it.
	besides string
	// play sends the input and fails unless what follows is right.
	play func(t *testing.T, e *edge)
	// slow rows wait for time to pass, and do so beside each other.
	slow bool
	// apart rows have an edge of their own, configured for them.
	apart bool
}

func (r row) name() string { return r.id + "/" + r.input }

// rows is the corpus in order.
func rows() []row {
	return slices.Concat(tcpRows, headRows, requestRows, originRows, handshakeRows, pollingRows,
		webSocketRows, upgradeRows, engineRows, packetRows(), jsonRows, namespaceRows, ackRows, resumeRows, controlRows)
}

// sends is a row of raw bytes that are answered without a handler: this status and text, then the
// end.
func sends(id, input, bytes string, status int, reason string) row {
	layer := "http/" + reason
	return row{id: id, input: input, count: layer, play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(bytes)
		r := l.response("GET")
		r.want(t, status, reason+"\n")
		if !r.last {
			t.Error("the connection is kept")
		}
		l.wantEnd()
	}}
}

// asks is a row of one request that Engine.IO answers.
func asks(id, input, count, request string, status int, body string) row {
	return row{id: id, input: input, count: count, play: func(t *testing.T, e *edge) {
		l := e.dial(t)
		l.send(request)
		method, _, _ := strings.Cut(request, " ")
		l.response(method).want(t, status, body)
	}}
}

// refusal is the body of an Engine.IO error.
func refusal(code int) string {
	return fmt.Sprintf(`{"code":%d,"message":%q}`, code, []string{"Transport unknown", "Session ID unknown",
		"Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version"}[code])
}

// posts is a row of one POST that ends its polling session.
func posts(id, input, count, body string, status int, header ...string) row {
	return row{id: id, input: input, count: join(count, "http/sid"), play: func(t *testing.T, e *edge) {
		p := e.polling(t, false)
		p.post(body, header...).want(t, status, "")
		p.wantGone()
	}}
}

// join adds up what is counted.
func join(counts ...string) string {
	counts = slices.DeleteFunc(counts, func(c string) bool { return c == "" })
	return strings.Join(counts, ", ")
}

// frames is a row of bytes on a WebSocket that is open and has joined nothing: it is closed with
// that code.
func frames(id, input, count, bytes string, code int) row {
	return row{id: id, input: input, count: count, play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, false)
		l.send(bytes)
		l.wantClose(code)
	}}
}

// kills is a row of packets that end the session that sends them: over a WebSocket, and by POST.
func kills(id, input, reason string, packets ...string) []row {
	return killsFrom(id, input, reason, true, packets...)
}

func killsFrom(id, input, reason string, joined bool, packets ...string) []row {
	return []row{
		{id: id, input: input + " (websocket)", count: reason, play: func(t *testing.T, e *edge) {
			l := e.webSocket(t, joined)
			l.say(packets...)
			if got := l.wantClose(1005); len(got) > 0 {
				t.Errorf("answered with %.200q", got)
			}
		}},
		{id: id, input: input + " (polling)", count: join(reason, "http/sid"), play: func(t *testing.T, e *edge) {
			p := e.polling(t, joined)
			p.post(payload(packets)).want(t, 200, "ok")
			p.get().want(t, 200, "1")
			p.wantGone()
		}},
	}
}

// payload writes packets as the body of a POST.
func payload(packets []string) string {
	var parts []string
	for _, p := range packets {
		if rest, ok := strings.CutPrefix(p, bin); ok {
			p = "b" + base64Of(rest)
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, "\x1e")
}

// answers is a row of packets that the session outlives: it is sent what is wanted, in that order,
// each beginning so.
func answers(id, input, count string, want []string, packets ...string) []row {
	return []row{
		{id: id, input: input + " (websocket)", count: count, play: func(t *testing.T, e *edge) {
			l := e.webSocket(t, true)
			l.say(packets...)
			for _, w := range want {
				l.wantPacket(w)
			}
			l.wantAlive()
		}},
		{id: id, input: input + " (polling)", count: count, play: func(t *testing.T, e *edge) {
			p := e.polling(t, true)
			p.post(payload(packets)).want(t, 200, "ok")
			want := want
			for len(want) > 0 {
				r := p.get()
				r.want(t, 200, "*")
				for got := range strings.SplitSeq(r.body, "\x1e") {
					if len(want) == 0 || !strings.HasPrefix(got, want[0]) {
						t.Fatalf("got %.200q, want %.200q", got, want)
					}
					want = want[1:]
				}
			}
			p.wantAlive()
		}},
	}
}

// quiet is answers without any answer.
func quiet(id, input, count string, packets ...string) []row {
	return answers(id, input, count, nil, packets...)
}

func slowly(r row) row { r.slow = true; return r }

func itoa(n int) string { return strconv.Itoa(n) }
