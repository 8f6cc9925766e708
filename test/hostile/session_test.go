package hostile

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// exact is a row of an argument that must come back byte for byte.
func exact(id, input, arg string) []row {
	return answers(id, input, "", []string{`431[` + arg + `]`}, `421["echo",`+arg+`]`)
}

var jsonRows = flat(
	kills("J1", "depth 65", "socketio/packet", `42["a",`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+`]`),
	kills("J1", "depth 10,000", "socketio/packet", `42["a",`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`]`),
	kills("J1", "depth 450,000", "socketio/packet", `42["a",`+strings.Repeat("[", 450_000)+strings.Repeat("]", 450_000)+`]`),
	exact("J1", "depth 64", strings.Repeat("[", 63)+strings.Repeat("]", 63)),
	kills("J2", "1 MB of [", "socketio/packet", `42["a",`+strings.Repeat("[", 900_000)),
	kills("J2", "1 MB of quotes", "socketio/packet", `42["a",`+strings.Repeat(`"`, 900_000)),
	kills("J2", `1 MB of \u0000`, "socketio/packet", `42["a","`+strings.Repeat(`\u0000`, 150_000)),
	kills("J2", "1 MB of digits", "socketio/packet", `42["a",`+strings.Repeat("1", 900_000)),
	killsFrom("J3", "a key twice in auth", "socketio/packet", false, `40{"token":"a","token":"b"}`),
	killsFrom("J3", "pid twice, once escaped", "socketio/packet", false, `40{"pid":"a","\u0070id":"b"}`),
	exact("J3", "a key twice in an event", `{"a":1,"a":2}`),
	exact("J4", "__proto__", `{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}`),
	exact("J5", "half a surrogate pair", `"\ud800"`),
	exact("J5", "escapes as they are written", `"\u0041\/\u00e9é"`),
	exact("J6", "numbers", `[1e999,-0,0.10,1E+2,9007199254740993]`),
	exact("J6", "1,000 digits", strings.Repeat("1", 1000)),
	exact("J7", "60,000 keys", manyKeys(60_000, "")),
	exact("J7", "30,000 keys of one hash in many languages", manyKeys(30_000, strings.Repeat(`\u0000`, 3))),
	row{id: "J8", input: "PID and Offset", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, false)
		l.say("40")
		id := pidOf(t, l.wantPacket("40{"))
		l.Close()
		l = e.webSocket(t, false)
		l.say(`40{"PID":"` + id.pid + `","Offset":"1"}`)
		if got := pidOf(t, l.wantPacket("40{")); got.sid == id.sid || got.pid == id.pid {
			t.Errorf("resumed as %v", got)
		}
	}},
	exact("J9", "markup", `"<script>alert(1)</script>&\u003c"`),
)

var namespaceRows = flat(
	answers("N1", "with a query", "socketio/namespace", []string{`44/a?token=x,{"message":"Invalid namespace"}`}, "40/a?token=x,"),
	answers("N1", "/../", "socketio/namespace", []string{`44/../,{"message":"Invalid namespace"}`}, "40/../,"),
	answers("N1", "NUL", "socketio/namespace", []string{"44/\x00,{"}, "40/\x00,"),
	killsFrom("N1", "129 bytes", "socketio/packet", false, "40/"+strings.Repeat("n", 128)),
	killsFrom("N1", "1 MB without a comma", "socketio/packet", false, "40/"+strings.Repeat("n", 900_000)),
	killsFrom("N1", "text behind the comma", "socketio/packet", false, "40/a,b"),
	row{id: "N2", input: "17 namespaces", count: "socketio/namespace", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		for i := range 15 {
			l.say(fmt.Sprintf("40/open-%d,", i))
			l.wantPacket(fmt.Sprintf(`40/open-%d,{"sid":`, i))
		}
		l.say("40/open-16,")
		l.wantPacket(`44/open-16,{"message":"Invalid namespace"}`)
		l.wantAlive()
	}},
	row{id: "N2", input: "10,000 names", apart: true, play: func(t *testing.T, _ *edge) {
		e := start(t, "--namespaces", "/")
		e.webSocket(t, false).Close()
		before := e.footprint(t)
		for i := range 1000 {
			l := e.webSocket(t, false)
			for j := range 10 {
				l.say(fmt.Sprintf("40/%d-%d,", i, j))
			}
			l.wantClose(1005)
			l.Close()
		}
		e.settles(t, before, 16<<20)
	}},
	row{id: "N7", input: "the pid of another user", play: func(t *testing.T, e *edge) {
		id := e.session(t, `{"user":"ann"}`)
		l := e.webSocket(t, false)
		l.say(`40{"user":"bob","pid":"` + id.pid + `"}`)
		if got := pidOf(t, l.wantPacket("40{")); got.sid == id.sid || got.pid == id.pid {
			t.Errorf("bob is %v, ann was %v", got, id)
		}
	}},
	row{id: "N7", input: "the pid of another namespace", play: func(t *testing.T, e *edge) {
		id := e.session(t, "")
		l := e.webSocket(t, false)
		l.say(`40/open-a,{"pid":"` + id.pid + `"}`)
		if got := pidOf(t, l.wantPacket("40/open-a,{")); got.sid == id.sid || got.pid == id.pid {
			t.Errorf("resumed as %v", got)
		}
	}},
	row{id: "N8", input: "5 bad credentials", count: "5 socketio/rejected, socketio/rejections", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, false)
		for range 4 {
			l.say(`40{"token":"bad"}`)
			l.wantPacket(`44{"message":"Not authorized"}`)
		}
		l.say(`40{"token":"bad"}`)
		if got := l.wantClose(1005); len(got) != 1 {
			t.Errorf("answered with %q", got)
		}
	}},
)

// session opens a session with that auth and drops its connection.
func (e *edge) session(t *testing.T, auth string) identity {
	t.Helper()
	l := e.webSocket(t, false)
	l.say("40" + auth)
	id := pidOf(t, l.wantPacket("40{"))
	l.Close()
	return id
}

var ackRows = flat(
	quiet("A1", "an id that was never sent", stray, "4377[]"),
	row{id: "A1", input: "answered before", count: stray, play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		id := l.question()
		l.say(`43`+id+`["yes"]`, `43`+id+`["no"]`)
		l.wantPacket(`431["yes"]`)
		l.wantAlive()
	}},
	row{id: "A1", input: "timed out", count: stray, play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		id := l.question()
		l.wantPacket(`431["`) // the backend gave up after 1 s
		l.say(`43` + id + `["late"]`)
		l.wantAlive()
	}},
	row{id: "A1", input: "in another namespace", count: "socketio/not connected", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		l.say(`43/open-a,` + l.question() + `["elsewhere"]`)
		l.wantClose(1005)
	}},
	row{id: "A1", input: "of another client", count: stray, play: func(t *testing.T, e *edge) {
		asked, other := e.webSocket(t, true), e.webSocket(t, true)
		id := asked.question()
		other.say(`43` + id + `["mine"]`)
		other.wantAlive()
		asked.say(`43` + id + `["his"]`)
		asked.wantPacket(`431["his"]`)
	}},
	row{id: "A1", input: "100 in a second", count: "100 " + stray + ", socketio/stray acknowledgements", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, true)
		l.send(strings.Repeat(frame(text, "4377[]"), 100))
		l.wantClose(1005)
	}},
	kills("A2", "11 attachments", "socketio/packet", `4611-1[]`),
	kills("A2", "257 values", "socketio/packet", `431[1`+strings.Repeat(",1", 256)+`]`),
)

// question has the backend ask, with an acknowledgement of its own under id 1, and returns the id of
// the question.
func (l *line) question() string {
	l.t.Helper()
	l.say(`421["ask"]`)
	id, _, _ := strings.Cut(strings.TrimPrefix(l.wantPacket("42"), "42"), "[")
	return id
}

var resumeRows = flat(
	row{id: "R1", input: "300 guesses", play: func(t *testing.T, e *edge) {
		id := e.session(t, "")
		for i := range 300 {
			l := e.webSocket(t, false)
			guess := fmt.Sprintf("%s%04d", id.pid[:len(id.pid)-4], i)
			l.say(`40{"pid":"` + guess + `"}`)
			if got := pidOf(t, l.wantPacket("40{")); got.sid == id.sid && guess != id.pid {
				t.Fatalf("%s was taken for %s", guess, id.pid)
			}
			l.Close()
		}
	}},
	row{id: "R2", input: "a pid again after a resume", play: func(t *testing.T, e *edge) {
		id := e.session(t, `{"user":"ann"}`)
		first := e.webSocket(t, false)
		first.say(`40{"user":"ann","pid":"` + id.pid + `"}`)
		if got := pidOf(t, first.wantPacket("40{")); got != id {
			t.Fatalf("back as %v, was %v", got, id)
		}
		second := e.webSocket(t, false)
		second.say(`40{"user":"ann","pid":"` + id.pid + `"}`)
		if got := pidOf(t, second.wantPacket("40{")); got != id {
			t.Fatalf("back as %v, was %v", got, id)
		}
		first.wantClose(1005) // never two
		second.wantAlive()
	}},
	row{id: "R3", input: "without the credentials", play: func(t *testing.T, e *edge) {
		id := e.session(t, `{"user":"ann"}`)
		l := e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `"}`)
		if got := pidOf(t, l.wantPacket("40{")); got.sid == id.sid || got.pid == id.pid {
			t.Errorf("resumed as %v", got)
		}
	}},
	row{id: "R3", input: "with credentials that are refused", count: "socketio/rejected", play: func(t *testing.T, e *edge) {
		id := e.session(t, `{"user":"ann"}`)
		l := e.webSocket(t, false)
		l.say(`40{"token":"bad","pid":"` + id.pid + `"}`)
		l.wantPacket(`44{"message":"Not authorized"}`)
	}},
	offsets(),
	row{id: "R5", input: "two at once", play: func(t *testing.T, e *edge) {
		for range 20 {
			id := e.session(t, "")
			a, b := e.webSocket(t, false), e.webSocket(t, false)
			a.say(`40{"pid":"` + id.pid + `"}`)
			b.say(`40{"pid":"` + id.pid + `"}`)
			// Both are let in, the one after the other, or the first is closed before it hears of it.
			for _, l := range []*line{a, b} {
				if first, payload, err := l.frame(); err == nil && first != closing {
					if got := pidOf(t, payload); got != id {
						t.Fatalf("%v came back as %v", id, got)
					}
				}
			}
			alive := 0
			for _, l := range []*line{a, b} {
				l.say(`4299["echo","alive"]`)
				if _, payload, err := l.frame(); err == nil && payload == `4399["alive"]` {
					alive++
				}
			}
			if alive != 1 {
				t.Fatalf("%d of two are alive, want 1", alive)
			}
		}
	}},
	row{id: "R6", input: "while the old connection lives", play: func(t *testing.T, e *edge) {
		old := e.webSocket(t, false)
		old.say("40")
		id := pidOf(t, old.wantPacket("40{"))
		l := e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `"}`)
		if got := pidOf(t, l.wantPacket("40{")); got != id {
			t.Fatalf("back as %v, was %v", got, id)
		}
		old.say(`42["late"]`) // of this the backend hears nothing: it would be said back
		old.wantClose(1005)
		l.wantAlive()
	}},
	row{id: "R8", input: "after the backend has ended it", play: func(t *testing.T, e *edge) {
		l := e.webSocket(t, false)
		l.say("40")
		id := pidOf(t, l.wantPacket("40{"))
		l.say(`42["kick"]`)
		l.wantPacket("41")
		l.Close()
		l = e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `"}`)
		if got := pidOf(t, l.wantPacket("40{")); got.sid == id.sid || got.pid == id.pid {
			t.Errorf("resumed as %v", got)
		}
	}},
	row{id: "R9", input: "100 who have missed 900 packets each", apart: true, play: stormOfReplays},
	row{id: "V5", input: "connects and disconnects", apart: true, play: churn},
	row{id: "R10", input: "the secret sid", play: func(t *testing.T, e *edge) {
		p := e.polling(t, false)
		p.post("40").want(t, 200, "ok")
		r := p.get()
		id := pidOf(t, r.body)
		if id.sid == p.sid {
			t.Error("the sid that everyone sees is the secret one")
		}
		p.post("7").want(t, 400, "")
		if log := e.log.String(); strings.Contains(log, p.sid) || strings.Contains(log, id.pid) {
			t.Error("a secret is in the log")
		}
	}, count: "polling/parse"},
)

// offsets are rows of offsets that nothing can be sent again from.
func offsets() (all []row) {
	for name, offset := range map[string]string{"no number": "!", "of the future": "zzzzzzzzzzz", "too long": strings.Repeat("1", 4000), "another way to write it": "0001"} {
		all = append(all, row{id: "R4", input: name, play: func(t *testing.T, e *edge) {
			id := e.session(t, "")
			l := e.webSocket(t, false)
			l.say(`40{"pid":"` + id.pid + `","offset":"` + offset + `"}`)
			if got := pidOf(t, l.wantPacket("40{")); got.pid == id.pid {
				t.Errorf("resumed as %v", got)
			}
		}})
	}
	all = append(all, row{id: "R4", input: "a number", count: "", play: func(t *testing.T, e *edge) {
		id := e.session(t, "")
		l := e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `","offset":1}`) // it is no offset then, and the session has no events
		if got := pidOf(t, l.wantPacket("40{")); got != id {
			t.Errorf("back as %v, was %v", got, id)
		}
	}}, row{id: "R4", input: "64 KiB", count: "socketio/auth too large", play: func(t *testing.T, e *edge) {
		id := e.session(t, "")
		l := e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `","offset":"` + strings.Repeat("1", 64<<10) + `"}`)
		l.wantPacket(`44{"message":"Auth payload too large"}`)
	}})
	return all
}

// stormOfReplays lets a hundred clients miss an emit after the other, and come back at once. Each is sent all of
// it, in order, and someone who was there all the time is answered meanwhile.
func stormOfReplays(t *testing.T, _ *edge) {
	const clients, missed = 100, 900
	e := start(t, "--namespaces", "/")
	e.backend(t)
	var ids []identity
	for range clients {
		ids = append(ids, e.session(t, ""))
	}
	good := e.webSocket(t, true)
	good.say(fmt.Sprintf(`421["tellall",%d,"%s"]`, missed, strings.Repeat("x", 400)))
	for i := range missed {
		good.wantPacket(fmt.Sprintf(`42["told",%d,`, i))
	}
	good.wantPacket("431[]")
	var back sync.WaitGroup
	for _, id := range ids {
		l := e.webSocket(t, false)
		l.say(`40{"pid":"` + id.pid + `"}`)
		back.Go(func() {
			for i := range missed {
				if p := l.packet(); !strings.HasPrefix(p, fmt.Sprintf(`42["told",%d,`, i)) {
					t.Errorf("%d-th of what was missed is %.60q", i, p)
					return
				}
			}
			if got := pidOf(t, l.wantPacket("40{")); got != id {
				t.Errorf("back as %v, was %v", got, id)
			}
		})
	}
	began := time.Now()
	good.wantAlive()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("answered after %v meanwhile", took)
	}
	back.Wait()
}

// churn lets clients come and go without pause.
func churn(t *testing.T, _ *edge) {
	e := start(t, "--namespaces", "/", "--recovery-window", "1s")
	e.backend(t)
	e.warmUp(t)
	before := e.footprint(t)
	var coming sync.WaitGroup
	for range 4 {
		coming.Go(func() {
			for range 300 {
				e.webSocket(t, true).Close()
			}
		})
	}
	coming.Wait()
	e.settles(t, before, 24<<20)
}
