package control

import (
	"errors"
	"fmt"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// tell passes on what is said to the members of a group. relay gets their answers.
func (c *commands) tell(m *pb.Tell, relay *ackRelay) (socketio.Receipt, error) {
	t := &group.Tell{Group: m.Group, From: c.member, Namespace: m.Namespace, Event: m.Event}
	if t.Namespace == "" {
		t.Namespace = "/"
	}
	var err error
	if t.Args, t.Attachments, err = convert.Arguments("tell", m); err != nil {
		return socketio.Receipt{}, err
	}
	if m.Ack != nil {
		t.Answers = relay
		if t.Within, err = convert.AckTimeout("tell", m.Ack); err != nil {
			return socketio.Receipt{}, err
		}
	}
	if err := c.srv.sockets.CheckMessage(t.Event, &t.Args, t.Attachments); err != nil {
		return socketio.Receipt{}, err
	}
	receipt, err := c.srv.groups.Tell(t)
	if errors.Is(err, group.ErrUnknown) {
		err = unknownGroup(m)
	}
	return receipt, err
}

// unknownGroup is the error of who names a group that is not there, or not for them.
func unknownGroup(m *pb.Tell) error {
	return &socketio.Error{Reason: convert.GroupUnknown, Text: fmt.Sprintf("tell %.128q: %v", m.Event, group.ErrUnknown)}
}

func told(t *group.Told) *pb.Told {
	m := &pb.Told{ToldId: t.ID, Asks: t.Answers != nil, Namespace: t.Namespace, Event: t.Event, Payload: &pb.Payload{Json: t.Args, Attachments: t.Attachments}}
	if t.From != nil {
		m.MemberId = t.From.ID()
	}
	return m
}

// answer passes on what the member answers to what it was told.
func (c *commands) answer(m *pb.Answer) error {
	if c.member == nil {
		return &socketio.Error{Reason: convert.Invalid, Text: "answer: only who is told, on a stream, can answer"}
	}
	args, attachments := m.GetPayload().GetJson(), m.GetPayload().GetAttachments()
	if !m.Absent {
		if err := c.srv.sockets.CheckArgs(&args, attachments); err != nil {
			return err
		}
	}
	c.member.Answer(m.ToldId, m.Absent, args, attachments)
	return nil
}

// sendNotes sends what is no event: how sessions have changed, and what other members say.
func (st *stream) sendNotes(next *group.Batch) error {
	if len(next.Changed) > 0 {
		b := &pb.SessionChangeBatch{}
		for i := range next.Changed {
			c := &next.Changed[i]
			if err := st.hears(c.Namespace); err != nil {
				return err
			}
			b.Changes = append(b.Changes, &pb.SessionChange{Sid: c.SID, Namespace: c.Namespace,
				Joined: c.Joined, Left: c.Left, AllRooms: c.AllRooms, Transport: c.Transport})
		}
		if err := st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Changes{Changes: b}}); err != nil {
			return err
		}
	}
	for rest := next.Told; len(rest) > 0; {
		b, size := &pb.ToldBatch{}, 0
		for len(rest) > 0 && (size == 0 || size+rest[0].Size() <= maxBatchBytes) {
			b.Told = append(b.Told, told(&rest[0]))
			size += rest[0].Size()
			rest = rest[1:]
		}
		if err := st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Told{Told: b}}); err != nil {
			return err
		}
	}
	return nil
}
