package sioedge

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// maxMessage is the largest message that the edge reads, less some room for what is around it.
const maxMessage = 8<<20 - 64<<10

var errTooLarge = errors.New("larger than 4 MB")

// sendable returns the size of a command. It refuses what would end the stream, and would end it
// again each time it is repeated.
func sendable(c *pb.Command) (size int, err error) {
	if size = proto.Size(c); size > maxMessage {
		return size, errTooLarge
	}
	return size, textCommand(c)
}

func textCommand(c *pb.Command) error {
	switch op := c.GetOp().(type) {
	case *pb.Command_Emit:
		return errors.Join(text("event name", op.Emit.GetEvent()), textTarget(op.Emit.GetTarget()))
	case *pb.Command_Join:
		return errors.Join(text("room", op.Join.GetRooms()...), textTarget(op.Join.GetTarget()))
	case *pb.Command_Leave:
		return errors.Join(text("room", op.Leave.GetRooms()...), textTarget(op.Leave.GetTarget()))
	case *pb.Command_Disconnect:
		return textTarget(op.Disconnect.GetTarget())
	case *pb.Command_Update:
		return textAttributes(op.Update.GetSet())
	case *pb.Command_Tell:
		return text("event name", op.Tell.GetEvent())
	}
	return nil
}

func textTarget(t *pb.Target) error {
	if err := text("room", t.GetRooms()...); err != nil {
		return err
	}
	if err := text("socket id", t.GetSids()...); err != nil {
		return err
	}
	if err := text("user id", t.GetUserIds()...); err != nil {
		return err
	}
	return text("exception", t.GetExceptRooms()...)
}

func textAttributes(set map[string]string) error {
	for key, value := range set {
		if err := text("attribute", key, value); err != nil {
			return err
		}
	}
	return nil
}

// acceptable is sendable for a decision.
func acceptable(a *pb.Accept) error {
	if proto.Size(a) > maxMessage {
		return errTooLarge
	}
	for _, emit := range a.GetGreeting() {
		if err := text("event name", emit.GetEvent()); err != nil {
			return err
		}
	}
	if err := text("room", a.GetRooms()...); err != nil {
		return err
	}
	if err := text("user id", a.GetUserId()); err != nil {
		return err
	}
	return textAttributes(a.GetAttributes())
}

// answerable is sendable for an answer.
func answerable(p *pb.Payload) error {
	if payloadSize(p) > maxMessage {
		return errTooLarge
	}
	return nil
}

func payloadSize(p *pb.Payload) int {
	n := len(p.GetJson())
	for _, a := range p.GetAttachments() {
		n += len(a) + 8
	}
	return n
}

func text(what string, values ...string) error {
	for _, v := range values {
		if !utf8.ValidString(v) {
			return fmt.Errorf("%s %q is no valid UTF-8", what, v)
		}
	}
	return nil
}
