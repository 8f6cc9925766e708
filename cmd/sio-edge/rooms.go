package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type roomsCmd struct {
	remote
	Namespace string `short:"n" default:"/" help:"Namespace."`
	Limit     int    `default:"100" help:"Show so many at most; 0 for all."`
	Prefix    string `arg:"" optional:"" help:"Only rooms whose name begins so."`
}

// Help is shown by --help.
func (roomsCmd) Help() string {
	return `Examples:
  sio-edge rooms
  sio-edge rooms --namespace /chat order-`
}

// Run prints the rooms by name.
func (c *roomsCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		var rows [][]string
		more := false
		client := pb.NewSessionServiceClient(conn)
		for token, first := "", true; (first || token != "") && !more; first = false {
			resp, err := client.ListRooms(ctx, &pb.ListRoomsRequest{Namespace: c.Namespace, Prefix: c.Prefix, PageSize: 1000, PageToken: token})
			if err != nil {
				return err
			}
			token = resp.NextPageToken
			for _, r := range resp.Rooms {
				if c.Limit > 0 && len(rows) == c.Limit {
					more = true
					break
				}
				rows = append(rows, []string{printable(r.Name), number(r.Sessions)})
				if c.JSON {
					if err := printJSON(os.Stdout, r); err != nil {
						return err
					}
				}
			}
		}
		if c.JSON {
			return nil
		}
		p := stdout()
		if len(rows) == 0 {
			fmt.Fprintf(p.w, "no rooms in %s\n", c.Namespace)
			return nil
		}
		p.table([]string{"ROOM", "SESSIONS#"}, rows)
		if more {
			fmt.Fprintln(p.w, p.style(dim, "… and more (--limit 0 shows all)"))
		}
		return nil
	})
}
