package convert

import (
	"net/url"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Batch builds messages of deliveries in memory that it reuses, because the messages of one
// event are many small objects. The zero value is ready. What Message returns is good until the
// next Reset: gRPC encodes a message before Send returns.
type Batch struct {
	slots []*slot
	list  pb.DeliveryBatch
	kind  pb.SubscribeResponse_Deliveries
	msg   pb.SubscribeResponse
}

// slot is one delivery with everything that a ClientEvent, the most frequent kind, is made of.
type slot struct {
	delivery pb.Delivery
	event    pb.Event
	at       timestamppb.Timestamp
	kind     pb.Event_ClientEvent
	client   pb.ClientEvent
	payload  pb.Payload
}

// Reset empties the batch.
func (b *Batch) Reset() { b.list.Deliveries = b.list.Deliveries[:0] }

// Add appends a delivery.
func (b *Batch) Add(id uint64, attempt uint32, offset, prevSeq uint64, ev *socketio.Event) {
	n := len(b.list.Deliveries)
	if n == len(b.slots) {
		s := new(slot)
		s.delivery.Event = &s.event
		s.event.ReceivedAt = &s.at
		s.kind.ClientEvent = &s.client
		s.client.Payload = &s.payload
		b.slots = append(b.slots, s)
	}
	s := b.slots[n]
	s.delivery.DeliveryId, s.delivery.Attempt = id, attempt
	fill(&s.event, offset, prevSeq, ev)
	s.at.Seconds, s.at.Nanos = ev.At.Unix(), int32(ev.At.Nanosecond())
	s.event.ReceivedAt = &s.at
	if ev.Kind == socketio.ClientEvent {
		s.client.Event, s.client.WantsReply, s.client.NumericName = ev.Name, ev.WantsReply, ev.NumericName
		s.payload.Json, s.payload.Attachments = ev.Args, ev.Attachments
		s.event.Kind = &s.kind
	} else {
		lifeKind(&s.event, ev)
	}
	b.list.Deliveries = append(b.list.Deliveries, &s.delivery)
}

// Message returns the batch as a message of the stream.
func (b *Batch) Message() *pb.SubscribeResponse {
	b.kind.Deliveries = &b.list
	b.msg.Message = &b.kind
	return &b.msg
}

// Event returns an event as a message of its own.
func Event(offset uint64, ev *socketio.Event) *pb.Event {
	m := &pb.Event{ReceivedAt: timestamppb.New(ev.At)}
	fill(m, offset, 0, ev)
	if ev.Kind == socketio.ClientEvent {
		m.Kind = &pb.Event_ClientEvent{ClientEvent: &pb.ClientEvent{Event: ev.Name, WantsReply: ev.WantsReply,
			NumericName: ev.NumericName, Payload: &pb.Payload{Json: ev.Args, Attachments: ev.Attachments}}}
	} else {
		lifeKind(m, ev)
	}
	return m
}

func fill(m *pb.Event, offset, prevSeq uint64, ev *socketio.Event) {
	m.Offset, m.Sid, m.Namespace, m.Seq, m.PrevSeq = offset, ev.Socket.SID, ev.Socket.Nsp.Name, ev.Seq, prevSeq
}

func lifeKind(m *pb.Event, ev *socketio.Event) {
	l := ev.Life
	switch ev.Kind {
	case socketio.ConnectRequested:
		m.Kind = &pb.Event_ConnectRequested{ConnectRequested: &pb.ConnectRequested{Handshake: Handshake(l.Handshake),
			AuthJson: l.Auth, AnswerBy: timestamppb.New(l.AnswerBy), Resuming: l.Resuming}}
	case socketio.Opened:
		m.Kind = &pb.Event_Opened{Opened: &pb.Opened{Session: Session(&l.Session), AuthJson: l.Auth}}
	case socketio.Suspended:
		m.Kind = &pb.Event_Suspended{Suspended: &pb.Suspended{Reason: reasons[l.Reason], ResumableUntil: timestamppb.New(l.Until)}}
	case socketio.Resumed:
		m.Kind = &pb.Event_Resumed{Resumed: &pb.Resumed{Replayed: uint32(l.Replayed), Complete: l.Complete, Session: Session(&l.Session)}}
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
