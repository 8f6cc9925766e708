// Package convert turns what the Socket.IO floor speaks of into the messages of the contract and
// back. It is pure: no I/O, no clock, no state but the memory that a Batch reuses.
package convert

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

var reasons = map[socketio.Reason]pb.CloseReason{
	socketio.ClientDisconnect:  pb.CloseReason_CLOSE_REASON_CLIENT,
	socketio.ServerDisconnect:  pb.CloseReason_CLOSE_REASON_BACKEND,
	socketio.TransportClose:    pb.CloseReason_CLOSE_REASON_TRANSPORT_CLOSE,
	socketio.TransportError:    pb.CloseReason_CLOSE_REASON_TRANSPORT_ERROR,
	socketio.PingTimeout:       pb.CloseReason_CLOSE_REASON_PING_TIMEOUT,
	socketio.ParseError:        pb.CloseReason_CLOSE_REASON_PARSE_ERROR,
	socketio.ForcedClose:       pb.CloseReason_CLOSE_REASON_FORCED_CLOSE,
	socketio.ForcedServerClose: pb.CloseReason_CLOSE_REASON_FORCED_SERVER_CLOSE,
	socketio.ServerShutdown:    pb.CloseReason_CLOSE_REASON_EDGE_DRAIN,
	socketio.SlowConsumer:      pb.CloseReason_CLOSE_REASON_SLOW_CONSUMER,
	socketio.EdgeRestart:       pb.CloseReason_CLOSE_REASON_EDGE_RESTART,
}

var states = [...]pb.SessionState{
	socketio.Connecting: pb.SessionState_SESSION_STATE_UNSPECIFIED,
	socketio.Open:       pb.SessionState_SESSION_STATE_OPEN,
	socketio.Away:       pb.SessionState_SESSION_STATE_SUSPENDED,
	socketio.Ended:      pb.SessionState_SESSION_STATE_CLOSED,
}

var outcomes = [...]pb.AckOutcome{
	socketio.Acked:        pb.AckOutcome_ACK_OUTCOME_ACKED,
	socketio.TimedOut:     pb.AckOutcome_ACK_OUTCOME_TIMED_OUT,
	socketio.Disconnected: pb.AckOutcome_ACK_OUTCOME_DISCONNECTED,
	socketio.Dropped:      pb.AckOutcome_ACK_OUTCOME_DROPPED,
}

// Session returns the message for a session.
func Session(s *socketio.Session) *pb.Session {
	return &pb.Session{
		Sid: s.SID, Namespace: s.Namespace, ConnectionId: s.Connection, UserId: s.UserID, Attributes: s.Attributes,
		Rooms: s.Rooms, State: states[s.State], OpenedAt: timestamppb.New(s.OpenedAt), Revision: s.Revision,
		Handshake: Handshake(s.Handshake), Transport: s.Transport, Recovered: s.Recovered, AuthJson: []byte(s.Auth),
	}
}

// Handshake returns the message for the request that opened a connection, nil for nil.
func Handshake(h *engineio.Handshake) *pb.Handshake {
	if h == nil {
		return nil
	}
	m := &pb.Handshake{RemoteAddr: h.RemoteAddr, Path: h.Path, Query: query(h.RawQuery),
		Transport: h.Transport, Secure: h.Secure, IssuedAt: timestamppb.New(h.At)}
	if len(h.Headers) > 0 {
		m.Headers = make(map[string]string, len(h.Headers)/2)
		for i := 0; i+1 < len(h.Headers); i += 2 {
			m.Headers[h.Headers[i]] = strings.ToValidUTF8(h.Headers[i+1], "\uFFFD")
		}
	}
	return m
}

// Ack returns the message for one recipient's answer.
func Ack(commandID string, a socketio.Ack) *pb.ClientAck {
	m := &pb.ClientAck{CommandId: commandID, Sid: a.SID, Outcome: outcomes[a.Outcome]}
	if a.Outcome == socketio.Acked {
		m.Payload = &pb.Payload{Json: a.Args, Attachments: a.Attachments}
	}
	return m
}

// Answer returns the message for what one member of a group answered.
func Answer(commandID, memberID string, outcome socketio.Outcome, args []byte, attachments [][]byte) *pb.ClientAck {
	m := &pb.ClientAck{CommandId: commandID, MemberId: memberID, Outcome: outcomes[outcome]}
	if outcome == socketio.Acked {
		m.Payload = &pb.Payload{Json: args, Attachments: attachments}
	}
	return m
}

// Summary returns the message for the end of an emit with acknowledgements.
func Summary(commandID string, s socketio.AckSummary) *pb.AckSummary {
	return &pb.AckSummary{CommandId: commandID, Expected: uint64(s.Acked + s.TimedOut + s.Disconnected + s.Dropped),
		Acked: uint64(s.Acked), TimedOut: uint64(s.TimedOut), Disconnected: uint64(s.Disconnected), Dropped: uint64(s.Dropped)}
}

// Receipt returns the message for what a command did.
func Receipt(r socketio.Receipt) *pb.Receipt {
	return &pb.Receipt{Matched: uint64(r.Matched), Written: uint64(r.Written), Dropped: uint64(r.Dropped)}
}
