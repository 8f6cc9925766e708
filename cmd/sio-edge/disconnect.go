package main

import (
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type disconnectCmd struct {
	remote
	selection
	Close bool `help:"Close the whole connection, with its sessions in other namespaces."`
}

// Help is shown by --help.
func (disconnectCmd) Help() string {
	return `The sessions cannot be resumed, and a stock client does not come back by itself.

Examples:
  sio-edge disconnect --sid k3Fz…Qa
  sio-edge disconnect --user ann --close`
}

// Run ends the sessions.
func (c *disconnectCmd) Run() error {
	return c.change(&c.selection, "disconnect", func(t *pb.Target) *pb.Command {
		return &pb.Command{Op: &pb.Command_Disconnect{Disconnect: &pb.Disconnect{Target: t, CloseConnection: c.Close}}}
	})
}
