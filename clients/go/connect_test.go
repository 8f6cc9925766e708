package sioedge_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// What OnConnect does to its socket is in the decision, and nowhere else.
func TestAccept(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	sockets := make(chan *sioedge.Socket, 2)
	e.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		if s.Auth().String("token") != "t" || s.Handshake().Query["v"] != "2" || s.Connected() {
			t.Errorf("auth %s, handshake %+v, connected %v", s.Auth(), s.Handshake(), s.Connected())
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the time to answer is not in the context")
		}
		sockets <- s
		return errors.Join(s.Join("lobby", "x"), s.Leave("x"), s.SetUser("ann"), s.Set("k", "v"), s.Emit(ctx, "hello", []byte("b")))
	})
	e.OnOpen(func(ctx context.Context, s *sioedge.Socket) error {
		sockets <- s
		return s.Emit(ctx, "opened")
	})
	run(t, e)
	s := f.accept(fresh)
	id := s.deliver(1, connecting("sid", `{"token":"t"}`))
	d := receive(t, s.decisions, "the decision")
	a := d.GetAccept()
	if d.GetDeliveryId() != id || a.GetUserId() != "ann" || !slices.Equal(a.GetRooms(), []string{"lobby"}) || a.GetAttributes()["k"] != "v" {
		t.Errorf("decision = %v", d)
	}
	if g := a.GetGreeting(); len(g) != 1 || g[0].GetEvent() != "hello" || len(g[0].GetPayload().GetAttachments()) != 1 {
		t.Errorf("greeting = %v", g)
	}
	quiet(t, s.commands, "a command")
	if e.Socket("sid") != nil {
		t.Error("a session exists before it began")
	}
	s.deliver(1, opened("sid", "lobby"))
	if c := receive(t, s.commands, "the emit of OnOpen").GetEmit(); c.GetEvent() != "opened" || !slices.Equal(c.GetTarget().GetSids(), []string{"sid"}) {
		t.Errorf("command = %v", c)
	}
	first, second := <-sockets, <-sockets
	if first != second || first != e.Socket("sid") || !first.Connected() {
		t.Error("OnConnect and OnOpen have different sockets")
	}
	if err := first.SetUser("eve"); err == nil {
		t.Error("the user of a session was changed")
	}
}

func TestReject(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	answer := make(chan error, 4)
	e.OnConnect(func(context.Context, *sioedge.Socket) error { return <-answer })
	run(t, e)
	s := f.accept(fresh)

	answer <- sioedge.Reject("not authorized", map[string]int{"code": 7})
	s.deliver(1, connecting("a", ``))
	if r := receive(t, s.decisions, "the decision").GetReject(); r.GetMessage() != "not authorized" || string(r.GetDataJson()) != `{"code":7}` {
		t.Errorf("reject = %v", r)
	}
	answer <- errors.New("database is away")
	request := connecting("b", ``)
	s.deliver(1, request)
	if n := s.nacked(); n.GetReason() != "database is away" {
		t.Errorf("nack = %v", n)
	}
	answer <- nil
	s.deliver(2, request)
	if receive(t, s.decisions, "the decision").GetAccept() == nil {
		t.Error("not accepted at the second attempt")
	}
	s.deliver(3, request)
	if receive(t, s.decisions, "the decision again").GetAccept() == nil {
		t.Error("not accepted at a redelivery")
	}
}

// While a client asks for its session back, the session's own socket is not touched.
func TestResumingConnect(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.OnConnect(func(_ context.Context, s *sioedge.Socket) error {
		if !s.Recovered() || s == e.Socket("sid") {
			t.Error("no socket of its own, or not said to recover")
		}
		return s.Join("other")
	})
	run(t, e)
	s := f.accept(fresh, session("sid", "lobby"))
	request := connecting("sid", `{}`)
	request.GetConnectRequested().Resuming = true
	s.deliver(1, request)
	receive(t, s.decisions, "the decision")
	if rooms := e.Socket("sid").Rooms(); !slices.Equal(rooms, []string{"lobby"}) {
		t.Errorf("rooms = %v", rooms)
	}
}

// The table of sockets follows snapshots, assignments and events.
func TestSockets(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	why := make(chan sioedge.Reason, 4)
	e.OnDisconnect(func(_ context.Context, s *sioedge.Socket, r sioedge.Reason) {
		if s.Rooms()[0] != "last" || s.Connected() {
			t.Error("not the last state")
		}
		why <- r
	})
	e.OnSuspend(func(_ context.Context, s *sioedge.Socket, r sioedge.Reason) { why <- r })
	resumed := make(chan bool, 1)
	e.OnResume(func(_ context.Context, s *sioedge.Socket) { resumed <- s.Recovered() && s.Connected() })
	run(t, e)
	s := f.accept(fresh, session("a"), session("b"))
	s.done(s.deliver(1, opened("c", "lobby")))
	expect := func(want ...string) {
		t.Helper()
		var got []string
		for s := range e.Sockets() {
			got = append(got, s.ID())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("sockets = %v, want %v", got, want)
		}
	}
	expect("a", "b", "c")
	s.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Assignment{Assignment: &pb.Assignment{
		Gained: []*pb.Session{session("d")}, LostSids: []string{"b"}}}})
	s.deliver(1, &pb.Event{Sid: "a", Namespace: "/", Kind: &pb.Event_Suspended{Suspended: &pb.Suspended{Reason: pb.CloseReason_CLOSE_REASON_PING_TIMEOUT}}})
	if r := receive(t, why, "OnSuspend"); r != sioedge.PingTimeout {
		t.Errorf("suspended by %q", r)
	}
	if e.Socket("a").Connected() {
		t.Error("a suspended socket is connected")
	}
	s.deliver(1, &pb.Event{Sid: "a", Namespace: "/", Kind: &pb.Event_Resumed{Resumed: &pb.Resumed{Complete: true, Session: session("a")}}})
	if !receive(t, resumed, "OnResume") {
		t.Error("not recovered")
	}
	end := closed("c", pb.CloseReason_CLOSE_REASON_CLIENT)
	s.done(s.deliver(1, end))
	if r := receive(t, why, "OnDisconnect"); r != sioedge.ClientDisconnect {
		t.Errorf("disconnected by %q", r)
	}
	expect("a", "d")
	s.done(s.deliver(2, end)) // again: no handler, no socket
	expect("a", "d")
	if n := e.Held(); n != 2 {
		t.Errorf("%d sockets are kept", n)
	}
	quiet(t, why, "a second OnDisconnect")

	f.restart()
	f.accept(pb.ResumeOutcome_RESUME_OUTCOME_SNAPSHOT, session("d"), session("e")).
		deliver(1, opened("f"))
	poll(t, func() bool { return e.Socket("f") != nil })
	expect("d", "e", "f")
}

func TestNamespaces(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("x", func(_ context.Context, _ *sioedge.Socket) (string, error) { return "main", nil })
	e.Of("tenant-*").On("x", func(_ context.Context, s *sioedge.Socket) (string, error) { return s.Namespace(), nil })
	e.Of("/tenant-1").On("x", func(_ context.Context, s *sioedge.Socket) (string, error) { return "exact", nil })
	e.Of("/unused")
	run(t, e)
	s := f.accept(fresh)
	var names []string
	for _, r := range s.hello.GetSpec().GetRoutes() {
		names = append(names, r.GetNamespace())
	}
	if want := []string{"/", "/", "/tenant-*", "/tenant-*", "/tenant-1", "/tenant-1"}; !slices.Equal(names, want) {
		t.Errorf("routes of %v", names)
	}
	for nsp, want := range map[string]string{"/": `["main"]`, "/tenant-1": `["exact"]`, "/tenant-2": `["/tenant-2"]`} {
		ev := asking("sid"+nsp, "x", `[]`)
		ev.Namespace = nsp
		s.deliver(1, ev)
		if got := string(receive(t, s.replies, "the reply").GetPayload().GetJson()); got != want {
			t.Errorf("%s answered %s, want %s", nsp, got, want)
		}
	}
}
