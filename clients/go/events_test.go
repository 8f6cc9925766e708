package sioedge_test

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func session(sid string, rooms ...string) *pb.Session {
	return &pb.Session{Sid: sid, Namespace: "/", Rooms: rooms, State: pb.SessionState_SESSION_STATE_OPEN}
}

func opened(sid string, rooms ...string) *pb.Event {
	return &pb.Event{Sid: sid, Namespace: "/", Kind: &pb.Event_Opened{Opened: &pb.Opened{Session: session(sid, rooms...)}}}
}

func closed(sid string, reason pb.CloseReason) *pb.Event {
	end := session(sid, "last")
	end.State = pb.SessionState_SESSION_STATE_CLOSED
	return &pb.Event{Sid: sid, Namespace: "/", Kind: &pb.Event_Closed{Closed: &pb.Closed{Reason: reason, Session: end}}}
}

func emitted(sid, name, args string, attachments ...[]byte) *pb.Event {
	return &pb.Event{Sid: sid, Namespace: "/", ReceivedAt: timestamppb.Now(), Kind: &pb.Event_ClientEvent{
		ClientEvent: &pb.ClientEvent{Event: name, Payload: &pb.Payload{Json: []byte(args), Attachments: attachments}}}}
}

// asking is emitted with a callback.
func asking(sid, name, args string, attachments ...[]byte) *pb.Event {
	ev := emitted(sid, name, args, attachments...)
	ev.GetClientEvent().WantsReply = true
	return ev
}

func connecting(sid, auth string) *pb.Event {
	now := time.Now()
	return &pb.Event{Sid: sid, Namespace: "/", ReceivedAt: timestamppb.New(now), Kind: &pb.Event_ConnectRequested{
		ConnectRequested: &pb.ConnectRequested{AuthJson: []byte(auth), AnswerBy: timestamppb.New(now.Add(time.Minute)),
			Handshake: &pb.Handshake{RemoteAddr: "192.0.2.7:51000", Query: map[string]string{"v": "2"}}}}}
}

const (
	fresh     = pb.ResumeOutcome_RESUME_OUTCOME_FRESH
	continued = pb.ResumeOutcome_RESUME_OUTCOME_CONTINUED
)
