package sioedge_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// fakeEdge is a gRPC server whose streams are played by the test.
type fakeEdge struct {
	pb.UnimplementedEventServiceServer
	pb.UnimplementedSessionServiceServer

	t       testing.TB
	addr    string
	server  *grpc.Server
	streams chan *fakeStream // those that have said Hello

	mu       sync.Mutex        // guards the following fields
	sessions []*pb.Session     // what SessionService knows
	offset   uint64            // of the latest event
	seqs     map[string]uint64 // of each session's latest event
}

func newFakeEdge(t testing.TB) *fakeEdge {
	f := &fakeEdge{t: t, streams: make(chan *fakeStream, 16), seqs: make(map[string]uint64)}
	f.listen("127.0.0.1:0")
	t.Cleanup(func() { f.server.Stop() })
	return f
}

func (f *fakeEdge) listen(addr string) {
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = lis.Addr().String()
	f.server = grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	pb.RegisterEventServiceServer(f.server, f)
	pb.RegisterSessionServiceServer(f.server, f)
	go f.server.Serve(lis)
}

// restart ends every connection and listens anew.
func (f *fakeEdge) restart() {
	f.server.Stop()
	f.listen(f.addr)
}

// fakeStream is one attached member.
type fakeStream struct {
	t     testing.TB
	edge  *fakeEdge
	hello *pb.Hello
	rpc   pb.EventService_SubscribeServer
	end   chan error // what Subscribe returns

	replies    chan *pb.Reply
	acks       chan *pb.Ack
	decisions  chan *pb.ConnectDecision
	commands   chan *pb.Command
	heartbeats chan *pb.Heartbeat
	leave      chan struct{}
	closed     chan struct{} // the member has closed its side

	mu   sync.Mutex // guards sending and the following fields
	last uint64     // delivery id
	mute bool       // commands get no results
}

func (f *fakeEdge) Subscribe(rpc pb.EventService_SubscribeServer) error {
	first, err := rpc.Recv()
	if err != nil {
		return err
	}
	s := &fakeStream{
		t: f.t, edge: f, hello: first.GetHello(), rpc: rpc,
		end:        make(chan error, 1),
		replies:    make(chan *pb.Reply, 4096),
		acks:       make(chan *pb.Ack, 4096),
		decisions:  make(chan *pb.ConnectDecision, 64),
		commands:   make(chan *pb.Command, 65536),
		heartbeats: make(chan *pb.Heartbeat, 64),
		leave:      make(chan struct{}, 1),
		closed:     make(chan struct{}),
	}
	f.streams <- s
	go s.read()
	select {
	case err := <-s.end:
		return err
	case <-rpc.Context().Done():
		return nil
	}
}

func (s *fakeStream) read() {
	for {
		m, err := s.rpc.Recv()
		if err == io.EOF {
			close(s.closed)
			s.end <- nil
			return
		}
		if err != nil {
			return
		}
		switch m := m.GetMessage().(type) {
		case *pb.SubscribeRequest_Replies:
			for _, r := range m.Replies.GetReplies() {
				s.replies <- r
			}
		case *pb.SubscribeRequest_Ack:
			s.acks <- m.Ack
		case *pb.SubscribeRequest_Decision:
			s.decisions <- m.Decision
		case *pb.SubscribeRequest_Commands:
			results := &pb.CommandResultBatch{}
			for _, c := range m.Commands.GetCommands() {
				s.commands <- c
				results.Results = append(results.Results, &pb.CommandResult{
					CommandId: c.GetCommandId(), Receipt: &pb.Receipt{Matched: 1, Written: 1}})
			}
			s.mu.Lock()
			mute := s.mute
			s.mu.Unlock()
			if !mute && !m.Commands.GetCommands()[0].GetQuiet() {
				s.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Results{Results: results}})
			}
		case *pb.SubscribeRequest_Heartbeat:
			s.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Progress{Progress: &pb.Progress{Nonce: m.Heartbeat.GetNonce()}}})
		case *pb.SubscribeRequest_Leave:
			s.leave <- struct{}{}
		}
	}
}

func (s *fakeStream) send(m *pb.SubscribeResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rpc.Send(m) // a member that has gone shows elsewhere
}

func (s *fakeStream) setMute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// accept waits for a member to attach and welcomes it.
func (f *fakeEdge) accept(resume pb.ResumeOutcome, sessions ...*pb.Session) *fakeStream {
	f.t.Helper()
	s := receive(f.t, f.streams, "a member")
	s.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Welcome{Welcome: &pb.Welcome{
		ProtocolVersion: 1, EdgeId: "edge", Epoch: 1, LogId: "log", Resume: resume, Version: "test"}}})
	if resume != pb.ResumeOutcome_RESUME_OUTCOME_CONTINUED {
		s.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Snapshot{Snapshot: &pb.Snapshot{Sessions: sessions, Last: true}}})
	}
	return s
}

// deliver sends events as one batch. It gives each an offset and a seq unless it was delivered
// before. It returns the id of the last delivery.
func (s *fakeStream) deliver(attempt uint32, events ...*pb.Event) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := &pb.DeliveryBatch{}
	for _, ev := range events {
		if ev.Offset == 0 {
			s.edge.number(ev)
		}
		s.last++
		batch.Deliveries = append(batch.Deliveries, &pb.Delivery{DeliveryId: s.last, Attempt: attempt, Event: ev})
	}
	s.rpc.Send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Deliveries{Deliveries: batch}})
	return s.last
}

// number gives an event its place in the log and in the history of its session.
func (f *fakeEdge) number(ev *pb.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offset++
	ev.Offset = f.offset
	if ev.GetConnectRequested() == nil {
		ev.Seq, ev.PrevSeq = f.offset, f.seqs[ev.Sid]
		f.seqs[ev.Sid] = ev.Seq
	}
}

// done waits until every one of the ids is acknowledged.
func (s *fakeStream) done(ids ...uint64) {
	s.t.Helper()
	wanted := make(map[uint64]bool)
	for _, id := range ids {
		wanted[id] = true
	}
	for len(wanted) > 0 {
		for _, r := range receive(s.t, s.acks, "an ack").GetDone() {
			for id := r.GetFirst(); id <= r.GetLast(); id++ {
				delete(wanted, id)
			}
		}
	}
}

// nacked waits for a delivery to be handed back.
func (s *fakeStream) nacked() *pb.Nack {
	s.t.Helper()
	for {
		if n := receive(s.t, s.acks, "a nack").GetNacks(); len(n) > 0 {
			return n[0]
		}
	}
}

func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		panic(fmt.Sprintf("%s: %s did not come", t.Name(), what))
	}
}

// quiet checks that nothing comes while something else made its way through.
func quiet[T any](t testing.TB, from <-chan T, what string) {
	t.Helper()
	select {
	case v := <-from:
		t.Errorf("%s came: %v", what, v)
	default:
	}
}

// newEdge makes an Edge for f that gives up its waits early.
func newEdge(f *fakeEdge, opts ...sioedge.Option) *sioedge.Edge {
	return sioedge.New(f.addr, append([]sioedge.Option{
		sioedge.Group("test"), sioedge.Member("m1"),
		sioedge.Logger(slog.New(slog.NewTextHandler(logWriter{f.t}, nil))),
		sioedge.Backoff(time.Millisecond, 20*time.Millisecond),
	}, opts...)...)
}

// logWriter keeps what the SDK logs with the test.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	if testing.Verbose() {
		w.t.Logf("%s", p)
	}
	return len(p), nil
}

// run runs e until the test ends. The function returned ends it earlier and gives its error.
func run(t testing.TB, e *sioedge.Edge) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- e.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = receive(t, result, "the end of Run")
		})
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}

func (f *fakeEdge) ListSessions(_ context.Context, req *pb.ListSessionsRequest) (*pb.ListSessionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := strconv.Atoi(req.GetPageToken())
	resp := &pb.ListSessionsResponse{Sessions: f.sessions[at : at+1]} // pages of one
	if at+1 < len(f.sessions) {
		resp.NextPageToken = strconv.Itoa(at + 1)
	}
	return resp, nil
}

func (f *fakeEdge) ListRooms(_ context.Context, req *pb.ListRoomsRequest) (*pb.ListRoomsResponse, error) {
	if req.GetPageToken() == "" {
		return &pb.ListRoomsResponse{Rooms: []*pb.RoomInfo{{Name: req.GetPrefix() + "1", Sessions: 2}}, NextPageToken: "1"}, nil
	}
	return &pb.ListRoomsResponse{Rooms: []*pb.RoomInfo{{Name: req.GetPrefix() + "2", Sessions: 3}}}, nil
}
