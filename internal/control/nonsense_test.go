package control_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Names are bounded in number, so that one command cannot keep the locks.
func TestG9_CommandsBeyondTheLimits(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	everyone := &pb.Target{Everyone: true}
	many := make([]string, 10_000)
	for i := range many {
		many[i] = "room"
	}
	holes := emit("holes", "x", `[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, everyone)
	holes.GetEmit().Payload.Attachments = [][]byte{{1}}
	spare := emit("spare", "x", `[]`, everyone)
	spare.GetEmit().Payload.Attachments = [][]byte{{1}}
	m.commands(
		emit("reserved", "connect", `[]`, everyone),
		emit("reserved too", "disconnecting", `[]`, everyone),
		emit("long", strings.Repeat("x", 129), `[]`, everyone),
		emit("no JSON", "x", `[1,]`, everyone),
		emit("no array", "x", `{}`, everyone),
		emit("deep", "x", strings.Repeat("[", 65)+strings.Repeat("]", 65), everyone),
		emit("many arguments", "x", "["+strings.Repeat("1,", 300)+"1]", everyone),
		holes, spare,
		emit("large", "x", `["`+strings.Repeat("x", 5_000_001)+`"]`, everyone),
		emit("rooms", "x", `[]`, &pb.Target{Rooms: many}),
		emit("exceptions", "x", `[]`, &pb.Target{Everyone: true, ExceptRooms: many}),
		&pb.Command{CommandId: "join", Op: &pb.Command_Join{Join: &pb.Join{Target: everyone, Rooms: many}}},
		emit("good", "x", `[]`, everyone),
	)
	got := make(map[string]codes.Code)
	for len(got) < 14 {
		for _, r := range m.recv().GetResults().GetResults() {
			got[r.CommandId] = codes.Code(r.GetStatus().GetCode())
		}
	}
	for id, code := range got {
		want := codes.InvalidArgument
		if id == "good" {
			want = codes.OK
		}
		if code != want {
			t.Errorf("%s: %s, want %s", id, code, want)
		}
	}
}

// Acks of what was never delivered, out of order or twice change nothing, and a delivery that is
// handed back again and again comes back more and more slowly.
func TestG13_AcksThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	w.connect()
	opened := m.delivery()
	ranges := func(rs ...uint64) *pb.SubscribeRequest {
		a := &pb.Ack{}
		for i := 0; i < len(rs); i += 2 {
			a.Done = append(a.Done, &pb.DeliveryRange{First: rs[i], Last: rs[i+1]})
		}
		return &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: a}}
	}
	m.send(ranges(999, 1_000_000_000_000, 7, 3, 1<<63, 1<<64-1))
	nack := func(id uint64) {
		m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{Nacks: []*pb.Nack{{DeliveryId: id}}}}})
	}
	begin := time.Now()
	for range 1000 {
		nack(opened.DeliveryId)
	}
	again := m.delivery()
	equal(t, "attempt", again.Attempt, 2)
	if waited := time.Since(begin); waited < 90*time.Millisecond {
		t.Errorf("delivered again after %v, want 100 ms", waited)
	}
	begin = time.Now()
	nack(again.DeliveryId)
	third := m.delivery()
	if waited := time.Since(begin); waited < 180*time.Millisecond || third.Attempt != 3 {
		t.Errorf("attempt %d after %v, want the third after 200 ms", third.Attempt, waited)
	}
	m.send(ranges(third.DeliveryId, third.DeliveryId, third.DeliveryId, third.DeliveryId, 1, 1))
	m.commands(emit("after", "x", `[]`, &pb.Target{Everyone: true}))
	for {
		if r := m.recv().GetResults(); r != nil {
			equal(t, "the stream goes on", r.Results[0].CommandId, "after")
			return
		}
	}
}

// A backend that never reads holds up its own group and nobody else's.
func TestG11_ABackendThatNeverReads(t *testing.T) {
	w := newWorld(t)
	deaf := w.attach(&pb.Hello{Group: "deaf", MemberId: "1", InstanceId: "a"})
	_ = deaf // nothing is read from it any more
	m := w.attach(chat())
	m.snapshot()
	c, _ := w.connect()
	payload := strings.Repeat("x", 10_000)
	for range 20 { // 2 MB for a window of 8 MiB in the edge and 64 KiB on the stream
		c.send(strings.TrimSuffix(strings.Repeat(`42["up","`+payload+`"]`+"\x1e", 10), "\x1e"))
	}
	for n := 0; n < 200; {
		d := m.delivery()
		if d.Event.GetClientEvent() != nil {
			n++
		}
		m.done(d.DeliveryId)
	}
}

// Reflection is there only where everybody may do everything anyway; channelz never is.
func TestG16_ReflectionAndChannelz(t *testing.T) {
	ask := func(conn *grpc.ClientConn, path string) codes.Code {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
		if err != nil {
			return status.Code(err)
		}
		stream.CloseSend()
		err = stream.RecvMsg(&pb.GetEdgeResponse{})
		if errors.Is(err, io.EOF) {
			return codes.OK
		}
		return status.Code(err)
	}
	open, g := newWorld(t), newGuarded(t)
	for _, path := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"} {
		equal(t, path+" on loopback", ask(open.conn, path), codes.OK)
		equal(t, path+" with access control", ask(g.conn, path), codes.Unimplemented)
	}
	for _, conn := range []*grpc.ClientConn{open.conn, g.conn} {
		equal(t, "channelz", ask(conn, "/grpc.channelz.v1.Channelz/GetTopChannels"), codes.Unimplemented)
	}
}
