package convert

import (
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func ack(a *pb.Ack) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: a}}
}

// What is read is what the generated code reads, and what is more than that is left to it.
func TestSettledReadsTheSameAsTheGeneratedCode(t *testing.T) {
	var s Settled
	for _, row := range []struct {
		name  string
		m     *pb.SubscribeRequest
		plain bool
	}{
		{"nothing", ack(&pb.Ack{}), true},
		{"one", ack(&pb.Ack{Done: []*pb.DeliveryRange{{First: 7, Last: 9}}}), true},
		{"several, told", ack(&pb.Ack{Done: []*pb.DeliveryRange{{First: 1, Last: 1}, {}, {First: 300, Last: math.MaxUint64}}, Told: 1 << 40}), true},
		{"told", ack(&pb.Ack{Told: 3}), true},
		{"handed back", ack(&pb.Ack{Done: []*pb.DeliveryRange{{First: 1, Last: 1}}, Nacks: []*pb.Nack{{DeliveryId: 2, RetryAfter: durationpb.New(1)}}}), false},
		{"extended", ack(&pb.Ack{Extend: []*pb.DeliveryRange{{First: 1, Last: 1}}, Told: 3}), false},
		{"a reply", &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Reply{Reply: &pb.Reply{DeliveryId: 1}}}, false},
		{"no message", &pb.SubscribeRequest{}, false},
	} {
		b, err := proto.Marshal(row.m)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Parse(b); got != row.plain {
			t.Errorf("%s: %v, want %v", row.name, got, row.plain)
		}
		if !row.plain {
			continue
		}
		var want []Range
		for _, r := range row.m.GetAck().Done {
			want = append(want, Range{r.First, r.Last})
		}
		if !slices.Equal(s.Done, want) || s.Told != row.m.GetAck().Told {
			t.Errorf("%s: %v, told %d", row.name, s.Done, s.Told)
		}
	}
}

// Whatever comes, what is read here is read so by the generated code.
func FuzzSettled(f *testing.F) {
	for _, m := range []*pb.SubscribeRequest{ack(&pb.Ack{Told: 3}), ack(&pb.Ack{Done: []*pb.DeliveryRange{{First: 7, Last: 900}}, Told: 1})} {
		b, _ := proto.Marshal(m)
		f.Add(b)
		f.Add(append(b, b...))
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Settled
		if !s.Parse(b) {
			return
		}
		var m pb.SubscribeRequest
		if err := proto.Unmarshal(b, &m); err != nil || m.GetAck() == nil {
			t.Fatalf("%v, %v", &m, err)
		}
		a := m.GetAck()
		if len(a.Done) != len(s.Done) || a.Told != s.Told || len(a.Nacks) > 0 || len(a.Extend) > 0 {
			t.Fatalf("%v, read as %v", a, s)
		}
		for i, r := range a.Done {
			if (Range{r.First, r.Last}) != s.Done[i] {
				t.Fatalf("%v, read as %v", a, s)
			}
		}
	})
}
