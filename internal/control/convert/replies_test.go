package convert

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func marshal(tb testing.TB, m *pb.SubscribeRequest) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func replyMessages() []*pb.SubscribeRequest {
	one := &pb.Reply{DeliveryId: 7, Payload: &pb.Payload{Json: []byte(`["ok"]`)}}
	binary := &pb.Reply{DeliveryId: 1 << 40, Payload: &pb.Payload{Json: bytes.Repeat([]byte("1"), 300), Attachments: [][]byte{{1, 2}, {}, {3}}}}
	batch := func(all ...*pb.Reply) *pb.SubscribeRequest {
		return &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Replies{Replies: &pb.ReplyBatch{Replies: all}}}
	}
	return []*pb.SubscribeRequest{
		batch(), batch(one), batch(one, binary, one, binary),
		batch(&pb.Reply{}, &pb.Reply{DeliveryId: 1}, &pb.Reply{Payload: &pb.Payload{}}),
		batch(&pb.Reply{DeliveryId: 2, Payload: &pb.Payload{Attachments: [][]byte{{}}}}),
		{Message: &pb.SubscribeRequest_Reply{Reply: one}},
		{Message: &pb.SubscribeRequest_Reply{Reply: binary}},
	}
}

// checkReplies demands that what Parse accepts is what the generated code reads.
func checkReplies(t *testing.T, r *Replies, b []byte) (accepted bool) {
	if !r.Parse(b) {
		return false
	}
	var m pb.SubscribeRequest
	if err := proto.Unmarshal(b, &m); err != nil {
		t.Fatalf("accepted %x, which is no message: %v", b, err)
	}
	var want []*pb.Reply
	switch m := m.Message.(type) {
	case *pb.SubscribeRequest_Reply:
		want = []*pb.Reply{m.Reply}
	case *pb.SubscribeRequest_Replies:
		want = m.Replies.Replies
	default:
		t.Fatalf("accepted %x, which is %v", b, &m)
	}
	if len(m.ProtoReflect().GetUnknown()) > 0 || len(want) != len(r.All) {
		t.Fatalf("read %d replies from %x, want %v", len(r.All), b, &m)
	}
	for i, w := range want {
		got := r.All[i]
		same := got.DeliveryID == w.DeliveryId && bytes.Equal(got.JSON, w.GetPayload().GetJson()) &&
			len(got.Attachments) == len(w.GetPayload().GetAttachments())
		for k := 0; same && k < len(got.Attachments); k++ {
			same = bytes.Equal(got.Attachments[k], w.Payload.Attachments[k])
		}
		if !same {
			t.Fatalf("read %+v from %x, want %v", got, b, w)
		}
	}
	return true
}

func TestRepliesAreReadLikeTheGeneratedCodeDoes(t *testing.T) {
	var r Replies
	for _, m := range replyMessages() {
		if b := marshal(t, m); !checkReplies(t, &r, b) {
			t.Errorf("left to the generated code: %v", m)
		}
	}
	whole := marshal(t, replyMessages()[2])
	for n := range whole {
		checkReplies(t, &r, whole[:n])
	}
	for _, m := range []*pb.SubscribeRequest{
		{}, {Message: &pb.SubscribeRequest_Heartbeat{Heartbeat: &pb.Heartbeat{Nonce: 3}}},
		{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{Done: []*pb.DeliveryRange{{First: 1, Last: 2}}}}},
	} {
		if checkReplies(t, &r, marshal(t, m)) {
			t.Errorf("taken for replies: %v", m)
		}
	}
	twice := append(marshal(t, replyMessages()[1]), marshal(t, replyMessages()[5])...)
	if checkReplies(t, &r, twice) {
		t.Error("two messages taken for one")
	}
}

func FuzzReplies(f *testing.F) {
	for _, m := range replyMessages() {
		f.Add(marshal(f, m))
	}
	var r Replies
	f.Fuzz(func(t *testing.T, b []byte) { checkReplies(t, &r, b) })
}
