package main

import (
	"context"
	"fmt"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// move picks the next or the one before, of what is looked at.
func (t *top) move(by int) {
	if t.view == 0 {
		t.chosen = min(max(t.chosen+by, 0), max(len(t.figures.groups)-1, 0))
	} else {
		t.picked = min(max(t.picked+by, 0), max(len(t.sessions)-1, 0))
	}
}

// group is the one that is picked; nil while others are looked at.
func (t *top) group() *pb.Group {
	if t.view != 0 || len(t.figures.groups) == 0 {
		return nil
	}
	return t.figures.groups[min(t.chosen, len(t.figures.groups)-1)]
}

// ask lets do happen once somebody has said yes.
func (t *top) ask(question string, do func(context.Context, pb.AdminServiceClient) error) {
	t.asking = question + " y/n"
	t.do = func() error {
		ctx, cancel := context.WithTimeout(t.ctx, t.w.timeout)
		defer cancel()
		return do(ctx, pb.NewAdminServiceClient(t.w.conn))
	}
}

func (t *top) halt(g *pb.Group) {
	if g.Paused {
		t.ask("resume "+g.Name+"?", func(ctx context.Context, admin pb.AdminServiceClient) error {
			_, err := admin.ResumeGroup(ctx, &pb.ResumeGroupRequest{Group: g.Name})
			return err
		})
		return
	}
	t.ask("pause "+g.Name+"? its events wait until it is resumed.", func(ctx context.Context, admin pb.AdminServiceClient) error {
		_, err := admin.PauseGroup(ctx, &pb.PauseGroupRequest{Group: g.Name})
		return err
	})
}

func (t *top) redrive(g *pb.Group) {
	if g.DeadLetters == 0 {
		t.note = g.Name + " has no dead letters"
		return
	}
	t.ask("deliver "+plural(g.DeadLetters, "dead letter")+" of "+g.Name+" again?", func(ctx context.Context, admin pb.AdminServiceClient) error {
		_, err := admin.RedriveDeadLetters(ctx, &pb.RedriveDeadLettersRequest{Group: g.Name})
		return err
	})
}

func (t *top) drain() {
	t.ask("end this edge? its clients are let go, their sessions kept.", func(ctx context.Context, admin pb.AdminServiceClient) error {
		_, err := admin.Drain(ctx, &pb.DrainRequest{})
		return err
	})
}

// end asks whether to end a session.
func (t *top) end(s *pb.Session, connection bool) {
	t.asking = fmt.Sprintf("disconnect %s? It cannot be resumed. y/n", shortID(s.Sid))
	if connection {
		t.asking = fmt.Sprintf("close the connection of %s? y/n", shortID(s.Sid))
	}
	t.do = func() error {
		ctx, cancel := context.WithTimeout(t.ctx, t.w.timeout)
		defer cancel()
		_, err := execute(ctx, t.w.conn, &pb.Command{Op: &pb.Command_Disconnect{Disconnect: &pb.Disconnect{
			Target: &pb.Target{Namespace: s.Namespace, Sids: []string{s.Sid}}, CloseConnection: connection}}})
		return err
	}
}
