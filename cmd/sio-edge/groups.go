package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type groupsCmd struct {
	List   groupsListCmd   `cmd:"" default:"withargs" help:"Show the groups, or one with its members (what happens without a further word)."`
	Pause  groupsPauseCmd  `cmd:"" help:"Deliver nothing to a group until it is resumed."`
	Resume groupsResumeCmd `cmd:"" help:"Go on delivering to a group."`
}

// Help is shown by --help.
func (groupsCmd) Help() string {
	return `Examples:
  sio-edge groups
  sio-edge groups chat
  sio-edge groups pause chat
  sio-edge groups resume chat`
}

type groupsListCmd struct {
	remote
	Group string `arg:"" optional:"" help:"Show the members of this group."`
}

// Help is shown by --help.
func (groupsListCmd) Help() string {
	return `MEMBERS is attached/known. OLDEST, the group's lag, is the age of the oldest event that is not settled.
DEAD counts events that were set aside because the group could not handle them.

Examples:
  sio-edge groups
  sio-edge groups chat`
}

type groupsPauseCmd struct {
	remote
	Group string `arg:"" help:"The group."`
}

// Help is shown by --help.
func (groupsPauseCmd) Help() string {
	return `The members stay attached and settle what they have. What comes waits within the bounds of the backlog;
clients that need the group's decision are not let in. It stays paused over restarts of the edge.

Examples:
  sio-edge groups pause chat`
}

// Run pauses the group.
func (c *groupsPauseCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).PauseGroup(ctx, &pb.PauseGroupRequest{Group: c.Group})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, resp)
		}
		fmt.Printf("%s -> paused: its events wait until sio-edge groups resume %s\n", c.Group, c.Group)
		return nil
	})
}

type groupsResumeCmd struct {
	remote
	Group string `arg:"" help:"The group."`
}

// Help is shown by --help.
func (groupsResumeCmd) Help() string {
	return `Examples:
  sio-edge groups resume chat`
}

// Run resumes the group.
func (c *groupsResumeCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).ResumeGroup(ctx, &pb.ResumeGroupRequest{Group: c.Group})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, resp)
		}
		fmt.Printf("%s -> resumed\n", c.Group)
		return nil
	})
}

// Run prints the groups, or the members of one.
func (c *groupsListCmd) Run() error {
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := pb.NewAdminServiceClient(conn).ListGroups(ctx, &pb.ListGroupsRequest{})
		if err != nil {
			return err
		}
		var shown []*pb.Group
		for _, g := range resp.Groups {
			if c.Group == "" || g.Name == c.Group {
				shown = append(shown, g)
			}
		}
		if c.Group != "" && len(shown) == 0 {
			return fmt.Errorf("group %s: no member has attached since the edge knows of it", c.Group)
		}
		if c.JSON {
			for _, g := range shown {
				if err := printJSON(os.Stdout, g); err != nil {
					return err
				}
			}
			return nil
		}
		p := stdout()
		if len(shown) == 0 {
			fmt.Fprintln(p.w, "no groups: no backend has attached yet")
			return nil
		}
		p.groups(shown)
		if c.Group != "" {
			p.members(shown[0])
		}
		return nil
	})
}

func (p *page) groups(groups []*pb.Group) {
	var rows [][]string
	for _, g := range groups {
		attached, sessions := 0, uint64(0)
		for _, m := range g.Members {
			if sessions += m.Sessions; m.Attached {
				attached++
			}
		}
		oldest := "-"
		if g.BacklogEvents > 0 {
			oldest = span(g.BacklogAge.AsDuration())
		}
		rows = append(rows, []string{g.Name, fmt.Sprintf("%d/%d", attached, len(g.Members)), number(sessions), number(g.InFlight),
			number(g.BacklogEvents - min(g.InFlight, g.BacklogEvents)), oldest, number(g.Redelivered), number(g.DeadLetters)})
	}
	p.table([]string{"GROUP", "MEMBERS", "SESSIONS", "IN FLIGHT", "BACKLOG", "OLDEST", "REDELIVERED", "DEAD"}, rows)
	for _, g := range groups {
		if g.Paused {
			fmt.Fprintln(p.w, p.style(yellow, fmt.Sprintf("group %s: paused; sio-edge groups resume %s delivers again", g.Name, g.Name)))
		}
		if g.PausedClients > 0 {
			fmt.Fprintln(p.w, p.style(yellow, fmt.Sprintf("group %s: %s not read because its backlog is full", g.Name, plural(g.PausedClients, "client"))))
		}
	}
}

func (p *page) members(g *pb.Group) {
	var rows [][]string
	for _, m := range g.Members {
		state := "attached"
		if !m.Attached {
			state = "expected back"
		}
		rows = append(rows, []string{printable(m.MemberId), state, number(m.Sessions), number(m.InFlight), printable(m.Sdk)})
	}
	fmt.Fprintln(p.w)
	if len(rows) == 0 {
		fmt.Fprintf(p.w, "no members: events wait, up to %s (%s)\n", number(g.Spec.GetMaxBacklogEvents()), weight(g.Spec.GetMaxBacklogBytes()))
		return
	}
	p.table([]string{"MEMBER", "STATE", "SESSIONS#", "IN FLIGHT#", "SDK"}, rows)
}
