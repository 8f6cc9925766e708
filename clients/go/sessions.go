package sioedge

import (
	"context"
	"fmt"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// pageSize is how many sessions or rooms are asked for at a time.
const pageSize = 1000

// Session is a session as the edge knew it when it was asked.
type Session struct {
	ID         string
	Namespace  string
	User       string
	Attributes map[string]string
	Rooms      []string
	Suspended  bool // the client is away
	OpenedAt   time.Time
	Handshake  Handshake
	Transport  string // "polling" or "websocket"; empty while suspended
	Recovered  bool
}

func newSession(p *pb.Session) Session {
	return Session{
		ID:         p.GetSid(),
		Namespace:  p.GetNamespace(),
		User:       p.GetUserId(),
		Attributes: p.GetAttributes(),
		Rooms:      p.GetRooms(),
		Suspended:  p.GetState() == pb.SessionState_SESSION_STATE_SUSPENDED,
		OpenedAt:   p.GetOpenedAt().AsTime(),
		Handshake:  newHandshake(p.GetHandshake()),
		Transport:  p.GetTransport(),
		Recovered:  p.GetRecovered(),
	}
}

// Count is how many sessions there are.
type Count struct {
	Open      int // the client is connected
	Suspended int // the client is away
}

// Room is a room and its size.
type Room struct {
	Name     string
	Sessions int
}

// Fetch asks the edge for the selected sessions, by id. It works without Run, too.
func (t Target) Fetch(ctx context.Context) ([]Session, error) {
	req := &pb.ListSessionsRequest{Filter: t.proto(), PageSize: pageSize}
	var found []Session
	for {
		page, err := t.edge.link.sessions().ListSessions(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("fetch sessions: %w", callError(err))
		}
		for _, p := range page.GetSessions() {
			found = append(found, newSession(p))
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return found, nil
		}
	}
}

// Count asks the edge how many sessions are selected.
func (t Target) Count(ctx context.Context) (Count, error) {
	n, err := t.edge.link.sessions().CountSessions(ctx, &pb.CountSessionsRequest{Filter: t.proto()})
	if err != nil {
		return Count{}, fmt.Errorf("count sessions: %w", callError(err))
	}
	return Count{Open: int(n.GetOpen()), Suspended: int(n.GetSuspended())}, nil
}

// Rooms asks the edge for the rooms whose name begins with prefix, by name.
func (n *Namespace) Rooms(ctx context.Context, prefix string) ([]Room, error) {
	req := &pb.ListRoomsRequest{Namespace: n.name, Prefix: prefix, PageSize: pageSize}
	var found []Room
	for {
		page, err := n.edge.link.sessions().ListRooms(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("list rooms: %w", callError(err))
		}
		for _, p := range page.GetRooms() {
			found = append(found, Room{Name: p.GetName(), Sessions: int(p.GetSessions())})
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return found, nil
		}
	}
}

// sessions is the service that answers questions.
func (l *link) sessions() pb.SessionServiceClient { return pb.NewSessionServiceClient(l.conn) }
