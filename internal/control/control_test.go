package control_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sio-edge/sio-edge/internal/control"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

var chat = func() *pb.Hello { return &pb.Hello{Group: "chat", MemberId: "1", InstanceId: "a"} }

func TestAnEventGoesUpAndItsReplyAndAnEmitComeDownInOrder(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	equal(t, "outcome", m.welcome.Resume, pb.ResumeOutcome_RESUME_OUTCOME_FRESH)
	equal(t, "sessions", len(m.snapshot()), 0)
	c, sid := w.connect()

	opened := m.delivery()
	equal(t, "sid", opened.Event.GetOpened().GetSession().GetSid(), sid)
	equal(t, "C12 a header of the client", opened.Event.GetOpened().Session.Handshake.Headers["user-agent"], "Go-http-client/1.1")
	m.done(opened.DeliveryId)

	c.send(`421["sum",1,{"big":9007199254740993}]`)
	d := m.delivery()
	e := d.Event.GetClientEvent()
	equal(t, "event", e.Event, "sum")
	equal(t, "args", string(e.Payload.Json), `[1,{"big":9007199254740993}]`)
	equal(t, "wants reply", e.WantsReply, true)
	equal(t, "seq", d.Event.Seq, 2)
	equal(t, "prev_seq", d.Event.PrevSeq, 1)

	m.commands(emit("1", "progress", `["half"]`, &pb.Target{Sids: []string{sid}}))
	m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Reply{Reply: &pb.Reply{DeliveryId: d.DeliveryId, Payload: &pb.Payload{Json: []byte(`[3]`)}}}})
	r := m.recv().GetResults().GetResults()
	equal(t, "written", r[0].GetReceipt().GetWritten(), 1)
	got := c.recv()
	if !strings.Contains(got, "\x1e") {
		got += "\x1e" + c.recv()
	}
	equal(t, "emit, then ack", got, `42["progress","half","1"]`+"\x1e"+`431[3]`)
}

func TestASnapshotHoldsWhatWasThereBefore(t *testing.T) {
	w := newWorld(t)
	_, sid := w.connect()
	m := w.attach(chat())
	sessions := m.snapshot()
	if len(sessions) != 1 || sessions[0].Sid != sid || sessions[0].State != pb.SessionState_SESSION_STATE_OPEN {
		t.Errorf("snapshot %v", sessions)
	}
}

func TestP16ACommandSentAgainIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	target := &pb.Target{Sids: []string{sid}}
	m.delivery()
	m.commands(emit("k", "once", `[]`, target), emit("k", "once", `[]`, target), emit("k", "other", `[]`, target))
	var results []*pb.CommandResult
	for len(results) < 3 {
		results = append(results, m.recv().GetResults().GetResults()...)
	}
	equal(t, "first", results[0].Receipt.RepeatedCommand, false)
	equal(t, "again", results[1].Receipt.RepeatedCommand, true)
	equal(t, "G10 another body", codes.Code(results[2].GetStatus().GetCode()), codes.AlreadyExists)
	equal(t, "packet", c.recv(), `42["once","1"]`)
}

func TestG9ABadCommandFailsAlone(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	m.commands(
		emit("", "x", `[]`, &pb.Target{}),
		emit("", "x", `{`, &pb.Target{Everyone: true}),
		&pb.Command{CommandId: "empty"},
		emit("", "x", `[]`, &pb.Target{Everyone: true}),
	)
	var reasons []string
	for len(reasons) < 4 {
		for _, r := range m.recv().GetResults().GetResults() {
			reasons = append(reasons, reason(status.FromProto(r.Status)))
		}
	}
	equal(t, "reasons", strings.Join(reasons, " "), "TARGET_EMPTY PAYLOAD_INVALID COMMAND_INVALID ")
}

func reason(st *status.Status) string {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

func TestG12ANewerInstanceFencesTheOlder(t *testing.T) {
	w := newWorld(t)
	old := w.attach(chat())
	old.snapshot()
	h := chat()
	h.InstanceId = "b"
	w.attach(h).snapshot()
	_, err := old.stream.Recv()
	st := status.Convert(err)
	equal(t, "code", st.Code(), codes.FailedPrecondition)
	equal(t, "reason", reason(st), "FENCED")
}

func TestG7AStreamThatDoesNotIntroduceItselfIsClosed(t *testing.T) {
	w := newWorld(t)
	stream, err := pb.NewEventServiceClient(w.conn).Subscribe(w.context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	equal(t, "code", status.Code(err), codes.DeadlineExceeded)

	stream, _ = pb.NewEventServiceClient(w.conn).Subscribe(w.context())
	stream.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{}}})
	_, err = stream.Recv()
	equal(t, "something else first", reason(status.Convert(err)), "HELLO_MISSING")
}

func TestAHelloThatCannotBeServed(t *testing.T) {
	w := newWorld(t)
	for name, h := range map[string]*pb.Hello{
		"VERSION_UNKNOWN": {ProtocolVersion: 9, Group: "g", MemberId: "1", InstanceId: "a"},
		"HELLO_INVALID":   {ProtocolVersion: 1, Group: "no spaces", MemberId: "1", InstanceId: "a"},
	} {
		stream, _ := pb.NewEventServiceClient(w.conn).Subscribe(w.context())
		stream.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Hello{Hello: h}})
		_, err := stream.Recv()
		equal(t, name, reason(status.Convert(err)), name)
	}
}

func TestAGroupDecides(t *testing.T) {
	w := newWorld(t)
	h := chat()
	h.Spec = &pb.GroupSpec{Routes: []*pb.Route{{Kinds: []pb.EventKind{pb.EventKind_EVENT_KIND_CONNECT_REQUESTED, pb.EventKind_EVENT_KIND_OPENED}}}}
	m := w.attach(h)
	m.snapshot()
	decide := func(d *pb.ConnectDecision) {
		d.DeliveryId = m.delivery().DeliveryId
		m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Decision{Decision: d}})
	}
	c := w.open()
	c.send(`40{"token":"x"}`)
	decide(&pb.ConnectDecision{Outcome: &pb.ConnectDecision_Reject{Reject: &pb.Reject{Message: "no", DataJson: []byte(`{"a":1}`)}}})
	equal(t, "refused", c.recv(), `44{"message":"no","data":{"a":1}}`)

	c = w.open()
	c.send(`40`)
	decide(&pb.ConnectDecision{Outcome: &pb.ConnectDecision_Accept{Accept: &pb.Accept{UserId: "ann", Rooms: []string{"lobby"},
		Greeting: []*pb.Emit{{Event: "hi"}}}}})
	got := c.recv()
	if !strings.HasPrefix(got, `40{"sid"`) || !strings.HasSuffix(got, `42["hi","1"]`) {
		t.Errorf("accepted: %q", got)
	}
	s := m.delivery().Event.GetOpened().GetSession()
	equal(t, "user", s.UserId, "ann")
	equal(t, "rooms", s.Rooms, []string{"lobby"})

	c = w.open()
	c.send(`40`)
	decide(&pb.ConnectDecision{Outcome: &pb.ConnectDecision_Accept{Accept: &pb.Accept{Greeting: []*pb.Emit{{Event: "disconnect"}}}}})
	equal(t, "an acceptance that cannot be carried out", c.recv(), `44{"message":"Internal error"}`)
}

func TestEmitWithAckTellsEachOutcome(t *testing.T) {
	w := newWorld(t)
	c, sid := w.connect()
	_, silent := w.connect()
	stream, err := pb.NewCommandServiceClient(w.conn).EmitWithAck(w.context(), &pb.EmitWithAckRequest{CommandId: "q", Emit: &pb.Emit{
		Target: &pb.Target{Everyone: true}, Event: "q", Ack: &pb.AckRequest{Timeout: durationpb.New(300 * time.Millisecond)}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "packet", c.recv(), `420["q"]`)
	c.send(`430["yes"]`)
	got := map[string]string{}
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if a := r.GetAck(); a != nil {
			got[a.Sid] = a.Outcome.String() + string(a.GetPayload().GetJson())
		}
		if s := r.GetSummary(); s != nil {
			equal(t, "summary", []uint64{s.Expected, s.Acked, s.TimedOut}, []uint64{2, 1, 1})
		}
	}
	equal(t, "who answers", got[sid], `ACK_OUTCOME_ACKED["yes"]`)
	equal(t, "who does not", got[silent], `ACK_OUTCOME_TIMED_OUT`)
}

func TestAcksFollowTheBackendToItsNextStream(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	m.done(m.delivery().DeliveryId)
	ask := emit("q1", "q", `[]`, &pb.Target{Sids: []string{sid}})
	ask.GetEmit().Ack = &pb.AckRequest{Timeout: durationpb.New(time.Minute)}
	m.commands(ask)
	m.recv()
	equal(t, "packet", c.recv(), `420["q"]`)
	m.stream.CloseSend()
	for { // until the edge has let go of the stream
		if _, err := m.stream.Recv(); err != nil {
			break
		}
	}
	c.send(`430["late"]`)
	m = w.attach(chat())
	m.snapshot()
	m.commands(ask)
	var acked, repeated bool
	for !acked || !repeated {
		r := m.recv()
		for _, a := range r.GetClientAcks().GetAcks() {
			acked = true
			equal(t, "answer", string(a.Payload.Json), `["late"]`)
		}
		for _, res := range r.GetResults().GetResults() {
			repeated = res.GetReceipt().GetRepeatedCommand()
		}
	}
}

func TestQueries(t *testing.T) {
	w := newWorld(t)
	_, sid := w.connect()
	_, other := w.connect()
	ctx := w.context()
	_, err := pb.NewCommandServiceClient(w.conn).Execute(ctx, &pb.ExecuteRequest{Commands: []*pb.Command{
		{Op: &pb.Command_Join{Join: &pb.Join{Target: &pb.Target{Sids: []string{sid}}, Rooms: []string{"a", "b"}}}},
		{Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: sid, Set: map[string]string{"color": "red"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	sessions := pb.NewSessionServiceClient(w.conn)
	got, err := sessions.GetSession(ctx, &pb.GetSessionRequest{Sid: sid})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "session", []any{got.Session.Rooms, got.Session.Attributes["color"], got.Session.Transport}, []any{[]string{"a", "b"}, "red", "polling"})
	_, err = sessions.GetSession(ctx, &pb.GetSessionRequest{Sid: "nobody"})
	equal(t, "G8 an unknown session", reason(status.Convert(err)), "SESSION_GONE")

	page, _ := sessions.ListSessions(ctx, &pb.ListSessionsRequest{PageSize: 1})
	rest, _ := sessions.ListSessions(ctx, &pb.ListSessionsRequest{PageSize: 1, PageToken: page.NextPageToken})
	equal(t, "Q01 pages", page.Sessions[0].Sid != rest.Sessions[0].Sid && rest.NextPageToken == "", true)
	_ = other
	n, _ := sessions.CountSessions(ctx, &pb.CountSessionsRequest{Filter: &pb.Target{Rooms: []string{"a"}}})
	equal(t, "Q08 count", n.Open, 1)
	rooms, _ := sessions.ListRooms(ctx, &pb.ListRoomsRequest{})
	equal(t, "rooms", len(rooms.Rooms), 2)
	edge, _ := pb.NewAdminServiceClient(w.conn).GetEdge(ctx, &pb.GetEdgeRequest{})
	equal(t, "edge", []any{edge.Edge.OpenSessions, edge.Edge.Connections}, []any{2, 2})
	health, _ := healthpb.NewHealthClient(w.conn).Check(ctx, &healthpb.HealthCheckRequest{})
	equal(t, "health", health.Status, healthpb.HealthCheckResponse_SERVING)
	w.server.StoreRefuses(errors.New("no room"))
	for name, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{"": healthpb.HealthCheckResponse_SERVING,
		control.StoreService: healthpb.HealthCheckResponse_NOT_SERVING} {
		health, _ := healthpb.NewHealthClient(w.conn).Check(ctx, &healthpb.HealthCheckRequest{Service: name})
		equal(t, "health of "+name+" while the disk is full", health.GetStatus(), want)
	}
	w.server.StoreRefuses(nil)
	health, _ = healthpb.NewHealthClient(w.conn).Check(ctx, &healthpb.HealthCheckRequest{Service: control.StoreService})
	equal(t, "health of the store", health.GetStatus(), healthpb.HealthCheckResponse_SERVING)
}

func TestCurlIsAnSDK(t *testing.T) {
	w := newWorld(t)
	c, _ := w.connect()
	_, body := w.post("CommandService/Execute", `{"commands":[{"emit":{"target":{"everyone":true},"event":"news","args":["shipping today",{"n":1}]}}]}`)
	equal(t, "result", body, `{"results":[{"receipt":{"matched":"1","written":"1"}}]}`)
	equal(t, "packet", c.recv(), `42["news","shipping today",{"n":1},"1"]`)
	code, body := w.post("SessionService/GetSession", `{"sid":"nobody"}`)
	if code != http.StatusNotFound || !strings.Contains(body, `"code":"not_found"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ = w.post("CommandService/Execute", `{"commands":[{"emit":{"traget":{}}}]}`); code != http.StatusBadRequest {
		t.Errorf("a field that does not exist: %d", code)
	}
}

func TestTailShowsBothDirections(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	m.done(m.delivery().DeliveryId)
	ctx, cancel := context.WithCancel(w.context())
	defer cancel()
	tail, err := pb.NewAdminServiceClient(w.conn).TailEvents(ctx, &pb.TailEventsRequest{Events: []string{"say", "said"}})
	if err != nil {
		t.Fatal(err)
	}
	entries := make(chan *pb.TailEventsResponse)
	go func() {
		defer close(entries)
		for {
			e, err := tail.Recv()
			if err != nil {
				return
			}
			entries <- e
		}
	}()
	// The tail begins when the edge has seen the call: send until everything has shown.
	seen := make(map[string]bool)
	for !seen["event"] || !seen["reply"] || !seen["emit"] {
		c.send(`421["say","hi"]`)
		d := m.delivery()
		m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Reply{Reply: &pb.Reply{DeliveryId: d.DeliveryId, Payload: &pb.Payload{Json: []byte(`["ok"]`)}}}})
		m.commands(emit("", "said", `["hi"]`, &pb.Target{Sids: []string{sid}}))
		for wait := time.After(100 * time.Millisecond); wait != nil; {
			select {
			case e, ok := <-entries:
				if !ok {
					t.Fatal("the tail ended early")
				}
				seen["event"] = seen["event"] || e.GetEvent().GetClientEvent().GetEvent() == "say"
				seen["reply"] = seen["reply"] || string(e.GetSettled().GetReply().GetJson()) == `["ok"]`
				seen["emit"] = seen["emit"] || e.GetEmitted().GetEmit().GetEvent() == "said"
			case <-wait:
				wait = nil
			}
		}
	}
	cancel()
	for range entries {
	}
}
