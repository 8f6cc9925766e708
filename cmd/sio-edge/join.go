package main

import (
	"strings"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type joinCmd struct {
	remote
	selection
	Rooms []string `arg:"" help:"Rooms to join."`
}

// Help is shown by --help.
func (joinCmd) Help() string {
	return `Examples:
  sio-edge join --user ann vip
  sio-edge join --room lobby --except-room banned announcements`
}

// Run adds the sessions.
func (c *joinCmd) Run() error {
	return c.change(&c.selection, "join "+strings.Join(c.Rooms, ", "), func(t *pb.Target) *pb.Command {
		return &pb.Command{Op: &pb.Command_Join{Join: &pb.Join{Target: t, Rooms: c.Rooms}}}
	})
}
