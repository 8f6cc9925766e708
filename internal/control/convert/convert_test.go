package convert

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var socket = &socketio.Socket{SID: "s1", Nsp: &socketio.Namespace{Name: "/chat"}}

func events() []*socketio.Event {
	at := time.Unix(1_700_000_000, 123_456_789)
	session := socketio.Session{SID: "s1", Namespace: "/chat", Rooms: []string{"a", "", strings.Repeat("r", 200)}, State: socketio.Open, OpenedAt: at,
		Connection: "c1", UserID: "u1", Attributes: map[string]string{"k": "v", "": "nameless", "empty": ""}, Revision: 1 << 20, Transport: "websocket", Recovered: true, Auth: "{}",
		Handshake: &engineio.Handshake{RemoteAddr: "192.0.2.7:1", Path: "/socket.io/", RawQuery: "EIO=4&x=1&x=2&bad=%zz&&a;b=1&empty=&=nameless&sp%20ace=+%ff",
			Headers: []string{"user-agent", "go", "odd", "\xff"}, Transport: "polling", At: at}}
	return []*socketio.Event{
		{Kind: socketio.ClientEvent, Socket: socket, Seq: 7, At: at, Name: "say", Args: []byte(`["hi"]`), Attachments: [][]byte{{1}}, WantsReply: true},
		{Kind: socketio.ConnectRequested, Socket: socket, At: at, Life: &socketio.Life{Handshake: session.Handshake, Auth: []byte(`{"a":1}`), AnswerBy: at, Resuming: true}},
		{Kind: socketio.ConnectRequested, Socket: socket, At: at, Life: &socketio.Life{AnswerBy: time.Time{}, Identity: &socketio.Identity{Subject: "u", Attributes: map[string]string{"a": "b"}}}},
		{Kind: socketio.Opened, Socket: socket, Seq: 1, At: at, Life: &socketio.Life{Session: session, Auth: []byte(`{"t":1}`)}},
		{Kind: socketio.Opened, Socket: socket, Seq: 1, At: at, Life: &socketio.Life{}},
		{Kind: socketio.Suspended, Socket: socket, Seq: 2, At: at, Life: &socketio.Life{Reason: socketio.PingTimeout, Until: at}},
		{Kind: socketio.Resumed, Socket: socket, Seq: 3, At: at, Life: &socketio.Life{Session: session, Replayed: 4, Complete: true, Auth: []byte("{}")}},
		{Kind: socketio.Closed, Socket: socket, Seq: 4, At: at, Life: &socketio.Life{Session: session, Reason: socketio.ClientDisconnect}},
		{Kind: socketio.ClientEvent, Socket: socket, Seq: 5, At: at, Name: "1", NumericName: true, Args: []byte(`[]`)},
		{Kind: socketio.ClientEvent, Socket: socket, Seq: 1 << 40, At: time.Unix(1, 0), Name: strings.Repeat("n", 128),
			Args: []byte("[" + strings.Repeat("1,", 20_000) + "1]"), Attachments: [][]byte{make([]byte, 127), {}, make([]byte, 1<<14)}},
	}
}

// A Batch reuses its messages: what one delivery said must not show in the next.
func TestABatchSaysTheSameAsMessagesOfTheirOwn(t *testing.T) {
	var b Batch
	all := events()
	parents := []string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	for round := range all {
		b.Reset()
		for i := range all { // another order each time, so that every kind follows every other
			b.Add(uint64(i+1), 2, 9, 0, all[(i+round)%len(all)], parents[i%len(parents)])
		}
		var got pb.SubscribeResponse
		if err := proto.Unmarshal(b.Wire(), &got); err != nil {
			t.Fatal(err)
		}
		for i, d := range got.GetDeliveries().Deliveries {
			want := Event(9, all[(i+round)%len(all)])
			if d.DeliveryId != uint64(i+1) || d.Attempt != 2 || d.TraceParent != parents[i%len(parents)] || !proto.Equal(d.Event, want) {
				t.Errorf("round %d: %v\nwant %v", round, d, want)
			}
		}
	}
}

func TestABatchAllocatesNothingOnceItHasGrown(t *testing.T) {
	for _, ev := range events() {
		if h := ev.Life; h != nil && h.Handshake != nil || h != nil && h.Session.Handshake != nil {
			handshake := cmp.Or(h.Handshake, h.Session.Handshake)
			handshake.RawQuery, handshake.Headers = "EIO=4&transport=websocket", []string{"user-agent", "go"} // nothing to decode
		}
		var b Batch
		fill := func() {
			b.Reset()
			for i := range 64 {
				b.Add(uint64(i), 1, uint64(i), 0, ev, "")
			}
			b.Wire()
		}
		fill()
		if n := testing.AllocsPerRun(100, fill); n != 0 {
			t.Errorf("%v allocations for 64 deliveries of %v", n, ev.Kind)
		}
	}
}

func TestHandshake(t *testing.T) {
	h := Event(1, events()[1]).GetConnectRequested().Handshake
	if h.Query["x"] != "2" {
		t.Errorf("H35 the last of repeated keys: %v", h.Query)
	}
	if h.Headers["user-agent"] != "go" || h.Headers["odd"] != "\uFFFD" {
		t.Errorf("headers %q", h.Headers)
	}
	if Handshake(nil) != nil {
		t.Error("a message for no handshake")
	}
}

func TestEveryReasonAndKindHasItsPlace(t *testing.T) {
	for reason, m := range reasons {
		if m == pb.CloseReason_CLOSE_REASON_UNSPECIFIED {
			t.Errorf("%s says nothing", reason)
		}
	}
	if len(reasons) != len(pb.CloseReason_name)-1 {
		t.Errorf("%d reasons for %d of the contract", len(reasons), len(pb.CloseReason_name)-1)
	}
	for k := range pb.EventKind_name {
		if got := Kind(pb.EventKind(k)); int32(got) != k {
			t.Errorf("kind %d became %d", k, got)
		}
	}
}

func TestCommands(t *testing.T) {
	list, _ := structpb.NewList([]any{"x", 1.5, nil})
	for _, row := range []struct {
		name   string
		emit   *pb.Emit
		args   string
		wrong  string
		expect time.Duration
	}{
		{name: "bytes", emit: &pb.Emit{Payload: &pb.Payload{Json: []byte(`[9007199254740993]`)}}, args: `[9007199254740993]`},
		{name: "JSON values", emit: &pb.Emit{Args: list}, args: `["x",1.5,null]`},
		{name: "both", emit: &pb.Emit{Args: list, Payload: &pb.Payload{}}, wrong: Invalid},
		{name: "the default timeout", emit: &pb.Emit{Ack: &pb.AckRequest{}}, expect: 10 * time.Second},
		{name: "a timeout", emit: &pb.Emit{Ack: &pb.AckRequest{Timeout: durationpb.New(time.Minute)}}, expect: time.Minute},
		{name: "too long", emit: &pb.Emit{Ack: &pb.AckRequest{Timeout: durationpb.New(time.Hour)}}, wrong: Invalid},
		{name: "negative", emit: &pb.Emit{Ack: &pb.AckRequest{Timeout: durationpb.New(-1)}}, wrong: Invalid},
	} {
		e, err := Emit(row.emit, nil)
		if row.wrong != "" {
			var refused *socketio.Error
			if !errors.As(err, &refused) || refused.Reason != row.wrong {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		if err != nil || string(e.Args) != row.args || e.AckTimeout != row.expect {
			t.Errorf("%s: %s %s %v", row.name, e.Args, e.AckTimeout, err)
		}
	}
	for _, c := range []*pb.Command{{}, {Op: &pb.Command_Leave{Leave: &pb.LeaveRooms{All: true, Rooms: []string{"a"}}}}} {
		if _, err := Command(c, nil, nil); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
}

func TestTargetRoundTrip(t *testing.T) {
	want := &pb.Target{Namespace: "/a", Rooms: []string{"r"}, Sids: []string{"s"}, UserIds: []string{"u"}, Everyone: true,
		ExceptRooms: []string{"x"}, ExceptSids: []string{"y"}}
	target := Target(want)
	if got := TargetMessage(&target); !proto.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestStatus(t *testing.T) {
	st := Status(&socketio.Error{Reason: socketio.SessionGone, Text: "gone"})
	if st.Code() != codes.NotFound || st.Message() != "gone" || !strings.Contains(st.Proto().String(), "SESSION_GONE") {
		t.Errorf("%v", st.Proto())
	}
	if st := Status(errors.New("x")); st.Code() != codes.Unknown {
		t.Errorf("%v", st)
	}
}
