package sioedge

import (
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Reason is why a connection was lost or a session ended, in the words of Socket.IO servers.
type Reason string

// The reasons.
const (
	ClientDisconnect  Reason = "client namespace disconnect" // the client called disconnect()
	ServerDisconnect  Reason = "server namespace disconnect" // a backend called Disconnect
	TransportClose    Reason = "transport close"             // the connection ended
	TransportError    Reason = "transport error"             // the connection failed
	PingTimeout       Reason = "ping timeout"                // no pong in time
	ParseError        Reason = "parse error"                 // the client sent something that is no packet
	ForcedClose       Reason = "forced close"                // the edge closed the connection
	ForcedServerClose Reason = "forced server close"         // the client broke the protocol
	EdgeDrain         Reason = "server shutting down"        // the edge stops
	SlowConsumer      Reason = "slow consumer"               // the client did not read fast enough
	EdgeRestart       Reason = "edge restart"                // the edge restarted and the client did not come back
)

var reasons = map[pb.CloseReason]Reason{
	pb.CloseReason_CLOSE_REASON_CLIENT:              ClientDisconnect,
	pb.CloseReason_CLOSE_REASON_BACKEND:             ServerDisconnect,
	pb.CloseReason_CLOSE_REASON_TRANSPORT_CLOSE:     TransportClose,
	pb.CloseReason_CLOSE_REASON_TRANSPORT_ERROR:     TransportError,
	pb.CloseReason_CLOSE_REASON_PING_TIMEOUT:        PingTimeout,
	pb.CloseReason_CLOSE_REASON_PARSE_ERROR:         ParseError,
	pb.CloseReason_CLOSE_REASON_FORCED_CLOSE:        ForcedClose,
	pb.CloseReason_CLOSE_REASON_FORCED_SERVER_CLOSE: ForcedServerClose,
	pb.CloseReason_CLOSE_REASON_EDGE_DRAIN:          EdgeDrain,
	pb.CloseReason_CLOSE_REASON_SLOW_CONSUMER:       SlowConsumer,
	pb.CloseReason_CLOSE_REASON_EDGE_RESTART:        EdgeRestart,
}

// newReason prefers the code: programs compare with the constants. A reason that is newer than
// this package keeps the edge's words.
func newReason(code pb.CloseReason, detail string) Reason {
	if r, ok := reasons[code]; ok {
		return r
	}
	return Reason(detail)
}
