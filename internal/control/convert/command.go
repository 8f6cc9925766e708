package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// Command returns the floor's command for the contract's. sink is told of acknowledgements, if
// the command asks for some. The error is a *socketio.Error.
func Command(c *pb.Command, sink socketio.AckSink) (socketio.Command, error) {
	switch op := c.Op.(type) {
	case *pb.Command_Emit:
		m, err := Emit(op.Emit, sink)
		if err != nil {
			return nil, err // not m: it is nil of a type
		}
		m.ID = c.CommandId
		return m, nil
	case *pb.Command_Join:
		return &socketio.Join{Target: Target(op.Join.Target), Rooms: op.Join.Rooms}, nil
	case *pb.Command_Leave:
		if op.Leave.All && len(op.Leave.Rooms) > 0 {
			return nil, &socketio.Error{Reason: Invalid, Text: "leave: give rooms or all, not both"}
		}
		return &socketio.Leave{Target: Target(op.Leave.Target), Rooms: op.Leave.Rooms, All: op.Leave.All}, nil
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
	args, attachments, err := arguments(e)
	if err != nil {
		return nil, err
	}
	m := &socketio.Emit{Target: Target(e.GetTarget()), Event: e.GetEvent(), Args: args, Attachments: attachments,
		Volatile: e.GetVolatile(), TTL: e.GetTtl().AsDuration()}
	if e.GetAck() != nil {
		m.Acks, m.AckTimeout = sink, e.Ack.GetTimeout().AsDuration()
		if m.AckTimeout == 0 {
			m.AckTimeout = defaultAckTimeout
		}
		if m.AckTimeout < 0 || m.AckTimeout > maxAckTimeout {
			return nil, &socketio.Error{Reason: Invalid, Text: fmt.Sprintf("emit: ack timeout %s: above 0, at most %s", m.AckTimeout, maxAckTimeout)}
		}
	}
	return m, nil
}

func arguments(e *pb.Emit) ([]byte, [][]byte, error) {
	if e.GetArgs() == nil {
		return e.GetPayload().GetJson(), e.GetPayload().GetAttachments(), nil
	}
	if e.Payload != nil {
		return nil, nil, &socketio.Error{Reason: Invalid, Text: "emit: give payload or args, not both"}
	}
	args, err := json.Marshal(e.Args.AsSlice())
	if err != nil {
		return nil, nil, &socketio.Error{Reason: socketio.PayloadInvalid, Text: "emit: args: " + err.Error()}
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
	socketio.DeliverySettled:  codes.FailedPrecondition,
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
