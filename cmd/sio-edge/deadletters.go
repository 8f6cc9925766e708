package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type deadLettersCmd struct {
	remote
	Redrive bool     `xor:"what" help:"Deliver the named ones again."`
	Discard bool     `xor:"what" help:"Forget the named ones."`
	All     bool     `help:"With --redrive or --discard: all there are."`
	Limit   int      `default:"100" help:"Show so many at most; 0 for all."`
	Group   string   `arg:"" help:"The group."`
	Offsets []uint64 `arg:"" optional:"" help:"Offsets of dead letters, as they are listed."`
}

// Help is shown by --help.
func (deadLettersCmd) Help() string {
	return `Events that a group could not handle, the oldest first. One that is delivered again keeps its offset; it may
fail as often as a new one before it is set aside again.

Examples:
  sio-edge deadletters chat
  sio-edge deadletters chat --redrive 1099511627781 1099511627790
  sio-edge deadletters chat --discard --all`
}

// Run lists the dead letters, or does with them what was asked for.
func (c *deadLettersCmd) Run() error {
	if c.Redrive || c.Discard {
		if c.All == (len(c.Offsets) > 0) {
			return usageError("which dead letters? name their offsets or give --all")
		}
		return c.ask(c.settle)
	}
	if c.All || len(c.Offsets) > 0 {
		return usageError("what is to be done with them? --redrive or --discard")
	}
	return c.ask(c.list)
}

func (c *deadLettersCmd) settle(ctx context.Context, conn *grpc.ClientConn) error {
	resp, err := pb.NewAdminServiceClient(conn).RedriveDeadLetters(ctx, &pb.RedriveDeadLettersRequest{Group: c.Group, Offsets: c.Offsets, Discard: c.Discard})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, resp)
	}
	what, note := "queued again", ""
	if c.Discard {
		what = "discarded"
	}
	if n := len(resp.UnknownOffsets); n > 0 {
		note = fmt.Sprintf(" (%s not there)", number(n))
	}
	fmt.Printf("%s -> %s %s%s\n", c.Group, plural(uint64(resp.Done), "dead letter"), what, note)
	return nil
}

func (c *deadLettersCmd) list(ctx context.Context, conn *grpc.ClientConn) error {
	client := pb.NewAdminServiceClient(conn)
	var rows [][]string
	more := false
	for token, first := "", true; (first || token != "") && !more; first = false {
		resp, err := client.ListDeadLetters(ctx, &pb.ListDeadLettersRequest{Group: c.Group, PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		token = resp.NextPageToken
		for _, l := range resp.DeadLetters {
			if c.Limit > 0 && len(rows) == c.Limit {
				more = true
				break
			}
			if c.JSON {
				if err := printJSON(os.Stdout, l); err != nil {
					return err
				}
			}
			line := eventLine(l.SetAsideAt.AsTime(), l.Event)
			rows = append(rows, []string{strconv.FormatUint(l.Event.GetOffset(), 10), day(l.SetAsideAt.AsTime()), line.who, cut(line.what, 48),
				number(l.Attempts), printable(l.MemberId), cut(printable(l.Reason), 60)})
		}
	}
	if c.JSON {
		return nil
	}
	p := stdout()
	if len(rows) == 0 {
		fmt.Fprintf(p.w, "no dead letters of %s\n", c.Group)
		return nil
	}
	p.table([]string{"OFFSET#", "SET ASIDE", "SID", "EVENT", "ATTEMPTS#", "MEMBER", "REASON"}, rows)
	if more {
		fmt.Fprintln(p.w, p.style(dim, "… and more (--limit 0 shows all)"))
	}
	return nil
}
