package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type drainCmd struct {
	remote
	NoWait bool `help:"Do not wait for the edge to be gone."`
}

// Help is shown by --help.
func (drainCmd) Help() string {
	return `What SIGTERM does: health says "draining" at once and no new client comes in; the connections of the others
are closed at an even rate over drain-spread, their sessions are kept; backends are told; the edge exits
within drain-timeout. Clients that are back within recovery-window, at the next start or where the same
store is served, have missed nothing.

Examples:
  sio-edge drain
  sio-edge drain --control 10.0.0.7:7070 && systemctl start sio-edge`
}

// Run drains the edge and waits until it is gone.
func (c *drainCmd) Run() error {
	return c.call(func(ctx context.Context, conn *grpc.ClientConn) error {
		asked, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		admin := pb.NewAdminServiceClient(conn)
		resp, err := admin.Drain(asked, &pb.DrainRequest{})
		if err != nil {
			return err
		}
		begin := time.Now()
		within := resp.Within.AsDuration()
		if !c.NoWait {
			if err := c.wait(ctx, admin, resp.Connections, within); err != nil || ctx.Err() != nil {
				return err
			}
		}
		switch {
		case c.JSON:
			return printJSON(os.Stdout, resp)
		case c.NoWait:
			fmt.Printf("drain -> %s, gone within %s\n", plural(resp.Connections, "connection"), span(within))
		default:
			fmt.Printf("drain -> %s closed, the edge is gone after %s\n", plural(resp.Connections, "connection"), span(time.Since(begin)))
		}
		return nil
	})
}

// wait looks until the edge does not answer any more.
func (c *drainCmd) wait(ctx context.Context, admin pb.AdminServiceClient, connections uint64, within time.Duration) error {
	bar := newProgress("drain", connections, things)
	defer bar.end()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within + c.Timeout); ; {
		look, cancel := context.WithTimeout(ctx, c.Timeout)
		resp, err := admin.GetEdge(look, &pb.GetEdgeRequest{})
		cancel()
		switch {
		case status.Code(err) == codes.Unavailable:
			return nil
		case err != nil:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("drain: the edge is still there after %s; its log says what it waits for", within+c.Timeout)
		}
		bar.at(connections - min(resp.Edge.Connections, connections))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
