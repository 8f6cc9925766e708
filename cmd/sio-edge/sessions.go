package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type sessionsCmd struct {
	remote
	selection
	Count   bool   `help:"Only count them."`
	Limit   int    `default:"100" help:"Show so many at most; 0 for all."`
	Session string `arg:"" optional:"" help:"Show all there is to know of this session."`
}

// Help is shown by --help.
func (sessionsCmd) Help() string {
	return `Without flags: everyone in "/".

Examples:
  sio-edge sessions
  sio-edge sessions --room lobby --count
  sio-edge sessions k3Fz…Qa`
}

// Run prints the sessions.
func (c *sessionsCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		if c.Session != "" {
			return c.one(ctx, conn)
		}
		filter, err := c.filter(ctx, conn)
		if err != nil {
			return err
		}
		count, err := pb.NewSessionServiceClient(conn).CountSessions(ctx, &pb.CountSessionsRequest{Filter: filter})
		if err != nil {
			return err
		}
		p := stdout()
		if c.Count {
			if c.JSON {
				return printJSON(os.Stdout, count)
			}
			fmt.Fprintf(p.w, "%s %s (%s open, %s suspended)\n", plural(count.Open+count.Suspended, "session"), &c.selection, number(count.Open), number(count.Suspended))
			return nil
		}
		var rows [][]string
		err = eachSession(ctx, conn, filter, func(k *pb.Session) bool {
			if c.JSON {
				printJSON(os.Stdout, k)
			}
			rows = append(rows, []string{shortID(k.Sid), printable(k.UserId), sessionStates[k.State], k.Transport, day(k.OpenedAt.AsTime()),
				k.Handshake.GetRemoteAddr(), cut(printable(strings.Join(k.Rooms, " ")), 60)})
			return c.Limit <= 0 || len(rows) < c.Limit
		})
		if err != nil || c.JSON {
			return err
		}
		if len(rows) == 0 {
			fmt.Fprintf(p.w, "no sessions %s\n", &c.selection)
			return nil
		}
		p.table([]string{"SID", "USER", "STATE", "TRANSPORT", "SINCE", "ADDRESS", "ROOMS"}, rows)
		if rest := int(count.Open+count.Suspended) - len(rows); rest > 0 {
			fmt.Fprintln(p.w, p.style(dim, fmt.Sprintf("… and %s more (--limit 0 shows all)", number(rest))))
		}
		return nil
	})
}

var sessionStates = map[pb.SessionState]string{
	pb.SessionState_SESSION_STATE_OPEN:      "open",
	pb.SessionState_SESSION_STATE_SUSPENDED: "suspended",
	pb.SessionState_SESSION_STATE_CLOSED:    "closed",
}

func (c *sessionsCmd) one(ctx context.Context, conn *grpc.ClientConn) error {
	sids, err := c.whole(ctx, conn, []string{c.Session})
	if err != nil {
		return err
	}
	resp, err := pb.NewSessionServiceClient(conn).GetSession(ctx, &pb.GetSessionRequest{Sid: sids[0], Namespace: c.Namespace})
	if err != nil {
		return err
	}
	k := resp.Session
	if c.JSON {
		return printJSON(os.Stdout, k)
	}
	state := sessionStates[k.State]
	if k.Recovered {
		state += ", was resumed"
	}
	h := k.Handshake
	facts := []string{"sid", k.Sid, "namespace", k.Namespace, "user", printable(k.UserId), "state", state, "since", day(k.OpenedAt.AsTime()),
		"transport", k.Transport, "address", h.GetRemoteAddr(), "connection", k.ConnectionId, "user agent", printable(h.GetHeaders()["user-agent"]),
		"rooms", printable(strings.Join(k.Rooms, " ")), "revision", number(k.Revision)}
	for _, name := range slices.Sorted(maps.Keys(k.Attributes)) {
		facts = append(facts, "  "+printable(name), printable(k.Attributes[name]))
	}
	stdout().facts(facts...)
	return nil
}

// eachSession hands over the sessions that a target selects, page by page, while f wants more.
func eachSession(ctx context.Context, conn *grpc.ClientConn, t *pb.Target, f func(*pb.Session) bool) error {
	client := pb.NewSessionServiceClient(conn)
	for token, first := "", true; first || token != ""; first = false {
		resp, err := client.ListSessions(ctx, &pb.ListSessionsRequest{Filter: t, PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		for _, k := range resp.Sessions {
			if !f(k) {
				return nil
			}
		}
		token = resp.NextPageToken
	}
	return nil
}
