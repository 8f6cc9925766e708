package control

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// sent is what an outbox sends, one word an answer.
func sent(o *outbox, fault error) (words []string) {
	o.flush(func(m *pb.SubscribeResponse) error {
		if fault != nil {
			return fault
		}
		for _, a := range m.GetClientAcks().GetAcks() {
			words = append(words, a.Sid)
		}
		for _, s := range m.GetClientAcks().GetSummaries() {
			words = append(words, fmt.Sprint("of ", s.Expected))
		}
		return nil
	})
	return words
}

func TestWhatAStreamDoesNotSendTheNextOneDoes(t *testing.T) {
	want := func(what string, got []string, want ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	var rs relays
	me := seat{"chat", "1"}
	first := newOutbox()
	r := &ackRelay{commandID: "q", home: &rs, seat: me, out: first}
	rs.add(r)
	r.Ack(socketio.Ack{SID: "a", Outcome: socketio.TimedOut})
	want("sent", sent(first, nil), "a")
	r.Ack(socketio.Ack{SID: "b", Outcome: socketio.TimedOut})
	want("nothing", sent(first, errors.New("the stream is broken")))

	// The next stream is there before the edge knows that the first is dead.
	second := newOutbox()
	rs.attach(me, second)
	r.Ack(socketio.Ack{SID: "c", Outcome: socketio.TimedOut})
	first.close()
	want("sent", sent(second, nil), "c", "b")
	r.Summary(socketio.AckSummary{TimedOut: 4})
	second.close()

	// Nobody is there for a while.
	r.Ack(socketio.Ack{SID: "d", Outcome: socketio.TimedOut})
	third := newOutbox()
	rs.attach(seat{"chat", "2"}, newOutbox())
	rs.attach(me, third)
	if len(rs.open) != 1 {
		t.Errorf("open before the end was sent: %v", rs.open)
	}
	want("sent", sent(third, nil), "d", "of 4")
	if len(rs.open) != 0 {
		t.Errorf("open after the end was sent: %v", rs.open)
	}
}

func TestACommandThatFailsLeavesNothingOpen(t *testing.T) {
	srv := &Server{}
	c := commands{srv: srv, member: &group.Member{}, seat: seat{"chat", "1"}, out: newOutbox()}
	cmd := &pb.Command{Op: &pb.Command_Emit{Emit: &pb.Emit{Ack: &pb.AckRequest{Timeout: durationpb.New(-1)}}}}
	r := c.relay(cmd)
	if len(srv.relays.open) != 1 {
		t.Error("nobody waits")
	}
	if res := c.do(cmd, r); res.Status == nil || len(srv.relays.open) != 0 {
		t.Errorf("%v, open %v", res, srv.relays.open)
	}
}
