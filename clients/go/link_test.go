package sioedge_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// poll waits until something holds.
func poll(t testing.TB, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came true")
		}
	}
}

func TestHello(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.AckDeadline(7*time.Second), sioedge.MaxAttempts(2), sioedge.Durable(), sioedge.Window(99))
	e.OnConnect(func(context.Context, *sioedge.Socket) error { return nil })
	e.On("x", func(context.Context, *sioedge.Socket) error { return nil })
	run(t, e)
	h := f.accept(fresh).hello
	spec := h.GetSpec()
	if h.GetProtocolVersion() != 1 || h.GetGroup() != "test" || h.GetMemberId() != "m1" || h.GetInstanceId() == "" || h.GetResume() != nil ||
		spec.GetAckDeadline().AsDuration() != 7*time.Second || spec.GetMaxAttempts() != 2 ||
		spec.GetDelivery() != pb.DeliveryMode_DELIVERY_MODE_DURABLE || h.GetFlow().GetMaxOutstandingEvents() != 99 {
		t.Errorf("hello = %v", h)
	}
	if r := spec.GetRoutes(); len(r) != 2 || len(r[0].GetKinds()) != 5 || r[1].GetEvents()[0] != "x" {
		t.Errorf("routes = %v", r)
	}
}

// An event that was handled is never handled again, whenever its connection was lost.
func TestReconnect(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	var calls atomic.Int32
	release := make(chan struct{})
	e.On("slow", func(_ context.Context, _ *sioedge.Socket, n int) (int, error) {
		calls.Add(1)
		<-release
		return n, nil
	})
	run(t, e)
	s := f.accept(fresh)
	running, queued := asking("sid", "slow", `[1]`), asking("sid", "slow", `[2]`)
	s.deliver(1, running, queued)
	poll(t, func() bool { return calls.Load() == 1 })
	f.restart()
	again := f.accept(continued)
	if c := again.hello.GetResume(); c.GetEdgeId() != "edge" || c.GetLogId() != "log" || c.GetOffset() != 2 {
		t.Errorf("resume = %v", c)
	}
	if again.hello.GetInstanceId() != s.hello.GetInstanceId() {
		t.Error("another instance")
	}
	again.deliver(2, running, queued)
	close(release)
	for i, want := range []string{`[1]`, `[2]`} {
		if r := receive(t, again.replies, "a reply"); r.GetDeliveryId() != uint64(i+1) || string(r.GetPayload().GetJson()) != want {
			t.Errorf("reply = %v", r)
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
	f.restart()
	again = f.accept(continued)
	again.deliver(3, running)
	if r := receive(t, again.replies, "the reply again"); string(r.GetPayload().GetJson()) != `[1]` {
		t.Errorf("reply = %v", r)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// A command keeps its id until a result comes.
func TestCommandsAreRepeated(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("x", func(context.Context, *sioedge.Socket) error { return nil })
	run(t, e)
	s := f.accept(fresh)
	s.setMute(true)
	for i := range 3 {
		if err := e.To("room").NoWait().Emit(t.Context(), "n", i); err != nil {
			t.Fatal(err)
		}
	}
	sent := make(chan error, 1)
	go func() { sent <- e.Emit(t.Context(), "n", 3) }()
	var ids []string
	for i := range 4 {
		c := receive(t, s.commands, "a command")
		if got := string(c.GetEmit().GetPayload().GetJson()); i < 3 && got != fmt.Sprintf("[%d]", i) {
			t.Errorf("command %d is %s", i, got)
		}
		ids = append(ids, c.GetCommandId())
	}
	f.restart()
	again := f.accept(continued)
	for i, id := range ids {
		if got := receive(t, again.commands, "a command again").GetCommandId(); got != id || id == "" {
			t.Errorf("command %d has id %q, had %q", i, got, id)
		}
	}
	if err := receive(t, sent, "the end of Emit"); err != nil {
		t.Error(err)
	}
	f.restart()
	last := f.accept(continued)
	if err := e.Emit(t.Context(), "last"); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, last.commands, "a command"); c.GetEmit().GetEvent() != "last" {
		t.Errorf("%v was sent again after its result", c)
	}
}

func TestFenced(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("x", func(context.Context, *sioedge.Socket) error { return nil })
	result := make(chan error, 1)
	go func() { result <- e.Run(t.Context()) }()
	s := f.accept(fresh)
	st, err := status.New(codes.FailedPrecondition, "a newer instance attached").WithDetails(&errdetails.ErrorInfo{Domain: "sio-edge", Reason: "FENCED"})
	if err != nil {
		t.Fatal(err)
	}
	s.end <- st.Err()
	if err := receive(t, result, "the end of Run"); !errors.Is(err, sioedge.ErrFenced) {
		t.Errorf("error = %v", err)
	}
	if err := e.Emit(t.Context(), "x"); !errors.Is(err, sioedge.ErrClosed) {
		t.Errorf("emit after the end: %v", err)
	}
}

func TestStatus(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	seen := make(chan sioedge.Status, 64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := range e.Status(context.Background()) {
			seen <- s
		}
	}()
	stop := run(t, e)
	next := func() sioedge.Status {
		t.Helper()
		return receive(t, seen, "a status")
	}
	if c, ok := next().(sioedge.Connecting); !ok || c.Addr != f.addr {
		t.Errorf("first %v", c)
	}
	s := f.accept(fresh)
	if a, ok := next().(sioedge.Attached); !ok || a.Resume != sioedge.Fresh || a.EdgeID != "edge" {
		t.Errorf("then %+v", a)
	}
	s.end <- status.Error(codes.Unavailable, "the edge stops")
	if l, ok := next().(sioedge.Lost); !ok || status.Code(l.Err) != codes.Unavailable {
		t.Errorf("then %+v", l)
	}
	next()
	f.accept(continued)
	if a, ok := next().(sioedge.Attached); !ok || a.Resume != sioedge.Continued {
		t.Errorf("then %+v", a)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	receive(t, ended, "the end of the statuses")
}

// The edge hears of events that take their time before it gives them to someone else.
func TestExtend(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.AckDeadline(60*time.Millisecond))
	release := make(chan struct{})
	e.On("slow", func(context.Context, *sioedge.Socket) error { <-release; return nil })
	run(t, e)
	s := f.accept(fresh)
	last := s.deliver(1, emitted("a", "slow", `[]`), emitted("a", "slow", `[]`))
	for range 3 {
		if x := receive(t, s.acks, "an extension").GetExtend(); len(x) != 1 || x[0].GetFirst() != 1 || x[0].GetLast() != last {
			t.Errorf("extended %v", x)
		}
	}
	close(release)
	s.done(1, 2)
}

// Run ends in good order: it says so, finishes what runs and what is delivered, and answers it.
func TestLeave(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.AckDeadline(60*time.Millisecond))
	started, release := make(chan struct{}), make(chan struct{})
	e.On("slow", func(ctx context.Context, s *sioedge.Socket) (string, error) {
		close(started)
		<-release
		return "done", s.Emit(ctx, "said") // the edge still takes it
	})
	stop := run(t, e)
	s := f.accept(fresh)
	s.deliver(1, asking("a", "slow", `[]`))
	receive(t, started, "the handler")
	result := make(chan error, 1)
	go func() { result <- stop() }()
	receive(t, s.leave, "Leave")
	receive(t, s.acks, "an extension") // it still cares for what runs
	quiet(t, s.closed, "the end of the stream")
	close(release)
	receive(t, s.replies, "the reply")
	receive(t, s.closed, "the end of the stream")
	if err := receive(t, result, "the end of Run"); err != nil {
		t.Error(err)
	}
}

// A handler that hangs cannot hold up the end for longer than it was given.
func TestLeaveWithoutTheHandler(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.DrainTimeout(30*time.Millisecond))
	started := make(chan struct{})
	e.On("slow", func(ctx context.Context, s *sioedge.Socket) error { close(started); <-ctx.Done(); return nil })
	stop := run(t, e)
	f.accept(fresh).deliver(1, emitted("a", "slow", `[]`))
	receive(t, started, "the handler")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWhileTheEdgeIsAway(t *testing.T) {
	f := newFakeEdge(t)
	f.server.Stop()
	e := newEdge(f)
	e.On("x", func(context.Context, *sioedge.Socket) error { return nil })
	stop := run(t, e)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Emit(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("emit = %v", err)
	}
	if err := e.Volatile().Emit(t.Context(), "x"); err != nil {
		t.Errorf("volatile emit = %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseWithoutRun(t *testing.T) {
	e := sioedge.New("127.0.0.1:1")
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, sioedge.ErrClosed) {
		t.Errorf("run = %v", err)
	}
}
