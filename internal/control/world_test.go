package control_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sio-edge/sio-edge/internal/control"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a whole edge in this process: clients come over real HTTP, backends over real gRPC.
type world struct {
	t       *testing.T
	url     string // of Engine.IO
	ops     *httptest.Server
	addr    string // of the control listener
	conn    *grpc.ClientConn
	sockets *socketio.Server
	server  *control.Server
}

func newWorld(t *testing.T) *world { return newWorldOn(t, nil) }

func newWorldOn(t *testing.T, disk socketio.Store) *world {
	return newWorldWith(t, disk, func(*control.Config) {})
}

func newWorldWith(t *testing.T, disk socketio.Store, change func(*control.Config)) *world {
	log := slog.New(slog.DiscardHandler)
	cfg := group.Config{EdgeID: "edge-1", LogID: "log-1", Epoch: 1, Namespaces: []string{"/"}}
	if kept, ok := disk.(group.Log); ok {
		cfg.Log = kept
	}
	groups := group.New(cfg, log)
	sockets := socketio.NewServer(socketio.Config{RecoveryWindow: time.Minute}, groups, disk, log)
	groups.Start(sockets)
	groups.Restore(group.Kept{Parse: sockets.ParseEvent})
	engine := engineio.NewServer(engineio.Config{}, sockets, log)
	config := control.Config{EdgeID: "edge-1", LogID: "log-1", Epoch: 1, Version: "test",
		HelloTimeout: time.Second, Operations: control.Operations{Engine: engine}}
	change(&config)
	ctl := control.NewServer(config, groups, sockets, log)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- ctl.Serve(l) }()
	public := httptest.NewServer(engine)
	mux := http.NewServeMux()
	ctl.MountJSON(mux)
	ctl.MountTail(mux)
	ops := httptest.NewUnstartedServer(mux)
	if config.Access != nil {
		guard := config.Access.Ops(true)
		ops.Config.Handler, ops.Config.ConnContext = guard.Handler(mux), guard.Context
		ops.Listener = guard.Listener(ops.Listener)
	}
	ops.Start()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn.Close()
		engine.Close(ctx)
		ctl.Stop(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
		public.Close()
		ops.Close()
		http.DefaultClient.CloseIdleConnections()
		sockets.Close()
		groups.Close()
	})
	return &world{t: t, url: public.URL + "/socket.io/?EIO=4&transport=polling", ops: ops, conn: conn, sockets: sockets, server: ctl, addr: l.Addr().String()}
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

// post calls a unary method as JSON, and leaves out the spaces of the answer.
func (w *world) post(method, body string) (int, string) {
	w.t.Helper()
	resp, err := http.Post(w.ops.URL+"/sioedge.v1."+method, "application/json", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.ReplaceAll(string(b), " ", "")
}

// client speaks Engine.IO over polling.
type client struct {
	w   *world
	url string
}

func (w *world) open() *client {
	c := &client{w: w, url: w.url}
	_, rest, ok := strings.Cut(c.recv(), `"sid":"`)
	if !ok {
		w.t.Fatal("no handshake")
	}
	c.url += "&sid=" + rest[:strings.IndexByte(rest, '"')]
	return c
}

func (c *client) send(packet string) {
	c.w.t.Helper()
	resp, err := http.Post(c.url, "text/plain", strings.NewReader(packet))
	if err != nil {
		c.w.t.Fatal(err)
	}
	resp.Body.Close()
}

func (c *client) recv() string {
	c.w.t.Helper()
	req, _ := http.NewRequestWithContext(c.w.context(), http.MethodGet, c.url, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// connect joins "/" and returns the sid.
func (w *world) connect() (*client, string) {
	c := w.open()
	c.send("40")
	_, rest, ok := strings.Cut(c.recv(), `"sid":"`)
	if !ok {
		w.t.Fatal("not let in")
	}
	return c, rest[:strings.IndexByte(rest, '"')]
}

// member is an attached backend.
type member struct {
	t       *testing.T
	stream  pb.EventService_SubscribeClient
	welcome *pb.Welcome
	pending []*pb.Delivery

	pendingTold []*pb.Told
}

func (w *world) attach(h *pb.Hello) *member {
	w.t.Helper()
	stream, err := pb.NewEventServiceClient(w.conn).Subscribe(w.context())
	if err != nil {
		w.t.Fatal(err)
	}
	h.ProtocolVersion = 1
	m := &member{t: w.t, stream: stream}
	m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Hello{Hello: h}})
	m.welcome = m.recv().GetWelcome()
	if m.welcome == nil {
		w.t.Fatal("no welcome")
	}
	return m
}

func (m *member) send(r *pb.SubscribeRequest) {
	m.t.Helper()
	if err := m.stream.Send(r); err != nil && err != io.EOF {
		m.t.Fatal(err)
	}
}

func (m *member) recv() *pb.SubscribeResponse {
	m.t.Helper()
	r, err := m.stream.Recv()
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// snapshot reads to the end of the Snapshot.
func (m *member) snapshot() (sessions []*pb.Session) {
	m.t.Helper()
	for {
		s := m.recv().GetSnapshot()
		if s == nil {
			m.t.Fatal("not a snapshot")
		}
		sessions = append(sessions, s.Sessions...)
		if s.Last {
			return sessions
		}
	}
}

// delivery is the next event, whatever comes between.
func (m *member) delivery() *pb.Delivery {
	m.t.Helper()
	for len(m.pending) == 0 {
		m.pending = m.recv().GetDeliveries().GetDeliveries()
	}
	d := m.pending[0]
	m.pending = m.pending[1:]
	return d
}

func (m *member) done(id uint64) {
	m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: &pb.Ack{Done: []*pb.DeliveryRange{{First: id, Last: id}}}}})
}

func (m *member) commands(cmds ...*pb.Command) {
	m.send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Commands{Commands: &pb.CommandBatch{Commands: cmds}}})
}

func emit(id, event string, args string, target *pb.Target) *pb.Command {
	return &pb.Command{CommandId: id, Op: &pb.Command_Emit{Emit: &pb.Emit{Target: target, Event: event, Payload: &pb.Payload{Json: []byte(args)}}}}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
