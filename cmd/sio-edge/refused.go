package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type refusedCmd struct {
	remote
}

// Help is shown by --help.
func (refusedCmd) Help() string {
	return `Everything that was turned away since the edge started: clients, requests, packets; the newest first, with
what each reason means. A stock client shows none of this: it says "xhr poll error" or "websocket error".
The same counts are the metric sioedge_refused_total.

Examples:
  sio-edge refused
  sio-edge refused --json | jq -r 'select(.layer=="socketio")'`
}

// Run prints the refusals.
func (c *refusedCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).ListRefusals(ctx, &pb.ListRefusalsRequest{})
		if err != nil {
			return err
		}
		slices.SortStableFunc(resp.Refusals, func(a, b *pb.Refusal) int { return b.LastAt.AsTime().Compare(a.LastAt.AsTime()) })
		if c.JSON {
			for _, r := range resp.Refusals {
				if err := printJSON(os.Stdout, r); err != nil {
					return err
				}
			}
			return nil
		}
		p := stdout()
		if len(resp.Refusals) == 0 {
			fmt.Fprintln(p.w, "nothing was refused since the edge started")
			return nil
		}
		p.table([]string{"LAST", "COUNT#", "LAYER", "REASON", "MEANING"}, refusalRows(resp.Refusals))
		return nil
	})
}

func refusalRows(list []*pb.Refusal) (rows [][]string) {
	for _, r := range list {
		rows = append(rows, []string{day(r.LastAt.AsTime()), number(r.Count), r.Layer, r.Reason, r.Meaning})
	}
	return rows
}
