package control

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// protocolVersion is the version of the stream that this edge speaks.
const protocolVersion = 1

// hello turns a Hello into what the groups understand.
func hello(m *pb.Hello) (group.Hello, error) {
	if m.ProtocolVersion != protocolVersion {
		return group.Hello{}, convert.Failure(codes.InvalidArgument, "VERSION_UNKNOWN",
			fmt.Sprintf("hello: protocol version %d, this edge speaks %d", m.ProtocolVersion, protocolVersion)).Err()
	}
	h := group.Hello{Group: m.Group, MemberID: m.MemberId, InstanceID: m.InstanceId, SDK: m.Sdk, Flow: flow(m.Flow)}
	spec := m.GetSpec()
	h.Spec = group.Spec{AckDeadline: spec.GetAckDeadline().AsDuration(), MaxAttempts: int(spec.GetMaxAttempts()),
		MemberGrace: spec.GetMemberGrace().AsDuration(), MaxBacklogEvents: int(spec.GetMaxBacklogEvents()),
		MaxBacklogBytes: int64(spec.GetMaxBacklogBytes()), Overflow: group.Overflow(spec.GetOnOverflow()), Mode: group.Mode(spec.GetDelivery()),
		Retention: spec.GetRetention().AsDuration()}
	for _, r := range spec.GetRoutes() {
		route := group.Route{Namespace: r.Namespace, Events: r.Events}
		for _, k := range r.Kinds {
			route.Kinds = append(route.Kinds, convert.Kind(k))
		}
		h.Spec.Routes = append(h.Spec.Routes, route)
	}
	if c := m.Resume; c != nil {
		h.Resume = &group.Cursor{EdgeID: c.EdgeId, LogID: c.LogId, Offset: c.Offset}
	}
	return h, nil
}

func flow(m *pb.FlowControl) group.Flow {
	return group.Flow{Events: int(m.GetMaxOutstandingEvents()), Bytes: int64(m.GetMaxOutstandingBytes()),
		PerSession: int(m.GetMaxOutstandingPerSession()), Paused: m.GetPaused()}
}

func flowMessage(f group.Flow) *pb.FlowControl {
	return &pb.FlowControl{MaxOutstandingEvents: uint32(f.Events), MaxOutstandingBytes: uint64(f.Bytes),
		MaxOutstandingPerSession: uint32(f.PerSession), Paused: f.Paused}
}

func specMessage(s *group.Spec) *pb.GroupSpec {
	m := &pb.GroupSpec{AckDeadline: durationpb.New(s.AckDeadline), MaxAttempts: uint32(s.MaxAttempts), MemberGrace: durationpb.New(s.MemberGrace),
		Delivery: pb.DeliveryMode(s.Mode), MaxBacklogEvents: uint32(s.MaxBacklogEvents),
		MaxBacklogBytes: uint64(s.MaxBacklogBytes), OnOverflow: pb.OverflowAction(s.Overflow)}
	if s.Retention > 0 {
		m.Retention = durationpb.New(s.Retention)
	}
	for _, r := range s.Routes {
		route := &pb.Route{Namespace: r.Namespace, Events: r.Events}
		for _, k := range r.Kinds {
			route.Kinds = append(route.Kinds, pb.EventKind(k)) // the two count alike
		}
		m.Routes = append(m.Routes, route)
	}
	return m
}

var outcomes = [...]pb.ResumeOutcome{
	group.Fresh:     pb.ResumeOutcome_RESUME_OUTCOME_FRESH,
	group.Continued: pb.ResumeOutcome_RESUME_OUTCOME_CONTINUED,
	group.Snapshot:  pb.ResumeOutcome_RESUME_OUTCOME_SNAPSHOT,
}
