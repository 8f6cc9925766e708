package sioedge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func TestTell(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	run(t, e)
	st := f.accept(pb.ResumeOutcome_RESUME_OUTCOME_FRESH)
	if err := e.Of("/x").Tell(t.Context(), "reload", "prices", []byte{7}); err != nil {
		t.Error(err)
	}
	tell := receive(t, st.commands, "a command").GetTell()
	if got := fmt.Sprint(tell.GetGroup(), tell.GetNamespace(), tell.GetEvent(), string(tell.GetPayload().GetJson()), tell.GetPayload().GetAttachments(), tell.GetAck()); got !=
		`/xreload["prices",{"_placeholder":true,"num":0}][[7]] <nil>` {
		t.Errorf("told %s", got)
	}
	if err := e.Tell(t.Context(), "x", func() {}); err == nil {
		t.Error("a function was told")
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		cmd := receive(t, st.commands, "a question")
		st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_ClientAcks{ClientAcks: &pb.ClientAckBatch{
			Acks: []*pb.ClientAck{
				{CommandId: cmd.GetCommandId(), MemberId: "m2", Outcome: pb.AckOutcome_ACK_OUTCOME_ACKED, Payload: &pb.Payload{Json: []byte("[3]")}},
				{CommandId: cmd.GetCommandId(), MemberId: "m3", Outcome: pb.AckOutcome_ACK_OUTCOME_DISCONNECTED}},
			Summaries: []*pb.AckSummary{{CommandId: cmd.GetCommandId(), Expected: 2, Acked: 1, Disconnected: 1}}}}})
	}()
	answers, err := e.TellWithAck(ctx, "count")
	if err != nil || len(answers) != 2 || answers[0].Member != "m2" || string(answers[0].Args.JSON) != "[3]" || answers[1].Outcome != sioedge.Disconnected {
		t.Errorf("answers %v, %v", answers, err)
	}
}

func TestOnTold(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	var heard []string
	e.OnTold("sum", func(_ context.Context, from string, args sioedge.Args) (any, error) {
		var a, b int
		if err := args.Bind(&a, &b); err != nil {
			return nil, err
		}
		heard = append(heard, fmt.Sprint(from, a, b))
		return a + b, nil
	})
	e.OnTold("nothing", func(context.Context, string, sioedge.Args) (any, error) { return nil, nil })
	e.OnTold("fails", func(context.Context, string, sioedge.Args) (any, error) { return nil, errors.New("no") })
	e.OnTold("panics", func(context.Context, string, sioedge.Args) (any, error) { panic("no") })
	run(t, e)
	st := f.accept(pb.ResumeOutcome_RESUME_OUTCOME_FRESH)
	batch := &pb.ToldBatch{}
	for i, name := range []string{"sum", "sum", "nothing", "fails", "panics", "unknown"} {
		batch.Told = append(batch.Told, &pb.Told{ToldId: uint64(i + 1), Asks: i > 0, MemberId: "m2", Namespace: "/", Event: name, Payload: &pb.Payload{Json: []byte("[1,2]")}})
	}
	st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Told{Told: batch}})
	if ack := receive(t, st.acks, "an ack"); ack.GetTold() != 6 {
		t.Errorf("heard up to %d", ack.GetTold())
	}
	st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Told{Told: batch}}) // again
	for i, want := range []string{"2 false [3]", "3 false ", "4 true ", "5 true ", "6 true "} {
		a := receive(t, st.commands, "an answer").GetAnswer()
		if got := fmt.Sprint(a.GetToldId(), a.GetAbsent(), " ", string(a.GetPayload().GetJson())); got != want {
			t.Errorf("answer %d: %s, want %s", i, got, want)
		}
	}
	if !slices.Equal(heard, []string{"m21 2", "m21 2"}) {
		t.Errorf("heard %q", heard)
	}
}

func TestRoomsThatOthersChange(t *testing.T) {
	f := newFakeEdge(t)
	e := newEdge(f)
	rooms := make(chan []string, 1)
	e.On("rooms", func(_ context.Context, s *sioedge.Socket) error {
		rooms <- s.Rooms()
		return nil
	})
	run(t, e)
	st := f.accept(pb.ResumeOutcome_RESUME_OUTCOME_FRESH)
	ask := func() []string {
		st.deliver(1, &pb.Event{Sid: "s", Namespace: "/", Kind: &pb.Event_ClientEvent{ClientEvent: &pb.ClientEvent{Event: "rooms"}}})
		return receive(t, rooms, "the handler")
	}
	st.deliver(1, &pb.Event{Sid: "s", Namespace: "/", Kind: &pb.Event_Opened{Opened: &pb.Opened{Session: &pb.Session{Sid: "s", Namespace: "/", State: pb.SessionState_SESSION_STATE_OPEN, Rooms: []string{"a", "b"}}}}})
	for _, row := range []struct {
		change *pb.SessionChange
		want   []string
	}{
		{&pb.SessionChange{Sid: "unknown", Joined: []string{"x"}}, []string{"a", "b"}},
		{&pb.SessionChange{Sid: "s", Joined: []string{"c", "a"}, Left: []string{"b", "z"}}, []string{"a", "c"}},
		{&pb.SessionChange{Sid: "s", Transport: "websocket"}, []string{"a", "c"}},
		{&pb.SessionChange{Sid: "s", Joined: []string{"d"}, AllRooms: true}, []string{"d"}},
	} {
		st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Changes{Changes: &pb.SessionChangeBatch{Changes: []*pb.SessionChange{row.change}}}})
		if got := ask(); !slices.Equal(got, row.want) {
			t.Errorf("after %v: rooms %q, want %q", row.change, got, row.want)
		}
	}
}
