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
	List    deadLettersListCmd    `cmd:"" default:"withargs" help:"Show them (what happens without a further word)."`
	Redrive deadLettersRedriveCmd `cmd:"" help:"Deliver them again."`
	Discard deadLettersDiscardCmd `cmd:"" help:"Forget them."`
}

// Help is shown by --help.
func (deadLettersCmd) Help() string {
	return `Examples:
  sio-edge deadletters chat
  sio-edge deadletters redrive chat --all
  sio-edge deadletters discard chat 1099511627781`
}

type deadLettersListCmd struct {
	remote
	Limit int    `default:"100" help:"Show so many at most; 0 for all."`
	Group string `arg:"" help:"The group."`
}

// Help is shown by --help.
func (deadLettersListCmd) Help() string {
	return `Events that a group could not handle, the oldest first, with why.

Examples:
  sio-edge deadletters chat
  sio-edge deadletters list chat --limit 0 --json`
}

// Run lists the dead letters.
func (c *deadLettersListCmd) Run() error { return c.ask(c.list) }

type deadLettersRedriveCmd struct {
	remote
	letters
}

// Help is shown by --help.
func (deadLettersRedriveCmd) Help() string {
	return `One that is delivered again keeps its offset; it may fail as often as a new one before it is set aside again.

Examples:
  sio-edge deadletters redrive chat 1099511627781 1099511627790
  sio-edge deadletters redrive chat --all`
}

// Run delivers dead letters again.
func (c *deadLettersRedriveCmd) Run() error { return c.settle(&c.remote, false) }

type deadLettersDiscardCmd struct {
	remote
	letters
}

// Help is shown by --help.
func (deadLettersDiscardCmd) Help() string {
	return `Examples:
  sio-edge deadletters discard chat 1099511627781
  sio-edge deadletters discard chat --all`
}

// Run forgets dead letters.
func (c *deadLettersDiscardCmd) Run() error { return c.settle(&c.remote, true) }

// letters says which dead letters are meant.
type letters struct {
	All     bool     `help:"All there are."`
	Group   string   `arg:"" help:"The group."`
	Offsets []uint64 `arg:"" optional:"" help:"Offsets of dead letters, as they are listed."`
}

func (l *letters) settle(r *remote, discard bool) error {
	if l.All == (len(l.Offsets) > 0) {
		return usageError("which dead letters? name their offsets or give --all")
	}
	return r.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).RedriveDeadLetters(ctx, &pb.RedriveDeadLettersRequest{Group: l.Group, Offsets: l.Offsets, Discard: discard})
		if err != nil {
			return err
		}
		if r.JSON {
			return printJSON(os.Stdout, resp)
		}
		what, note := "queued again", ""
		if discard {
			what = "discarded"
		}
		if n := len(resp.UnknownOffsets); n > 0 {
			note = fmt.Sprintf(" (%s not there)", number(n))
		}
		fmt.Printf("%s -> %s %s%s\n", l.Group, plural(uint64(resp.Done), "dead letter"), what, note)
		return nil
	})
}

func (c *deadLettersListCmd) list(ctx context.Context, conn *grpc.ClientConn) error {
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
