package sioedge

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Tell says something to the other processes of the group; their OnTold hears it. It returns nil
// once the edge has taken it: processes that are away get it if they are back within the grace.
func (n *Namespace) Tell(ctx context.Context, name string, args ...any) error {
	tell, err := n.tell(name, args)
	if err != nil {
		return err
	}
	if err := n.edge.link.execute(ctx, &pb.Command{Op: &pb.Command_Tell{Tell: tell}}); err != nil {
		return tellError(name, err)
	}
	return nil
}

// TellWithAck is Tell with a question: it waits for what each process answers, until the context
// ends, or 10 s if it has no deadline. A process that has left, or has nobody to answer, counts as
// Disconnected.
func (n *Namespace) TellWithAck(ctx context.Context, name string, args ...any) ([]Answer, error) {
	tell, err := n.tell(name, args)
	if err != nil {
		return nil, err
	}
	timeout := 10 * time.Second
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(end), time.Millisecond)
	}
	tell.Ack = &pb.AckRequest{Timeout: durationpb.New(timeout)}
	answers, err := n.edge.link.ask(ctx, &pb.Command{Op: &pb.Command_Tell{Tell: tell}}, timeout)
	if err != nil {
		return nil, tellError(name, err)
	}
	return answers, nil
}

func (n *Namespace) tell(name string, args []any) (*pb.Tell, error) {
	payload, err := encodeArgs(args)
	if err != nil {
		return nil, tellError(name, err)
	}
	return &pb.Tell{Namespace: n.name, Event: name, Payload: payload}, nil
}

func tellError(name string, err error) error { return fmt.Errorf("tell %q: %w", name, err) }

// OnTold hears what other processes of the group say with Tell. from is who said it; the answer is
// what TellWithAck gets, nil for no value. An error is no answer. What is told is heard in order,
// one after the other.
func (n *Namespace) OnTold(name string, fn func(ctx context.Context, from string, args Args) (answer any, err error)) {
	n.edge.mustNotRun("OnTold")
	if n.told == nil {
		n.told = make(map[string]toldHandler)
	}
	n.told[name] = fn
}

type toldHandler = func(context.Context, string, Args) (any, error)

// told calls the handler of what another process says, and answers.
func (e *Edge) told(t *pb.Told) {
	answer := &pb.Answer{ToldId: t.GetToldId(), Absent: true}
	if payload, err := e.hear(t); err != nil {
		e.cfg.log.Error("handler failed", "told", t.GetEvent(), "from", t.GetMemberId(), "error", err)
	} else if payload != nil {
		answer.Absent, answer.Payload = false, payload
	}
	if !t.GetAsks() {
		return
	}
	if err := e.link.queue(e.handler, &pb.Command{Op: &pb.Command_Answer{Answer: answer}}); err != nil {
		e.cfg.log.Error("answer not sent", "told", t.GetEvent(), "error", err)
	}
}

// hear returns nil if nobody listens.
func (e *Edge) hear(t *pb.Told) (payload *pb.Payload, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	fn := e.serving(t.GetNamespace()).told[t.GetEvent()]
	if fn == nil {
		return nil, nil
	}
	value, err := fn(e.handler, t.GetMemberId(), newArgs(t.GetPayload()))
	if err != nil {
		return nil, err
	}
	if value == nil {
		return &pb.Payload{}, nil
	}
	if payload, err = encodeArgs([]any{value}); err == nil {
		err = answerable(payload)
	}
	return payload, err
}
