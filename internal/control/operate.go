package control

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Operations is what the Server can do to the process that it is part of. A nil function, or
// Engine, is something that this process has not.
type Operations struct {
	// Engine has the connections of clients.
	Engine *engineio.Server
	// Drain ends the process. It returns at once and says how long that takes at most.
	Drain func() time.Duration
	// Snapshot returns a copy of the store.
	Snapshot func() (*os.File, error)
	// Refusals calls f with everything that was turned away.
	Refusals func(f func(layer, reason string, n uint64, last time.Time))
}

// PauseGroup stops delivering to a group.
func (s *Server) PauseGroup(ctx context.Context, req *pb.PauseGroupRequest) (*pb.PauseGroupResponse, error) {
	return &pb.PauseGroupResponse{}, s.halt(req.Group, true)
}

// ResumeGroup goes on delivering to a group.
func (s *Server) ResumeGroup(ctx context.Context, req *pb.ResumeGroupRequest) (*pb.ResumeGroupResponse, error) {
	return &pb.ResumeGroupResponse{}, s.halt(req.Group, false)
}

func (s *Server) halt(name string, halt bool) error {
	changed, err := s.groups.Halt(name, halt)
	if err != nil {
		return groupError(err)
	}
	if changed {
		what := "group resumed: its events are delivered again"
		if halt {
			what = "group paused: its events wait until it is resumed"
		}
		s.log.Warn(what, "group", name)
	}
	return nil
}

// ListSlowClients returns the connections that hold something up.
func (s *Server) ListSlowClients(ctx context.Context, req *pb.ListSlowClientsRequest) (*pb.ListSlowClientsResponse, error) {
	resp := &pb.ListSlowClientsResponse{}
	engine := s.cfg.Operations.Engine
	if engine == nil {
		return resp, nil
	}
	limit := 20
	if req.Limit > 0 {
		limit = int(min(req.Limit, 1000))
	}
	bytes, packets := engine.QueueLimits()
	resp.MaxQueuedBytes, resp.MaxQueuedPackets = uint64(bytes), uint32(packets)
	slowest := engine.Slowest(limit)
	conns := make([]*engineio.Socket, 0, len(slowest))
	for _, slow := range slowest {
		conns = append(conns, slow.Socket)
	}
	sessions := s.sockets.On(conns)
	for _, slow := range slowest {
		c := &pb.SlowClient{RemoteAddr: slow.Socket.Handshake.RemoteAddr, Transport: slow.Transport,
			QueuedBytes: uint64(slow.Bytes), QueuedPackets: uint32(slow.Packets), Paused: slow.Paused}
		for _, k := range sessions[slow.Socket] {
			_, whole := s.grant(ctx).Sees(k.Namespace)
			c.Sessions = append(c.Sessions, session(&k, whole))
		}
		resp.Clients = append(resp.Clients, c)
	}
	return resp, nil
}

// ListRefusals says what was turned away, and why.
func (s *Server) ListRefusals(ctx context.Context, req *pb.ListRefusalsRequest) (*pb.ListRefusalsResponse, error) {
	resp := &pb.ListRefusalsResponse{}
	if s.cfg.Operations.Refusals != nil {
		s.cfg.Operations.Refusals(func(layer, reason string, n uint64, last time.Time) {
			resp.Refusals = append(resp.Refusals, &pb.Refusal{Layer: layer, Reason: reason, Count: n, LastAt: timestamppb.New(last), Meaning: meaning(layer, reason)})
		})
	}
	return resp, nil
}

// Drain ends the edge.
func (s *Server) Drain(ctx context.Context, req *pb.DrainRequest) (*pb.DrainResponse, error) {
	op := &s.cfg.Operations
	if op.Drain == nil {
		return nil, convert.Failure(codes.FailedPrecondition, "NOT_DRAINABLE", "drain: this process cannot end itself").Err()
	}
	resp := &pb.DrainResponse{}
	if op.Engine != nil {
		resp.Connections = uint64(op.Engine.Connections())
	}
	s.log.Warn("drain: an operator asked for it")
	resp.Within = durationpb.New(op.Drain())
	return resp, nil
}

// backupPart is how much of a backup one message holds, in bytes.
const backupPart = 256 << 10

// Backup streams a copy of the store.
func (s *Server) Backup(req *pb.BackupRequest, stream pb.AdminService_BackupServer) error {
	s.auditCall(stream.Context(), pb.AdminService_Backup_FullMethodName, req, nil)
	if s.cfg.Operations.Snapshot == nil {
		return convert.Failure(codes.FailedPrecondition, "STORE_NONE", "backup: this edge keeps nothing beyond its process (data-dir is empty)").Err()
	}
	f, err := s.cfg.Operations.Snapshot()
	if err != nil {
		return convert.Failure(codes.ResourceExhausted, "STORE_FULL", err.Error()).Err()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return convert.Failure(codes.Internal, "INTERNAL", "backup: "+err.Error()).Err()
	}
	size := uint64(info.Size())
	for part := make([]byte, backupPart); ; {
		n, err := io.ReadFull(f, part)
		if n > 0 || size > 0 {
			if err := stream.Send(&pb.BackupResponse{Size: size, Data: part[:n]}); err != nil {
				return err
			}
			size = 0
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return convert.Failure(codes.Internal, "INTERNAL", "backup: "+err.Error()).Err()
		}
	}
}

// Draining tells backends that the edge ends within the given time, and health that it takes no
// more. It returns at once; Stop follows.
func (s *Server) Draining(within time.Duration) {
	s.drained.Do(func() {
		s.within = within
		s.health.Shutdown()
		close(s.draining)
	})
}
