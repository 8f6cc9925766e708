package convert

import (
	"net/url"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Event returns an event as a message of its own.
func Event(offset uint64, ev *socketio.Event) *pb.Event {
	m := &pb.Event{Offset: offset, Sid: ev.Socket.SID, Namespace: ev.Socket.Nsp.Name, Seq: ev.Seq, ReceivedAt: timestamppb.New(ev.At)}
	if ev.Kind == socketio.ClientEvent {
		m.Kind = &pb.Event_ClientEvent{ClientEvent: &pb.ClientEvent{Event: ev.Name, WantsReply: ev.WantsReply,
			NumericName: ev.NumericName, Payload: &pb.Payload{Json: ev.Args, Attachments: ev.Attachments}}}
	} else {
		lifeKind(m, ev)
	}
	return m
}

// lifeKind sets what an event of a session's life says.
func lifeKind(m *pb.Event, ev *socketio.Event) {
	l := ev.Life
	switch ev.Kind {
	case socketio.ConnectRequested:
		asked := &pb.ConnectRequested{Handshake: Handshake(l.Handshake), AuthJson: l.Auth, AnswerBy: timestamppb.New(l.AnswerBy), Resuming: l.Resuming}
		if l.Identity != nil {
			asked.UserId, asked.Attributes = l.Identity.Subject, l.Identity.Attributes
		}
		m.Kind = &pb.Event_ConnectRequested{ConnectRequested: asked}
	case socketio.Opened:
		m.Kind = &pb.Event_Opened{Opened: &pb.Opened{Session: Session(&l.Session), AuthJson: l.Auth}}
	case socketio.Suspended:
		m.Kind = &pb.Event_Suspended{Suspended: &pb.Suspended{Reason: reasons[l.Reason], ResumableUntil: timestamppb.New(l.Until)}}
	case socketio.Resumed:
		m.Kind = &pb.Event_Resumed{Resumed: &pb.Resumed{Replayed: uint32(l.Replayed), Complete: l.Complete, Session: Session(&l.Session), AuthJson: l.Auth}}
	case socketio.Closed:
		m.Kind = &pb.Event_Closed{Closed: &pb.Closed{Reason: reasons[l.Reason], Detail: string(l.Reason), Session: Session(&l.Session)}}
	}
}

// Kind returns the floor's kind for the contract's, 0 for one it does not know.
func Kind(k pb.EventKind) socketio.Kind {
	switch k {
	case pb.EventKind_EVENT_KIND_CONNECT_REQUESTED:
		return socketio.ConnectRequested
	case pb.EventKind_EVENT_KIND_OPENED:
		return socketio.Opened
	case pb.EventKind_EVENT_KIND_SUSPENDED:
		return socketio.Suspended
	case pb.EventKind_EVENT_KIND_RESUMED:
		return socketio.Resumed
	case pb.EventKind_EVENT_KIND_CLOSED:
		return socketio.Closed
	case pb.EventKind_EVENT_KIND_CLIENT_EVENT:
		return socketio.ClientEvent
	}
	return 0
}

// query parses a raw query; of a repeated key the last value counts, and what does not parse is
// left out.
func query(raw string) map[string]string {
	values, _ := url.ParseQuery(raw)
	m := make(map[string]string, len(values))
	for k, v := range values {
		m[strings.ToValidUTF8(k, "\uFFFD")] = strings.ToValidUTF8(v[len(v)-1], "\uFFFD")
	}
	return m
}
