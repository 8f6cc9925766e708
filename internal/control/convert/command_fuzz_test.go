package convert

import (
	"io"
	"log/slog"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// nobody is a socketio.Backend that hears of everything and does nothing.
type nobody struct{}

func (nobody) Deliver(*socketio.Event) bool        { return true }
func (nobody) Release(*socketio.Event)             {}
func (nobody) Changed(socketio.Change)             {}
func (nobody) Admission(string) socketio.Admission { return socketio.Free }

// deaf is a socketio.AckSink.
type deaf struct{}

func (deaf) Ack(socketio.Ack)            {}
func (deaf) Summary(socketio.AckSummary) {}

// FuzzCommand: whatever a backend sends is a command or an error with one of the reasons, and can be
// applied.
func FuzzCommand(f *testing.F) {
	add := func(c *pb.Command) {
		b, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	all := &pb.Target{Namespace: "/", Everyone: true}
	payload := &pb.Payload{Json: []byte(`["hi",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1}}}
	add(&pb.Command{CommandId: "1", Op: &pb.Command_Emit{Emit: &pb.Emit{Target: all, Event: "say", Payload: payload}}})
	add(&pb.Command{Op: &pb.Command_Emit{Emit: &pb.Emit{Target: all, Event: "connect", Ack: &pb.AckRequest{}}}})
	add(&pb.Command{Op: &pb.Command_Emit{}})
	add(&pb.Command{Op: &pb.Command_Join{Join: &pb.Join{Target: all, Rooms: []string{"", "a"}}}})
	add(&pb.Command{Op: &pb.Command_Leave{Leave: &pb.LeaveRooms{Target: all, All: true, Rooms: []string{"a"}}}})
	add(&pb.Command{Op: &pb.Command_Disconnect{Disconnect: &pb.Disconnect{Target: &pb.Target{Namespace: "/x"}, CloseConnection: true}}})
	add(&pb.Command{Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: "s", Namespace: "/", Set: map[string]string{"a": "b"}, Unset: []string{"c"}}}})
	sockets := socketio.NewServer(socketio.Config{}, nobody{}, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	f.Cleanup(sockets.Close)
	f.Fuzz(func(t *testing.T, b []byte) {
		var c pb.Command
		if proto.Unmarshal(b, &c) != nil {
			return
		}
		cmd, err := Command(&c, nil, deaf{})
		if err == nil {
			var flush socketio.Flush
			_, err = sockets.Apply(cmd, &flush)
			flush.Do()
		}
		if err == nil {
			return
		}
		if s := Status(err); s == nil || s.Message() == "" {
			t.Errorf("%v: the error %v has no words", &c, err)
		}
	})
}
