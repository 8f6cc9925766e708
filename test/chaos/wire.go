package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// watch notes every event that reaches the process, before the SDK sees it: ids and attempts are
// not for handlers.
func (b *backend) watch(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return watched{s, b}, nil
}

type watched struct {
	grpc.ClientStream
	b *backend
}

// SendMsg asks for the backlog that the run needs: the SDK has no word for it.
func (w watched) SendMsg(m any) error {
	if hello := helloOf(m); hello != nil && w.b.Backlog > 0 {
		hello.Spec.MaxBacklogEvents = uint32(w.b.Backlog)
	}
	return w.ClientStream.SendMsg(m)
}

func helloOf(m any) *pb.Hello {
	request, ok := m.(*pb.SubscribeRequest)
	if !ok {
		return nil
	}
	return request.GetHello()
}

// RecvMsg receives a message and notes the deliveries in it.
func (w watched) RecvMsg(m any) error {
	if err := w.ClientStream.RecvMsg(m); err != nil {
		return err
	}
	response, ok := m.(*pb.SubscribeResponse)
	if !ok {
		return nil
	}
	for _, d := range response.GetDeliveries().GetDeliveries() {
		w.b.noteDelivery(d)
	}
	return nil
}

func (b *backend) noteDelivery(d *pb.Delivery) {
	ev := d.GetEvent()
	kind, c, k := "", 0, 0
	switch e := ev.GetKind().(type) {
	case *pb.Event_Opened:
		kind = "opened"
	case *pb.Event_Closed:
		kind = "closed"
	case *pb.Event_Suspended:
		kind = "suspended"
	case *pb.Event_Resumed:
		kind = "resumed"
	case *pb.Event_ClientEvent:
		kind = "client"
		fmt.Sscanf(string(e.ClientEvent.GetPayload().GetJson()), "[%d,%d", &c, &k) // zeros are no event of ours
	default:
		return // a request to connect ends with its connection
	}
	at := ev.GetReceivedAt()
	b.log.add("wire", "%s %s %d %d %d %d %d %d", kind, ev.GetSid(), ev.GetOffset(),
		at.GetSeconds()*1e9+int64(at.GetNanos()), ev.GetSeq(), d.GetAttempt(), c, k)
}
