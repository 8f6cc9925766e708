package sioedge_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type point struct{ X, Y int }

// The results of a handler are what the client's callback gets.
func TestReply(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("sum", func(_ context.Context, _ *sioedge.Socket, a, b int) (int, error) { return a + b, nil })
	e.On("two", func(_ context.Context, _ *sioedge.Socket, p point) (int, int, error) { return p.X, p.Y, nil })
	e.On("none", func(context.Context, *sioedge.Socket) error { return nil })
	e.On("rest", func(_ context.Context, _ *sioedge.Socket, first string, rest ...int) (string, int, error) {
		return first, len(rest), nil
	})
	e.On("args", func(_ context.Context, _ *sioedge.Socket, a sioedge.Args) (sioedge.Args, error) { return a, nil })
	e.On("raw", func(_ context.Context, _ *sioedge.Socket, r json.RawMessage) (json.RawMessage, error) { return r, nil })
	e.On("bytes", func(_ context.Context, _ *sioedge.Socket, b []byte) ([]byte, error) { return append(b, '!'), nil })
	e.On("hand", func(_ context.Context, _ *sioedge.Socket, text string, ack sioedge.Ack) error { return ack(text, 1) })
	e.On("handargs", func(_ context.Context, _ *sioedge.Socket, a sioedge.Args, ack sioedge.Ack) error { return ack(a) })
	run(t, e)
	s := f.accept(fresh)

	bytes := `[{"_placeholder":true,"num":0}]`
	for _, c := range []struct{ name, args, want, attachment string }{
		{"sum", `[2,3]`, `[5]`, ""},
		{"sum", `[2]`, `[2]`, ""},
		{"sum", `[2,3,4]`, `[5]`, ""},
		{"two", `[{"x":1,"y":2}]`, `[1,2]`, ""},
		{"none", `[]`, `[]`, ""},
		{"rest", `["a",1,2,3]`, `["a",3]`, ""},
		{"args", `[ 9007199254740993 ]`, `[ 9007199254740993 ]`, ""},
		{"raw", `[{"b":1,"a":1.0}]`, `[{"b":1,"a":1.0}]`, ""},
		{"bytes", bytes, bytes, "x!"},
		{"hand", `["q"]`, `["q",1]`, ""},
		{"handargs", `[1,2]`, `[1,2]`, ""},
	} {
		t.Run(c.name+c.args, func(t *testing.T) {
			id := s.deliver(1, asking("sid", c.name, c.args, []byte("x")))
			reply := receive(t, s.replies, "the reply")
			if got := string(reply.GetPayload().GetJson()); got != c.want || reply.GetDeliveryId() != id {
				t.Errorf("reply to %d = %s, want %s to %d", reply.GetDeliveryId(), got, c.want, id)
			}
			if c.attachment != "" && string(reply.GetPayload().GetAttachments()[0]) != c.attachment {
				t.Errorf("attachment = %q", reply.GetPayload().GetAttachments()[0])
			}
		})
	}
	t.Run("not asked for", func(t *testing.T) {
		s.done(s.deliver(1, emitted("sid", "sum", `[1,2]`)), s.deliver(1, emitted("sid", "hand", `["x"]`)),
			s.deliver(1, emitted("sid", "unknown", `[]`)), s.deliver(1, asking("sid", "unknown", `[]`)),
			s.deliver(1, asking("sid", "sum", `["no number"]`)), s.deliver(1, asking("sid", "hand", `[{}]`)))
		quiet(t, s.replies, "a reply")
	})
}

func TestOnPanicsOnWhatIsNoHandler(t *testing.T) {
	type S = *sioedge.Socket
	e := sioedge.New("127.0.0.1:1")
	defer e.Close(t.Context())
	e.On("taken", func(context.Context, S) error { return nil })
	for name, fn := range map[string]any{
		"taken":      func(context.Context, S) error { return nil },
		"nil":        nil,
		"no func":    1,
		"no context": func(S) error { return nil },
		"no error":   func(context.Context, S) int { return 1 },
		"ack early":  func(context.Context, S, sioedge.Ack, int) error { return nil },
		"ack result": func(context.Context, S, sioedge.Ack) (int, error) { return 1, nil },
		"args twice": func(context.Context, S, int, sioedge.Args) error { return nil },
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "sioedge: ") {
					t.Errorf("%s: recovered %q", name, p)
				}
			}()
			e.On(name, fn)
		}()
	}
}

// An answer that the edge cannot read is the handler's failure, not the stream's.
func TestAnswerTooLarge(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("big", func(context.Context, *sioedge.Socket) ([]byte, error) { return make([]byte, 9<<20), nil })
	e.On("hand", func(_ context.Context, _ *sioedge.Socket, ack sioedge.Ack) error { return ack(make([]byte, 9<<20)) })
	run(t, e)
	s := f.accept(fresh)
	for _, name := range []string{"big", "hand"} {
		s.deliver(1, asking(name, name, `[]`))
		if n := s.nacked(); !strings.Contains(n.GetReason(), "4 MB") {
			t.Errorf("nack = %v", n)
		}
	}
}

// An answer may come when the handler has long returned; later events do not wait for it.
func TestAckByHandLater(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	acks := make(chan sioedge.Ack, 4)
	e.On("ask", func(_ context.Context, _ *sioedge.Socket, ack sioedge.Ack) error { acks <- ack; return nil })
	e.On("other", func(context.Context, *sioedge.Socket) error { return nil })
	run(t, e)
	s := f.accept(fresh)
	question := asking("sid", "ask", `[]`)
	asked := s.deliver(1, question)
	ack := receive(t, acks, "the handler's ack")
	s.done(s.deliver(1, emitted("sid", "other", `[]`)))
	if err := ack("late"); err != nil {
		t.Fatal(err)
	}
	ack("later still")
	if reply := receive(t, s.replies, "the reply"); reply.GetDeliveryId() != asked || string(reply.GetPayload().GetJson()) != `["late"]` {
		t.Errorf("reply = %v", reply)
	}
	s.deliver(2, question)
	if reply := receive(t, s.replies, "the reply again"); string(reply.GetPayload().GetJson()) != `["late"]` {
		t.Errorf("reply to a redelivery = %v", reply)
	}
	quiet(t, s.replies, "a second reply")

	forgotten := s.deliver(1, asking("sid", "ask", `[]`))
	receive(t, acks, "the ack")
	s.done(s.deliver(1, closed("sid", pb.CloseReason_CLOSE_REASON_CLIENT)), forgotten)
}

// What was delivered behind an event that is handed back must not overtake it.
func TestNackKeepsOrder(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.MaxAttempts(3))
	fail := make(chan bool, 10)
	var ran []string
	e.On("n", func(_ context.Context, _ *sioedge.Socket, n string) error {
		if n == "2" && <-fail {
			panic("no luck")
		}
		ran = append(ran, n)
		return nil
	})
	run(t, e)
	s := f.accept(fresh)
	one, two, three := emitted("sid", "n", `["1"]`), emitted("sid", "n", `["2"]`), emitted("sid", "n", `["3"]`)
	last := s.deliver(1, one, two, three)
	fail <- true
	if n := s.nacked(); n.GetDeliveryId() != last-1 || !strings.Contains(n.GetReason(), "no luck") || n.GetDeadLetter() {
		t.Errorf("nack = %v", n)
	}
	fail <- false
	last = s.deliver(2, two, three)
	s.done(last-1, last)
	if got := strings.Join(ran, ""); got != "123" {
		t.Errorf("ran %s", got)
	}

	// The last attempt is set aside, and what is behind it goes on at once.
	four := emitted("sid", "n", `["4"]`)
	two = emitted("sid", "n", `["2"]`)
	fail <- true
	last = s.deliver(3, two, four)
	if n := s.nacked(); !n.GetDeadLetter() {
		t.Errorf("nack = %v", n)
	}
	s.deliver(2, four) // whether or not the edge repeats it
	s.done(last + 1)
	if got := strings.Join(ran, ""); got != "1234" {
		t.Errorf("ran %s", got)
	}
}

// An edge that gives an event up by its own count is believed.
func TestRefusedEventThatNeverComesBack(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("bad", func(context.Context, *sioedge.Socket) error { return errors.New("bad") })
	e.On("good", func(context.Context, *sioedge.Socket) error { return nil })
	run(t, e)
	s := f.accept(fresh)
	good := emitted("sid", "good", `[]`)
	s.deliver(1, emitted("sid", "bad", `[]`), good)
	s.nacked()
	s.deliver(2, good) // either of the two may be the first that is seen after the nack
	s.done(s.deliver(3, good))
}

func TestOnAnySeesEverything(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	seen := make(chan string, 8)
	e.OnAny(func(_ context.Context, s *sioedge.Socket, name string, args sioedge.Args) error {
		seen <- name + string(args.JSON)
		return nil
	})
	e.On("known", func(_ context.Context, _ *sioedge.Socket) (int, error) { return 1, nil })
	run(t, e)
	s := f.accept(fresh)
	for _, r := range s.hello.GetSpec().GetRoutes() {
		if len(r.GetEvents()) > 0 {
			t.Errorf("route %v leaves events out", r)
		}
	}
	s.deliver(1, asking("sid", "known", `[1]`), emitted("sid", "unknown", `[2]`))
	for _, want := range []string{"known[1]", "unknown[2]"} {
		if got := receive(t, seen, "an event"); got != want {
			t.Errorf("saw %s, want %s", got, want)
		}
	}
	receive(t, s.replies, "the reply")
}
