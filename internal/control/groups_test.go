package control_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/edge/store"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// refusal is the code and the reason of an error.
func refusal(err error) string {
	st := status.Convert(err)
	reason := ""
	for _, d := range st.Details() {
		if info, ok := d.(interface{ GetReason() string }); ok {
			reason = info.GetReason()
		}
	}
	return fmt.Sprint(st.Code(), " ", reason)
}

func TestDeadLettersAreListedAndDrivenAgain(t *testing.T) {
	w := newWorld(t)
	admin := pb.NewAdminServiceClient(w.conn)
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	m.done(m.delivery().DeliveryId)
	for i := range 3 {
		c.send(fmt.Sprintf(`42["bad",%d]`, i))
		m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{
			Nacks: []*pb.Nack{{DeliveryId: m.delivery().DeliveryId, DeadLetter: true, Reason: fmt.Sprint("reason ", i)}}}}})
		for set := uint64(0); set <= uint64(i); { // until the edge has read it: it takes back what it delivers before
			groups, err := admin.ListGroups(w.context(), &pb.ListGroupsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			set = groups.Groups[0].DeadLetters
		}
	}
	page, err := admin.ListDeadLetters(w.context(), &pb.ListDeadLettersRequest{Group: "chat", PageSize: 2})
	if err != nil || len(page.DeadLetters) != 2 || page.NextPageToken == "" {
		t.Fatalf("%v, %v", page, err)
	}
	l := page.DeadLetters[0]
	equal(t, "sid", l.Event.Sid, sid)
	equal(t, "payload", string(l.Event.GetClientEvent().Payload.Json), "[0]")
	equal(t, "prev_seq", l.Event.PrevSeq, 1)
	equal(t, "rest", fmt.Sprint(l.Attempts, l.Reason, time.Since(l.SetAsideAt.AsTime()) < time.Minute), fmt.Sprint(1, "reason 0", true))
	rest, err := admin.ListDeadLetters(w.context(), &pb.ListDeadLettersRequest{Group: "chat", PageSize: 2, PageToken: page.NextPageToken})
	if err != nil || len(rest.DeadLetters) != 1 || rest.NextPageToken != "" {
		t.Fatalf("%v, %v", rest, err)
	}

	// The same as JSON, which is how people do it.
	post := func(method, body string) string {
		_, answer := w.post("AdminService/"+method, body)
		return answer
	}
	equal(t, "redriven", post("RedriveDeadLetters", fmt.Sprintf(`{"group":"chat","offsets":["%d","7"]}`, l.Event.Offset)), `{"done":1,"unknownOffsets":["7"]}`)
	d := m.delivery()
	equal(t, "the same event again", fmt.Sprint(d.Event.Offset, d.Attempt), fmt.Sprint(l.Event.Offset, 2))
	equal(t, "discarded", post("RedriveDeadLetters", `{"group":"chat","discard":true}`), `{"done":2}`)
	groups, err := admin.ListGroups(w.context(), &pb.ListGroupsRequest{})
	if err != nil || groups.Groups[0].DeadLetters != 0 {
		t.Errorf("%v, %v", groups, err)
	}
}

func TestSeekGroup(t *testing.T) {
	kept, err := store.Open(filepath.Join(t.TempDir(), "edge.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	w := newWorldOn(t, kept)
	admin := pb.NewAdminServiceClient(w.conn)
	h := chat()
	h.Spec = &pb.GroupSpec{Delivery: pb.DeliveryMode_DELIVERY_MODE_DURABLE, Retention: durationpb.New(time.Hour)}
	m := w.attach(h)
	m.snapshot()
	c, _ := w.connect()
	opened := m.delivery()
	m.done(opened.DeliveryId)
	began := time.Now()
	var offsets []uint64
	for i := range 3 {
		c.send(fmt.Sprintf(`42["say",%d]`, i))
		d := m.delivery()
		m.done(d.DeliveryId)
		offsets = append(offsets, d.Event.Offset)
	}
	for retained := uint64(0); retained < 3; { // until the edge has read what was settled
		groups, err := admin.ListGroups(w.context(), &pb.ListGroupsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		retained = groups.Groups[0].RetainedEvents
		equal(t, "retention", groups.Groups[0].Spec.Retention.AsDuration(), time.Hour)
	}
	cursor := &pb.Cursor{EdgeId: "edge-1", LogId: "log-1", Offset: offsets[0]}
	seek := func(what string, req *pb.SeekGroupRequest, want string) {
		t.Helper()
		req.Group = "chat"
		resp, err := admin.SeekGroup(w.context(), req)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, what, fmt.Sprint(resp.Dropped, " ", resp.Replayed), want)
	}
	seek("a cursor", &pb.SeekGroupRequest{Position: &pb.SeekGroupRequest_Cursor{Cursor: cursor}}, "0 2")
	for i := range 2 {
		d := m.delivery()
		equal(t, "again", fmt.Sprint(d.Event.Offset, d.Attempt, string(d.Event.GetClientEvent().Payload.Json)), fmt.Sprint(offsets[i+1], 2, fmt.Sprintf("[%d]", i+1)))
	}
	seek("a time", &pb.SeekGroupRequest{Position: &pb.SeekGroupRequest_Time{Time: timestamppb.New(began)}}, "0 1")
	m.delivery() // what is on its way is not dropped
	seek("the end", &pb.SeekGroupRequest{Position: &pb.SeekGroupRequest_Latest{Latest: true}}, "0 0")

	for _, c := range []struct {
		req  *pb.SeekGroupRequest
		want string
	}{
		{&pb.SeekGroupRequest{Group: "nobody", Position: &pb.SeekGroupRequest_Latest{Latest: true}}, fmt.Sprint(codes.NotFound, " GROUP_UNKNOWN")},
		{&pb.SeekGroupRequest{Group: "chat"}, fmt.Sprint(codes.InvalidArgument, " POSITION_INVALID")},
		{&pb.SeekGroupRequest{Group: "chat", Position: &pb.SeekGroupRequest_Latest{}}, fmt.Sprint(codes.InvalidArgument, " POSITION_INVALID")},
		{&pb.SeekGroupRequest{Group: "chat", Position: &pb.SeekGroupRequest_Cursor{Cursor: &pb.Cursor{EdgeId: "edge-1", LogId: "gone"}}}, fmt.Sprint(codes.FailedPrecondition, " CURSOR_VOID")},
	} {
		_, err := admin.SeekGroup(w.context(), c.req)
		equal(t, c.req.String(), refusal(err), c.want)
	}
	_, err = admin.RedriveDeadLetters(w.context(), &pb.RedriveDeadLettersRequest{Group: "nobody"})
	equal(t, "redrive of nobody", refusal(err), fmt.Sprint(codes.NotFound, " GROUP_UNKNOWN"))
	_, err = admin.ListDeadLetters(w.context(), &pb.ListDeadLettersRequest{Group: "chat", PageToken: "?"})
	equal(t, "a token of somebody else", refusal(err), fmt.Sprint(codes.InvalidArgument, " PAGE_TOKEN_INVALID"))
}
