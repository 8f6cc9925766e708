package main

import (
	"strings"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type leaveCmd struct {
	remote
	selection
	AllRooms bool     `help:"Leave every room."`
	Rooms    []string `arg:"" optional:"" help:"Rooms to leave."`
}

// Help is shown by --help.
func (leaveCmd) Help() string {
	return `Examples:
  sio-edge leave --user ann vip
  sio-edge leave --sid k3Fz…Qa --all-rooms`
}

// Run removes the sessions.
func (c *leaveCmd) Run() error {
	if c.AllRooms == (len(c.Rooms) > 0) {
		return usageError("which rooms? name them or give --all-rooms")
	}
	what := "leave " + strings.Join(c.Rooms, ", ")
	if c.AllRooms {
		what = "leave all rooms"
	}
	return c.change(&c.selection, what, func(t *pb.Target) *pb.Command {
		return &pb.Command{Op: &pb.Command_Leave{Leave: &pb.LeaveRooms{Target: t, Rooms: c.Rooms, All: c.AllRooms}}}
	})
}
