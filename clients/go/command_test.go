package sioedge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func attached(t *testing.T) (*fakeEdge, *sioedge.Edge, *fakeStream) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("x", func(context.Context, *sioedge.Socket) error { return nil })
	run(t, e)
	return f, e, f.accept(fresh, session("me", "lobby"))
}

func TestTargets(t *testing.T) {
	_, e, stream := attached(t)
	poll(t, func() bool { return e.Socket("me") != nil })
	ctx, me := t.Context(), e.Socket("me")
	for _, c := range []struct {
		name string
		do   error
		want *pb.Target
	}{
		{"everyone", e.Emit(ctx, "e"), &pb.Target{Everyone: true}},
		{"rooms", e.To("a").To("b", "c").Emit(ctx, "e"), &pb.Target{Rooms: []string{"a", "b", "c"}}},
		{"no rooms", e.To().Emit(ctx, "e"), &pb.Target{}},
		{"but", e.Except("a").Emit(ctx, "e"), &pb.Target{Everyone: true, ExceptRooms: []string{"a"}, ExceptSids: []string{"a"}}},
		{"users", e.ToUsers("u").ToSockets("s").Emit(ctx, "e"), &pb.Target{UserIds: []string{"u"}, Sids: []string{"s"}}},
		{"namespace", e.Of("admin").To("a").Emit(ctx, "e"), &pb.Target{Namespace: "/admin", Rooms: []string{"a"}}},
		{"itself", me.Emit(ctx, "e"), &pb.Target{Sids: []string{"me"}}},
		{"room less itself", me.To("a").Emit(ctx, "e"), &pb.Target{Rooms: []string{"a"}, ExceptRooms: []string{"me"}, ExceptSids: []string{"me"}}},
		{"all others", me.Broadcast().Emit(ctx, "e"), &pb.Target{Everyone: true, ExceptRooms: []string{"me"}, ExceptSids: []string{"me"}}},
	} {
		if c.do != nil {
			t.Errorf("%s: %v", c.name, c.do)
		}
		if c.want.Namespace == "" {
			c.want.Namespace = "/"
		}
		if got := receive(t, stream.commands, "a command").GetEmit().GetTarget(); !proto.Equal(got, c.want) {
			t.Errorf("%s: target = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSocketCommands(t *testing.T) {
	_, e, stream := attached(t)
	poll(t, func() bool { return e.Socket("me") != nil })
	me := e.Socket("me")
	next := func() *pb.Command { t.Helper(); return receive(t, stream.commands, "a command") }
	me.Join("a", "b")
	if c := next().GetJoin(); !slices.Equal(c.GetRooms(), []string{"a", "b"}) || c.GetTarget().GetSids()[0] != "me" {
		t.Errorf("join = %v", c)
	}
	me.Leave("a")
	if c := next().GetLeave(); !slices.Equal(c.GetRooms(), []string{"a"}) {
		t.Errorf("leave = %v", c)
	}
	if !slices.Equal(me.Rooms(), []string{"lobby", "b"}) {
		t.Errorf("rooms = %v", me.Rooms())
	}
	me.Set("k", "v")
	if c := next().GetUpdate(); c.GetSid() != "me" || c.GetSet()["k"] != "v" || me.Get("k") != "v" {
		t.Errorf("update = %v", c)
	}
	me.Disconnect(true)
	if c := next().GetDisconnect(); !c.GetCloseConnection() {
		t.Errorf("disconnect = %v", c)
	}
	me.Volatile().Emit(t.Context(), "v")
	if c := next(); !c.GetQuiet() || c.GetCommandId() != "" || !c.GetEmit().GetVolatile() {
		t.Errorf("volatile = %v", c)
	}
	e.To("a").Join(t.Context(), "b")
	e.To("a").Leave(t.Context())
	e.To("a").Disconnect(t.Context(), false)
	if c := next().GetJoin(); c.GetTarget().GetRooms()[0] != "a" {
		t.Errorf("join = %v", c)
	}
	if c := next().GetLeave(); !c.GetAll() {
		t.Errorf("leave = %v", c)
	}
	next()
	for _, err := range []error{me.Join("\xff"), me.Set("\xff", ""), e.To("\xff").Emit(t.Context(), "x"),
		e.Emit(t.Context(), "\xff"), e.Emit(t.Context(), "big", make([]byte, 9<<20)), e.ToUsers("\xff").Disconnect(t.Context(), false)} {
		if err == nil {
			t.Error("something that no edge can read was sent")
		}
	}
}

func TestCommandFails(t *testing.T) {
	_, e, stream := attached(t)
	stream.setMute(true)
	result := make(chan error, 1)
	go func() { result <- e.To().Emit(context.Background(), "x") }()
	info, _ := anypb.New(&errdetails.ErrorInfo{Domain: "sio-edge", Reason: "TARGET_EMPTY"})
	stream.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Results{Results: &pb.CommandResultBatch{
		Results: []*pb.CommandResult{{CommandId: receive(t, stream.commands, "a command").GetCommandId(),
			Status: &rpcstatus.Status{Code: int32(codes.InvalidArgument), Message: "nobody", Details: []*anypb.Any{info}}}}}}})
	err := receive(t, result, "the end of Emit")
	var e2 *sioedge.Error
	if !errors.As(err, &e2) || e2.Reason != "TARGET_EMPTY" || e2.Code != codes.InvalidArgument || !strings.Contains(err.Error(), `emit "x"`) {
		t.Errorf("error = %v", err)
	}
}

func answer(id, sid string, outcome pb.AckOutcome, args string) *pb.ClientAck {
	return &pb.ClientAck{CommandId: id, Sid: sid, Outcome: outcome, Payload: &pb.Payload{Json: []byte(args)}}
}

func TestEmitWithAck(t *testing.T) {
	_, e, stream := attached(t)
	type outcome struct {
		answers []sioedge.Answer
		err     error
	}
	got := make(chan outcome, 1)
	go func() {
		a, err := e.To("lobby").Timeout(3*time.Second).EmitWithAck(context.Background(), "q", 1)
		got <- outcome{a, err}
	}()
	c := receive(t, stream.commands, "the emit")
	if d := c.GetEmit().GetAck().GetTimeout().AsDuration(); d != 3*time.Second {
		t.Errorf("timeout = %v", d)
	}
	id := c.GetCommandId()
	acks := func(b *pb.ClientAckBatch) {
		stream.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_ClientAcks{ClientAcks: b}})
	}
	acks(&pb.ClientAckBatch{Acks: []*pb.ClientAck{answer(id, "a", pb.AckOutcome_ACK_OUTCOME_ACKED, `["yes"]`), answer("other", "x", 1, `[]`)}})
	acks(&pb.ClientAckBatch{
		Acks:      []*pb.ClientAck{answer(id, "b", pb.AckOutcome_ACK_OUTCOME_TIMED_OUT, ``)},
		Summaries: []*pb.AckSummary{{CommandId: id, Expected: 2, Acked: 1, TimedOut: 1}}})
	o := receive(t, got, "the answers")
	var text string
	if o.err != nil || len(o.answers) != 2 || o.answers[0].Args.Bind(&text) != nil || text != "yes" ||
		o.answers[0].Outcome != sioedge.Acked || !errors.Is(o.answers[1].Outcome, sioedge.TimedOut) {
		t.Errorf("answers = %+v, %v", o.answers, o.err)
	}

	one := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := e.Socket("me").EmitWithAck(ctx, "q")
		one <- err
	}()
	c = receive(t, stream.commands, "the emit")
	if d := c.GetEmit().GetAck().GetTimeout().AsDuration(); d < 50*time.Second {
		t.Errorf("timeout = %v, not the context's", d)
	}
	acks(&pb.ClientAckBatch{Acks: []*pb.ClientAck{answer(c.GetCommandId(), "me", pb.AckOutcome_ACK_OUTCOME_DROPPED, ``)},
		Summaries: []*pb.AckSummary{{CommandId: c.GetCommandId()}}})
	if err := receive(t, one, "the answer"); !errors.Is(err, sioedge.Dropped) {
		t.Errorf("error = %v", err)
	}
}

// What is emitted goes out in order, before the acknowledgement of the event that caused it.
func TestOrderOnTheWire(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	e.On("go", func(ctx context.Context, s *sioedge.Socket) (string, error) {
		for i := range 3000 { // more than one batch
			if err := s.NoWait().Emit(ctx, "n", i); err != nil {
				return "", err
			}
		}
		return "done", nil
	})
	run(t, e)
	s := f.accept(fresh)
	s.deliver(1, asking("sid", "go", `[]`))
	receive(t, s.replies, "the reply")
	if n := len(s.commands); n != 3000 {
		t.Fatalf("%d emits came before the reply", n)
	}
	for i := range 3000 {
		if got := string((<-s.commands).GetEmit().GetPayload().GetJson()); got != fmt.Sprintf("[%d]", i) {
			t.Fatalf("emit %d is %s", i, got)
		}
	}
}

// Handlers of one socket never overlap and keep their order; those of others run beside them, as
// many as allowed.
func TestConcurrency(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f, sioedge.Concurrency(4))
	var mu sync.Mutex
	running, most := 0, 0
	last := make(map[string]int)
	e.On("n", func(_ context.Context, s *sioedge.Socket, n int) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(200 * time.Microsecond) // room for an overlap
		mu.Lock()
		defer mu.Unlock()
		running--
		if last[s.ID()] != n-1 {
			t.Errorf("%s: %d after %d", s.ID(), n, last[s.ID()])
		}
		last[s.ID()] = n
		return nil
	})
	run(t, e)
	s := f.accept(fresh)
	var ids []uint64
	for n := range 20 {
		for i := range 16 {
			ids = append(ids, s.deliver(1, emitted(fmt.Sprint(i), "n", fmt.Sprintf("[%d]", n+1))))
		}
	}
	s.done(ids...)
	mu.Lock()
	defer mu.Unlock()
	if most != 4 {
		t.Errorf("%d handlers at a time, want 4", most)
	}
}

func TestQuestions(t *testing.T) {
	f, e, _ := attached(t)
	f.sessions = []*pb.Session{session("a", "r"), {Sid: "b", State: pb.SessionState_SESSION_STATE_SUSPENDED}}
	found, err := e.To("r").Fetch(t.Context())
	if err != nil || len(found) != 2 || found[0].ID != "a" || found[0].Rooms[0] != "r" || found[0].Suspended || !found[1].Suspended {
		t.Errorf("sessions = %+v, %v", found, err)
	}
	rooms, err := e.Rooms(t.Context(), "room-")
	if err != nil || len(rooms) != 2 || rooms[1] != (sioedge.Room{Name: "room-2", Sessions: 3}) {
		t.Errorf("rooms = %v, %v", rooms, err)
	}
	var refused *sioedge.Error
	if _, err := e.Count(t.Context()); !errors.As(err, &refused) || refused.Code != codes.Unimplemented {
		t.Errorf("count = %v", err)
	}
}
