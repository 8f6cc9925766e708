package sioedge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

var (
	// ErrClosed is returned once the Edge has stopped.
	ErrClosed = errors.New("sioedge: closed")
	// ErrFenced is returned by Run when another process attached under the same group and member.
	ErrFenced = errors.New("sioedge: another process attached as the same member of the same group; give each its own Member")
)

// Reject, returned from OnConnect, refuses the client: it gets connect_error with the message and
// data, and does not try again by itself. data may be nil.
func Reject(message string, data any) error { return &rejection{message, data} }

type rejection struct {
	message string
	data    any
}

func (r *rejection) Error() string { return "rejected: " + r.message }

// proto renders the rejection; data that is no JSON is dropped, since refusing is what matters.
func (r *rejection) proto() (*pb.Reject, error) {
	out := &pb.Reject{Message: strings.ToValidUTF8(r.message, "\uFFFD")}
	if r.data == nil {
		return out, nil
	}
	data, err := json.Marshal(r.data)
	out.DataJson = data
	return out, err
}

// Error is a command or a question that the edge refused.
type Error struct {
	Code    codes.Code
	Reason  string // such as TARGET_EMPTY, SESSION_GONE, PAYLOAD_INVALID, NAMESPACE_UNKNOWN
	Message string
}

func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("sioedge: %s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("sioedge: %s: %s", e.Reason, e.Message)
}

// newError returns nil for success.
func newError(p *rpcstatus.Status) error {
	if p.GetCode() == 0 {
		return nil
	}
	return fromStatus(status.FromProto(p))
}

// callError turns the error of a unary call into an Error.
func callError(err error) error {
	if st, ok := status.FromError(err); ok && err != nil {
		return fromStatus(st)
	}
	return err
}

func fromStatus(st *status.Status) error {
	e := &Error{Code: st.Code(), Message: st.Message()}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			e.Reason = info.GetReason()
		}
	}
	return e
}

// final says whether trying again cannot help: the edge does not want this process as it is.
func final(err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return nil
	}
	switch st.Code() {
	case codes.FailedPrecondition, codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		e := fromStatus(st).(*Error)
		if e.Reason == "FENCED" {
			return ErrFenced
		}
		return e
	}
	return nil
}

func emitError(name string, err error) error { return fmt.Errorf("emit %q: %w", name, err) }

// Outcome is what became of one recipient of EmitWithAck. All but Acked are errors too, for
// errors.Is.
type Outcome uint8

// The outcomes.
const (
	Acked        Outcome = iota + 1 // the client answered
	TimedOut                        // it did not answer in time
	Disconnected                    // its session ended first
	Dropped                         // the event was not written to it
)

func (o Outcome) Error() string {
	switch o {
	case Acked:
		return "acknowledged"
	case TimedOut:
		return "no acknowledgement in time"
	case Disconnected:
		return "disconnected before the acknowledgement"
	case Dropped:
		return "not written"
	default:
		return "unknown outcome"
	}
}

// Answer is what one recipient of EmitWithAck or TellWithAck answered.
type Answer struct {
	SID     string // of EmitWithAck
	Member  string // of TellWithAck: the process
	Outcome Outcome
	Args    Args // if Outcome is Acked
}

func newAnswer(p *pb.ClientAck) Answer {
	return Answer{SID: p.GetSid(), Member: p.GetMemberId(), Outcome: Outcome(p.GetOutcome()), Args: newArgs(p.GetPayload())}
}
