package control

import (
	"context"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// The bounds of a page.
const (
	defaultPage = 100
	maxPage     = 1000
)

func pageSize(asked uint32) int {
	if asked == 0 {
		return defaultPage
	}
	return min(int(asked), maxPage)
}

// filter is the target of a question: everyone in "/" unless it says otherwise.
func filter(t *pb.Target) *socketio.Target {
	f := convert.Target(t)
	if len(f.Rooms) == 0 && len(f.SIDs) == 0 && len(f.UserIDs) == 0 {
		f.Everyone = true
	}
	return &f
}

// GetSession returns one session.
func (s *Server) GetSession(ctx context.Context, req *pb.GetSessionRequest) (*pb.GetSessionResponse, error) {
	whole, err := s.sees(ctx, req.Namespace)
	if err != nil {
		return nil, err
	}
	k, err := s.sockets.Get(req.Namespace, req.Sid)
	if err != nil {
		return nil, convert.Status(err).Err()
	}
	return &pb.GetSessionResponse{Session: session(&k, whole)}, nil
}

// ListSessions returns a page of the sessions that a target selects.
func (s *Server) ListSessions(ctx context.Context, req *pb.ListSessionsRequest) (*pb.ListSessionsResponse, error) {
	whole, err := s.sees(ctx, req.Filter.GetNamespace())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.PageSize)
	list, err := s.sockets.List(filter(req.Filter), req.PageToken, size+1)
	if err != nil {
		return nil, convert.Status(err).Err()
	}
	resp := &pb.ListSessionsResponse{}
	if len(list) > size {
		list = list[:size]
		resp.NextPageToken = list[size-1].SID
	}
	for i := range list {
		resp.Sessions = append(resp.Sessions, session(&list[i], whole))
	}
	return resp, nil
}

// CountSessions counts the sessions that a target selects.
func (s *Server) CountSessions(ctx context.Context, req *pb.CountSessionsRequest) (*pb.CountSessionsResponse, error) {
	if _, err := s.sees(ctx, req.Filter.GetNamespace()); err != nil {
		return nil, err
	}
	open, away, err := s.sockets.Count(filter(req.Filter))
	if err != nil {
		return nil, convert.Status(err).Err()
	}
	return &pb.CountSessionsResponse{Open: uint64(open), Suspended: uint64(away)}, nil
}

// ListRooms returns a page of the rooms of a namespace.
func (s *Server) ListRooms(ctx context.Context, req *pb.ListRoomsRequest) (*pb.ListRoomsResponse, error) {
	if _, err := s.sees(ctx, req.Namespace); err != nil {
		return nil, err
	}
	size := pageSize(req.PageSize)
	list, err := s.sockets.Rooms(req.Namespace, req.Prefix, req.PageToken, size+1)
	if err != nil {
		return nil, convert.Status(err).Err()
	}
	resp := &pb.ListRoomsResponse{}
	if len(list) > size {
		list = list[:size]
		resp.NextPageToken = list[size-1].Name
	}
	for _, r := range list {
		resp.Rooms = append(resp.Rooms, &pb.RoomInfo{Name: r.Name, Sessions: uint64(r.Sessions)})
	}
	return resp, nil
}
