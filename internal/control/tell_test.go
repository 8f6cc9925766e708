package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func tell(id string, t *pb.Tell) *pb.Command {
	return &pb.Command{CommandId: id, Op: &pb.Command_Tell{Tell: t}}
}

func answer(id string, toldID uint64, args string) *pb.Command {
	return &pb.Command{CommandId: id, Op: &pb.Command_Answer{Answer: &pb.Answer{ToldId: toldID, Payload: &pb.Payload{Json: []byte(args)}}}}
}

// told is the next that the member is told, whatever comes between.
func (m *member) told() *pb.Told {
	m.t.Helper()
	for len(m.pendingTold) == 0 {
		m.pendingTold = m.recv().GetTold().GetTold()
	}
	t := m.pendingTold[0]
	m.pendingTold = m.pendingTold[1:]
	return t
}

func TestMembersOfAGroupTalk(t *testing.T) {
	w := newWorld(t)
	a := w.attach(chat())
	b := w.attach(&pb.Hello{Group: "chat", MemberId: "2", InstanceId: "b"})
	a.snapshot()
	b.snapshot()

	question := tell("q", &pb.Tell{Namespace: "/x", Event: "sum", Payload: &pb.Payload{Json: []byte(`[1,{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{7}}}, Ack: &pb.AckRequest{Timeout: durationpb.New(1e9 * 60)}})
	a.commands(question, question) // sent again, as after a reconnect
	told := b.told()
	equal(t, "told", fmt.Sprint(told.MemberId, told.Namespace, told.Event, string(told.Payload.Json), told.Payload.Attachments), `1/xsum[1,{"_placeholder":true,"num":0}][[7]]`)
	b.commands(answer("a", told.ToldId, `[8]`))
	var results []*pb.CommandResult
	var acks []*pb.ClientAck
	var sum *pb.AckSummary
	for sum == nil || len(results) < 2 {
		m := a.recv()
		results = append(results, m.GetResults().GetResults()...)
		acks = append(acks, m.GetClientAcks().GetAcks()...)
		for _, s := range m.GetClientAcks().GetSummaries() {
			sum = s
		}
	}
	equal(t, "receipt", fmt.Sprint(results[0].Receipt.GetMatched(), results[0].Receipt.GetWritten()), "1 1")
	equal(t, "sent again", results[1].Receipt.RepeatedCommand, true)
	if len(acks) != 1 || acks[0].MemberId != "2" || acks[0].Sid != "" || acks[0].Outcome != pb.AckOutcome_ACK_OUTCOME_ACKED || string(acks[0].Payload.Json) != "[8]" {
		t.Errorf("acks %v", acks)
	}
	equal(t, "summary", fmt.Sprint(sum.CommandId, sum.Expected, sum.Acked), "q1 1")

	// What was not heard is told again on the next stream, and answered there.
	a.commands(tell("q2", &pb.Tell{Event: "sum", Ack: &pb.AckRequest{}}))
	b.told()
	b = w.attach(&pb.Hello{Group: "chat", MemberId: "2", InstanceId: "b"})
	b.snapshot()
	equal(t, "not heard", b.told().ToldId, told.ToldId)
	told = b.told()
	equal(t, "default namespace", told.Namespace, "/")
	equal(t, "no arguments", string(told.Payload.Json), "[]")
	b.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{Told: told.ToldId}}})
	b.commands(answer("a2", told.ToldId, `nonsense`))
	st := b.recv().GetResults().GetResults()[0].GetStatus()
	equal(t, "an answer that nobody could read", reason(status.FromProto(st)), "PAYLOAD_INVALID")
	b.commands(&pb.Command{CommandId: "a3", Op: &pb.Command_Answer{Answer: &pb.Answer{ToldId: told.ToldId, Absent: true}}})
	for sum = nil; sum == nil; {
		for _, s := range a.recv().GetClientAcks().GetSummaries() {
			sum = s
		}
	}
	equal(t, "disconnected", sum.Disconnected, 1)
}

func TestATellFromOutside(t *testing.T) {
	w := newWorld(t)
	a := w.attach(chat())
	a.snapshot()
	service := pb.NewCommandServiceClient(w.conn)
	code, body := w.post("CommandService/Execute", `{"commands":[{"tell":{"group":"chat","event":"reload","args":["prices",{"n":1}]}}]}`)
	if code != 200 || !strings.Contains(body, `"matched":"1"`) {
		t.Errorf("as JSON: %d %s", code, body)
	}
	told := a.told()
	equal(t, "told", fmt.Sprint(told.Asks, told.MemberId, told.Event, string(told.Payload.Json)), `falsereload["prices",{"n":1}]`)
	for _, row := range []struct {
		name   string
		tell   *pb.Tell
		code   codes.Code
		reason string
	}{
		{"no group", &pb.Tell{Event: "x"}, codes.NotFound, "GROUP_UNKNOWN"},
		{"another group", &pb.Tell{Group: "nobody", Event: "x"}, codes.NotFound, "GROUP_UNKNOWN"},
		{"a name that is too long", &pb.Tell{Group: "chat", Event: strings.Repeat("x", 129)}, codes.InvalidArgument, "EVENT_INVALID"},
		{"arguments that are no array", &pb.Tell{Group: "chat", Event: "x", Payload: &pb.Payload{Json: []byte("{}")}}, codes.InvalidArgument, "PAYLOAD_INVALID"},
		{"no answer", nil, codes.InvalidArgument, "COMMAND_INVALID"},
		{"a question", &pb.Tell{Group: "chat", Event: "x", Ack: &pb.AckRequest{}}, codes.InvalidArgument, "COMMAND_INVALID"},
	} {
		cmd := tell("", row.tell)
		if row.tell == nil {
			cmd = answer("", told.ToldId, "[]")
		}
		resp, err := service.Execute(w.context(), &pb.ExecuteRequest{Commands: []*pb.Command{cmd}})
		if err != nil {
			t.Fatal(err)
		}
		st := resp.Results[0].Status
		equal(t, row.name, fmt.Sprint(codes.Code(st.GetCode()), " ", reason(status.FromProto(st))), fmt.Sprint(row.code, " ", row.reason))
	}
}

func TestAMemberIsToldOfRoomsTransportAndAuth(t *testing.T) {
	w := newWorld(t)
	a := w.attach(chat())
	a.snapshot()
	c := w.open()
	c.send(`40{"token":"secret"}`)
	sid := a.delivery().Event.Sid
	a.commands(&pb.Command{CommandId: "own", Op: &pb.Command_Join{Join: &pb.Join{Target: &pb.Target{Sids: []string{sid}}, Rooms: []string{"own"}}}})
	a.recv() // its result
	code, body := w.post("CommandService/Execute", `{"commands":[{"join":{"target":{"everyone":true},"rooms":["other"]}}]}`)
	equal(t, "join", code, 200)
	change := a.recv().GetChanges().GetChanges()
	if len(change) != 1 || change[0].Sid != sid || change[0].Namespace != "/" || !slices.Equal(change[0].Joined, []string{"other"}) || len(change[0].Left) > 0 || change[0].AllRooms || change[0].Transport != "" {
		t.Errorf("told %v of %s", change, body)
	}

	sessions := w.attach(&pb.Hello{Group: "late", MemberId: "1", InstanceId: "b"}).snapshot()
	if len(sessions) != 1 || string(sessions[0].AuthJson) != `{"token":"secret"}` {
		t.Errorf("snapshot %v", sessions)
	}
	list, err := pb.NewSessionServiceClient(w.conn).ListSessions(w.context(), &pb.ListSessionsRequest{})
	if err != nil || len(list.Sessions) != 1 || len(list.Sessions[0].AuthJson) != 0 {
		t.Errorf("anybody is told %v, %v", list, err)
	}
}
