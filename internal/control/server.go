// Package control serves the contract: backends attach here, callers without a subscription send
// commands, people ask how the edge fares.
//
// Each attached backend has three goroutines: the handler of its stream, which reads and applies
// what the backend sends; one that sends deliveries; one that sends everything else. The handler
// starts the two and waits for them.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/grpcconn"
	"github.com/sio-edge/sio-edge/internal/trace"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Config is what a Server is told.
type Config struct {
	EdgeID  string
	LogID   string
	Epoch   uint64
	Version string
	// HelloTimeout closes a stream that does not introduce itself. Default 5 s.
	HelloTimeout time.Duration
	// CommandRate bounds the commands a second on one stream. 0: it does not.
	CommandRate int
	// MaxMessage bounds one message of a backend, in bytes, and MaxStreams its calls at a time.
	// Defaults 8 MiB and 100.
	MaxMessage, MaxStreams int
	Operations             Operations
	// Trace follows commands of events that it follows; nil: none.
	Trace *trace.Tracer
	// Access decides who may do what. nil: everybody may do everything, which is for loopback.
	Access *access.Guard
	// Audit is told what operators do. Default: nobody is.
	Audit *slog.Logger
}

// Server is the gRPC side of an edge.
type Server struct {
	pb.UnimplementedEventServiceServer
	pb.UnimplementedCommandServiceServer
	pb.UnimplementedSessionServiceServer
	pb.UnimplementedAdminServiceServer

	// Static after construction.
	cfg      Config
	groups   *group.Groups
	sockets  *socketio.Server
	log      *slog.Logger
	grpc     *grpc.Server
	health   *health.Server
	ledger   *ledger
	started  time.Time
	stopping chan struct{} // closed by Stop
	draining chan struct{} // closed by Draining, which sets within before
	within   time.Duration
	drained  sync.Once

	relays  relays
	tails   tails
	refused atomic.Uint64 // commands above the quota of their stream
	panics  atomic.Uint64 // calls that a bug ended
}

// Remember takes over that a former process has done a command. It is called before Serve.
func (s *Server) Remember(id string, at time.Time) { s.ledger.remember(id, at) }

// errStopping ends the streams when the edge stops.
var errStopping = convert.Failure(codes.Unavailable, "EDGE_DRAINING", "the edge stops").Err()

// NewServer returns a Server that is not listening yet.
func NewServer(cfg Config, groups *group.Groups, sockets *socketio.Server, log *slog.Logger) *Server {
	if cfg.HelloTimeout == 0 {
		cfg.HelloTimeout = 5 * time.Second
	}
	if cfg.Audit == nil {
		cfg.Audit = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 8 << 20
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 100
	}
	s := &Server{cfg: cfg, groups: groups, sockets: sockets, log: log, ledger: newLedger(),
		started: time.Now(), stopping: make(chan struct{}), draining: make(chan struct{}), health: health.NewServer()}
	const window = 4 << 20 // both or neither: one alone leaves the other at 64 KiB
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(cfg.MaxMessage),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")}),
		//lint:ignore SA1019 what replaces it is one registry for the whole process
		grpc.RPCDecompressor(nothingCompressed{}),
		grpc.MaxConcurrentStreams(uint32(cfg.MaxStreams)),
		grpc.MaxHeaderListSize(16 << 10),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.recoverUnary),
		grpc.ChainStreamInterceptor(s.recoverStream),
	}
	if guard := cfg.Access; guard != nil {
		options = append(options, guard.ServerOptions()...)
		options = append(options, grpc.ChainUnaryInterceptor(guard.Unary), grpc.ChainStreamInterceptor(guard.Stream))
	} else {
		options = append(options, grpc.Creds(grpcconn.Credentials(insecure.NewCredentials())))
	}
	options = append(options, grpc.ChainUnaryInterceptor(s.auditUnary))
	s.grpc = grpc.NewServer(options...)
	pb.RegisterEventServiceServer(s.grpc, s)
	pb.RegisterCommandServiceServer(s.grpc, s)
	pb.RegisterSessionServiceServer(s.grpc, s)
	pb.RegisterAdminServiceServer(s.grpc, s)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	if cfg.Access == nil { // where everybody may do everything anyway
		reflection.Register(s.grpc)
	}

	s.tails.session = sockets.Get
	emitted := s.tails.emitted
	sockets.Tap.Store(&emitted)
	settled := func(d group.Settled) {
		d.Event.Trace.Settled(d.Group, d.Nacked)
		s.tails.settled(&pb.Settled{Offset: d.Offset, Sid: d.Event.Socket.SID, Group: d.Group, MemberId: d.MemberID, Nacked: d.Nacked}, d.Event)
	}
	delivered := s.tails.event
	s.tails.hook = func(on bool) {
		if on {
			groups.Settled.Store(&settled)
			groups.Tap.Store(&delivered)
		} else {
			if cfg.Trace == nil {
				groups.Settled.Store(nil)
			}
			groups.Tap.Store(nil)
		}
	}
	if cfg.Trace != nil {
		groups.Settled.Store(&settled)
	}
	return s
}

// StoreService is the name under which the standard health service tells of the store.
const StoreService = "store"

// StoreRefuses tells health whether what must be kept is taken: nil if it is. The edge itself
// stays SERVING: clients and volatile emits go on.
func (s *Server) StoreRefuses(err error) {
	state := healthpb.HealthCheckResponse_SERVING
	if err != nil {
		state = healthpb.HealthCheckResponse_NOT_SERVING
	}
	s.health.SetServingStatus(StoreService, state)
}

// Panics is how many calls were ended by a bug.
func (s *Server) Panics() uint64 { return s.panics.Load() }

// RefusedCommands is how many commands were refused because their stream sent too many.
func (s *Server) RefusedCommands() uint64 { return s.refused.Load() }

// Serve answers on the listener until Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil {
		return fmt.Errorf("serve control listener %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop tells the backends that the edge stops, ends their streams and waits for them, no longer
// than the context allows.
func (s *Server) Stop(ctx context.Context) {
	s.Draining(0)
	close(s.stopping)
	done := make(chan struct{})
	go func() { // ended by one of the two stops
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}

// GetEdge says what this edge is and how it fares.
func (s *Server) GetEdge(ctx context.Context, req *pb.GetEdgeRequest) (*pb.GetEdgeResponse, error) {
	open, away := s.sockets.Totals()
	e := &pb.Edge{EdgeId: s.cfg.EdgeID, Epoch: s.cfg.Epoch, Version: s.cfg.Version, State: pb.EdgeState_EDGE_STATE_READY,
		OpenSessions: uint64(open), SuspendedSessions: uint64(away), StartedAt: timestamppb.New(s.started), Namespaces: s.groups.Namespaces()}
	if s.cfg.Operations.Engine != nil {
		e.Connections = uint64(s.cfg.Operations.Engine.Connections())
	}
	select {
	case <-s.draining:
		e.State = pb.EdgeState_EDGE_STATE_DRAINING
	default:
	}
	return &pb.GetEdgeResponse{Edge: e}, nil
}

// ListGroups returns every group that is known.
func (s *Server) ListGroups(ctx context.Context, req *pb.ListGroupsRequest) (*pb.ListGroupsResponse, error) {
	resp := &pb.ListGroupsResponse{}
	for _, g := range s.groups.List() {
		m := &pb.Group{Name: g.Name, Spec: specMessage(&g.Spec), BacklogEvents: uint64(g.Events), BacklogBytes: uint64(g.Bytes),
			InFlight: uint64(g.InFlight), Redelivered: g.Redelivered, DeadLetters: uint64(g.SetAside), PausedClients: uint64(g.Paused), RetainedEvents: uint64(g.Retained), Paused: g.Halted}
		if !g.Oldest.IsZero() {
			m.BacklogAge = durationpb.New(time.Since(g.Oldest))
		}
		for _, p := range g.Members {
			m.Members = append(m.Members, &pb.Member{MemberId: p.ID, Attached: p.Attached, Sdk: p.SDK, InFlight: uint64(p.InFlight), Sessions: uint64(p.Sessions)})
		}
		resp.Groups = append(resp.Groups, m)
	}
	return resp, nil
}

// A bug in one call must not end the edge. The stack goes to the log, not to the caller.
func (s *Server) recoverUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	return next(ctx, req)
}

func (s *Server) recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	return next(srv, stream)
}

func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.panics.Add(1)
		s.log.Error("bug: a call panicked", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error")
	}
}

// memberError turns why a membership is over into a status.
func memberError(err error) error {
	var invalid *group.Invalid
	switch {
	case errors.As(err, &invalid):
		return convert.Failure(codes.InvalidArgument, "HELLO_INVALID", invalid.Error()).Err()
	case errors.Is(err, group.ErrFenced):
		return convert.Failure(codes.FailedPrecondition, "FENCED", err.Error()).Err()
	case errors.Is(err, group.ErrClosed):
		return errStopping
	case errors.Is(err, group.ErrTooManyGroups):
		return convert.Failure(codes.ResourceExhausted, "TOO_MANY_GROUPS", err.Error()).Err()
	}
	return status.FromContextError(err).Err()
}
