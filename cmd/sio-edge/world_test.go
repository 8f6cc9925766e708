package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// backend attaches a backend of the group "chat": who connects joins "lobby", "sum" adds up,
// "say" goes to the lobby, "stall" waits until release is called.
func (p *process) backend(t *testing.T) (release func()) {
	t.Helper()
	edge := sioedge.New(p.control, sioedge.Group("chat"), sioedge.Member("1"), sioedge.Logger(slog.New(slog.DiscardHandler)))
	stalled := make(chan struct{})
	edge.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		if s.Auth().String("token") == "bad" {
			return sioedge.Reject("not authorized", nil)
		}
		return s.Join("lobby")
	})
	edge.On("sum", func(ctx context.Context, s *sioedge.Socket, a, b int) (int, error) { return a + b, nil })
	edge.On("say", func(ctx context.Context, s *sioedge.Socket, text string) error {
		return edge.To("lobby").Emit(ctx, "said", text)
	})
	edge.On("stall", func(ctx context.Context, s *sioedge.Socket) error {
		select {
		case <-stalled:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("backend: %v", err)
		}
	})
	admin := pb.NewAdminServiceClient(p.dialControl(t))
	eventually(t, "the backend is attached", func() bool {
		list, err := admin.ListGroups(t.Context(), &pb.ListGroupsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Groups) == 1 && len(list.Groups[0].Members) == 1 && list.Groups[0].Members[0].Attached
	})
	return func() { close(stalled) }
}

func (p *process) dialControl(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(p.control, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 10 s: " + what)
		}
	}
}

// socket is a client in "/" on a WebSocket.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
	sid  string
}

func (p *process) join(t *testing.T) *socket {
	t.Helper()
	s := &socket{t: t, conn: p.connect(t)}
	s.send("40")
	_, rest, ok := strings.Cut(s.recv(), `40{"sid":"`)
	if !ok {
		t.Fatalf("not let in: %s", rest)
	}
	s.sid = rest[:strings.IndexByte(rest, '"')]
	return s
}

func (s *socket) send(packet string) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) recv() string {
	s.t.Helper()
	_, b, err := s.conn.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *socket) want(prefix string) {
	s.t.Helper()
	if got := s.recv(); !strings.HasPrefix(got, prefix) {
		s.t.Fatalf("got %q, want %q…", got, prefix)
	}
}
