package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/charmbracelet/x/term"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type seekCmd struct {
	remote
	Latest bool          `xor:"where" required:"" help:"Behind everything that was read so far."`
	Ago    time.Duration `xor:"where" required:"" help:"To what the edge read so long ago, such as 10m."`
	Time   time.Time     `xor:"where" required:"" format:"2006-01-02T15:04:05Z07:00" help:"To what the edge read at this time, such as 2026-11-22T21:04:00Z."`
	Yes    bool          `short:"y" help:"Do not ask."`
	Group  string        `arg:"" help:"The group."`
}

// Help is shown by --help.
func (seekCmd) Help() string {
	return `Client events before the position that wait are dropped for good. Settled ones behind it are delivered again, as
far as the group keeps them (spec.retention). What is being delivered stays.

Examples:
  sio-edge seek chat --latest
  sio-edge seek billing --ago 10m`
}

// Run moves the group.
func (c *seekCmd) Run() error {
	req := &pb.SeekGroupRequest{Group: c.Group}
	where := "now"
	switch {
	case c.Latest:
		req.Position = &pb.SeekGroupRequest_Latest{Latest: true}
	default:
		at := c.Time
		if c.Ago != 0 {
			at = time.Now().Add(-c.Ago)
		}
		req.Position = &pb.SeekGroupRequest_Time{Time: timestamppb.New(at)}
		where = day(at)
	}
	if !c.Yes {
		if !term.IsTerminal(os.Stdin.Fd()) {
			return usageError("seek drops what waits: say --yes")
		}
		fmt.Fprintf(os.Stderr, "Move group %s to %s? What waits before that is dropped. y/n ", c.Group, where)
		if answer, _ := bufio.NewReader(os.Stdin).ReadString('\n'); answer != "y\n" && answer != "yes\n" {
			return nil
		}
	}
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).SeekGroup(ctx, req)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, resp)
		}
		fmt.Printf("%s -> %s: %s dropped, %s delivered again\n", c.Group, where, plural(resp.Dropped, "event"), number(resp.Replayed))
		return nil
	})
}
