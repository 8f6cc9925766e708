package control

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// ListDeadLetters returns a page of what a group has set aside.
func (s *Server) ListDeadLetters(ctx context.Context, req *pb.ListDeadLettersRequest) (*pb.ListDeadLettersResponse, error) {
	var from uint64
	if req.PageToken != "" {
		var err error
		if from, err = strconv.ParseUint(req.PageToken, 36, 64); err != nil {
			return nil, convert.Failure(codes.InvalidArgument, "PAGE_TOKEN_INVALID", "page_token: not from this edge").Err()
		}
	}
	size := pageSize(req.PageSize)
	letters, err := s.groups.DeadLetters(req.Group, from, size+1)
	if err != nil {
		return nil, groupError(err)
	}
	resp := &pb.ListDeadLettersResponse{}
	if len(letters) > size {
		resp.NextPageToken = strconv.FormatUint(letters[size].Offset, 36)
		letters = letters[:size]
	}
	for i := range letters {
		l := &letters[i]
		ev := convert.Event(l.Offset, l.Event)
		ev.PrevSeq = l.PrevSeq
		resp.DeadLetters = append(resp.DeadLetters, &pb.DeadLetter{Event: ev, Attempts: l.Attempts, MemberId: l.MemberID,
			Reason: l.Reason, SetAsideAt: timestamppb.New(l.At)})
	}
	if !s.grant(ctx).Payloads() {
		convert.Withhold(resp)
	}
	return resp, nil
}

// RedriveDeadLetters delivers dead letters again, or discards them.
func (s *Server) RedriveDeadLetters(ctx context.Context, req *pb.RedriveDeadLettersRequest) (*pb.RedriveDeadLettersResponse, error) {
	done, unknown, err := s.groups.Redrive(req.Group, req.Offsets, req.Discard)
	if err != nil {
		return nil, groupError(err)
	}
	return &pb.RedriveDeadLettersResponse{Done: uint32(done), UnknownOffsets: unknown}, nil
}

// SeekGroup moves a group to a position.
func (s *Server) SeekGroup(ctx context.Context, req *pb.SeekGroupRequest) (*pb.SeekGroupResponse, error) {
	invalid := func(text string) error { return convert.Failure(codes.InvalidArgument, "POSITION_INVALID", text).Err() }
	var to group.Position
	switch p := req.Position.(type) {
	case *pb.SeekGroupRequest_Latest:
		if !p.Latest {
			return nil, invalid("latest: must be true")
		}
		to.Latest = true
	case *pb.SeekGroupRequest_Cursor:
		to.After = &group.Cursor{EdgeID: p.Cursor.GetEdgeId(), LogID: p.Cursor.GetLogId(), Offset: p.Cursor.GetOffset()}
	case *pb.SeekGroupRequest_Time:
		if !p.Time.IsValid() || p.Time.AsTime().UnixNano() == 0 {
			return nil, invalid("time: not a time")
		}
		to.From = p.Time.AsTime()
	default:
		return nil, invalid("position: must be set")
	}
	dropped, replayed, err := s.groups.Seek(ctx, req.Group, to)
	if err != nil {
		return nil, groupError(err)
	}
	return &pb.SeekGroupResponse{Dropped: uint64(dropped), Replayed: uint64(replayed)}, nil
}

func groupError(err error) error {
	switch {
	case errors.Is(err, group.ErrUnknown):
		return convert.Failure(codes.NotFound, convert.GroupUnknown, err.Error()).Err()
	case errors.Is(err, group.ErrCursor):
		return convert.Failure(codes.FailedPrecondition, "CURSOR_VOID", err.Error()).Err()
	}
	return memberError(err)
}
