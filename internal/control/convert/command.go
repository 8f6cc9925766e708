package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// The bounds of AckRequest.timeout.
const (
	defaultAckTimeout = 10 * time.Second
	maxAckTimeout     = 10 * time.Minute
)

// Invalid is the reason of a command that says nothing or contradicts itself.
const Invalid = "COMMAND_INVALID"

// GroupUnknown is the reason of what names a group that there is not.
const GroupUnknown = "GROUP_UNKNOWN"

// Command returns the floor's command for the contract's, but for a Tell and an Answer. by is who sends it. sink
// is told of acknowledgements, if the command asks for some. The error is a *socketio.Error.
func Command(c *pb.Command, by any, sink socketio.AckSink) (socketio.Command, error) {
	switch op := c.Op.(type) {
	case *pb.Command_Emit:
		m, err := Emit(op.Emit, sink)
		if err != nil {
			return nil, err // not m: it is nil of a type
		}
		m.ID = c.CommandId
		return m, nil
	case *pb.Command_Join:
		return &socketio.Join{Target: Target(op.Join.Target), Rooms: op.Join.Rooms, By: by}, nil
	case *pb.Command_Leave:
		if op.Leave.All && len(op.Leave.Rooms) > 0 {
			return nil, &socketio.Error{Reason: Invalid, Text: "leave: give rooms or all, not both"}
		}
		return &socketio.Leave{Target: Target(op.Leave.Target), Rooms: op.Leave.Rooms, All: op.Leave.All, By: by}, nil
	case *pb.Command_Disconnect:
		return &socketio.Disconnect{Target: Target(op.Disconnect.Target), Close: op.Disconnect.CloseConnection}, nil
	case *pb.Command_Update:
		u := op.Update
		return &socketio.Update{SID: u.Sid, Namespace: u.Namespace, Set: u.Set, Unset: u.Unset, IfRevision: u.IfRevision}, nil
	}
	return nil, &socketio.Error{Reason: Invalid, Text: "command: no operation, or one that this edge does not know"}
}

// Emit returns the floor's command for an Emit.
func Emit(e *pb.Emit, sink socketio.AckSink) (*socketio.Emit, error) {
	args, attachments, err := Arguments("emit", e)
	if err != nil {
		return nil, err
	}
	m := &socketio.Emit{Target: Target(e.GetTarget()), Event: e.GetEvent(), Args: args, Attachments: attachments,
		Volatile: e.GetVolatile(), TTL: e.GetTtl().AsDuration()}
	if e.GetAck() != nil {
		m.Acks = sink
		if m.AckTimeout, err = AckTimeout("emit", e.Ack); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// AckTimeout returns how long answers are waited for. The error is a *socketio.Error.
func AckTimeout(verb string, ack *pb.AckRequest) (time.Duration, error) {
	d := ack.GetTimeout().AsDuration()
	if d == 0 {
		return defaultAckTimeout, nil
	}
	if d < 0 || d > maxAckTimeout {
		return 0, &socketio.Error{Reason: Invalid, Text: fmt.Sprintf("%s: ack timeout %s: above 0, at most %s", verb, d, maxAckTimeout)}
	}
	return d, nil
}

// Arguments returns those of an Emit or a Tell. The error is a *socketio.Error.
func Arguments(verb string, m interface {
	GetPayload() *pb.Payload
	GetArgs() *structpb.ListValue
}) ([]byte, [][]byte, error) {
	payload, values := m.GetPayload(), m.GetArgs()
	if values == nil {
		return payload.GetJson(), payload.GetAttachments(), nil
	}
	if payload != nil {
		return nil, nil, &socketio.Error{Reason: Invalid, Text: verb + ": give payload or args, not both"}
	}
	args, err := json.Marshal(values.AsSlice())
	if err != nil {
		return nil, nil, &socketio.Error{Reason: socketio.PayloadInvalid, Text: verb + ": args: " + err.Error()}
	}
	return args, nil, nil
}

// Accept returns the floor's Accept for the contract's.
func Accept(a *pb.Accept) (*socketio.Accept, error) {
	m := &socketio.Accept{UserID: a.UserId, Attributes: a.Attributes, Rooms: a.Rooms}
	for _, g := range a.Greeting {
		if g.GetAck() != nil {
			return nil, &socketio.Error{Reason: Invalid, Text: "accept: a greeting cannot ask for an acknowledgement"}
		}
		e, err := Emit(g, nil)
		if err != nil {
			return nil, err
		}
		m.Greeting = append(m.Greeting, e)
	}
	return m, nil
}

// Target returns the floor's target for the contract's; one that names nobody for nil.
func Target(t *pb.Target) socketio.Target {
	return socketio.Target{Namespace: t.GetNamespace(), Rooms: t.GetRooms(), SIDs: t.GetSids(), UserIDs: t.GetUserIds(),
		Everyone: t.GetEveryone(), ExceptRooms: t.GetExceptRooms(), ExceptSIDs: t.GetExceptSids()}
}

// TargetMessage is the reverse of Target.
func TargetMessage(t *socketio.Target) *pb.Target {
	return &pb.Target{Namespace: t.Namespace, Rooms: t.Rooms, Sids: t.SIDs, UserIds: t.UserIDs,
		Everyone: t.Everyone, ExceptRooms: t.ExceptRooms, ExceptSids: t.ExceptSIDs}
}

// Domain is the domain of every google.rpc.ErrorInfo of this project.
const Domain = "sio-edge"

var errorCodes = map[string]codes.Code{
	Invalid:                   codes.InvalidArgument,
	socketio.TargetEmpty:      codes.InvalidArgument,
	socketio.TargetInvalid:    codes.InvalidArgument,
	socketio.NamespaceUnknown: codes.NotFound,
	socketio.SessionGone:      codes.NotFound,
	socketio.PayloadInvalid:   codes.InvalidArgument,
	socketio.EventInvalid:     codes.InvalidArgument,
	socketio.LimitExceeded:    codes.ResourceExhausted,
	socketio.RevisionMismatch: codes.FailedPrecondition,
	socketio.StoreFull:        codes.ResourceExhausted,
	socketio.MemoryShort:      codes.ResourceExhausted,
	socketio.DeliverySettled:  codes.FailedPrecondition,
	GroupUnknown:              codes.NotFound,
}

// Status returns the status for an error of the floor below, with its reason as ErrorInfo.
func Status(err error) *status.Status {
	var e *socketio.Error
	if !errors.As(err, &e) {
		return status.Convert(err)
	}
	code, ok := errorCodes[e.Reason]
	if !ok {
		code = codes.Internal
	}
	return Failure(code, e.Reason, e.Text)
}

// Failure returns a status with its reason as ErrorInfo.
func Failure(code codes.Code, reason, text string) *status.Status {
	st, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: Domain})
	if err != nil {
		return status.New(code, text)
	}
	return st
}
