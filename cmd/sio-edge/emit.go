package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type emitCmd struct {
	remote
	selection
	Volatile bool          `help:"Drop it for clients that are away or cannot take it at once."`
	TTL      time.Duration `name:"ttl" help:"Not written to a client after so long."`
	Ack      bool          `help:"Ask every recipient for an acknowledgement and print it."`
	Wait     time.Duration `default:"10s" help:"How long to wait for acknowledgements."`

	Event string   `arg:"" help:"Name of the event."`
	Args  []string `arg:"" optional:"" help:"Arguments, each a JSON value; -- before a negative number."`
}

// Help is shown by --help.
func (emitCmd) Help() string {
	return `Examples:
  sio-edge emit --room lobby news '"shipping today"'
  sio-edge emit --user ann --user ben --ack confirm '{"order":7}'
  sio-edge emit --everyone --except-room quiet --volatile tick 42`
}

// Run sends the event.
func (c *emitCmd) Run() error {
	payload, err := arguments(c.Args)
	if err != nil {
		return err
	}
	if c.Ack {
		return c.call(func(ctx context.Context, conn *grpc.ClientConn) error { return c.withAck(ctx, conn, payload) })
	}
	return c.ask(func(ctx context.Context, conn *grpc.ClientConn) error {
		e, err := c.emit(ctx, conn, payload)
		if err != nil {
			return err
		}
		result, err := execute(ctx, conn, &pb.Command{Op: &pb.Command_Emit{Emit: e}})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, result)
		}
		r := result.Receipt
		fmt.Printf("%s -> %s %s (%s dropped)\n", c.Event, plural(r.GetWritten(), "socket"), &c.selection, number(r.GetDropped()))
		return nil
	})
}

func (c *emitCmd) emit(ctx context.Context, conn *grpc.ClientConn, payload []byte) (*pb.Emit, error) {
	t, err := c.target(ctx, conn)
	if err != nil {
		return nil, err
	}
	e := &pb.Emit{Target: t, Event: c.Event, Payload: &pb.Payload{Json: payload}, Volatile: c.Volatile}
	if c.TTL > 0 {
		e.Ttl = durationpb.New(c.TTL)
	}
	return e, nil
}

// withAck prints each answer as it comes, then what they come to.
func (c *emitCmd) withAck(ctx context.Context, conn *grpc.ClientConn, payload []byte) error {
	e, err := c.emit(ctx, conn, payload)
	if err != nil {
		return err
	}
	e.Ack = &pb.AckRequest{Timeout: durationpb.New(c.Wait)}
	stream, err := pb.NewCommandServiceClient(conn).EmitWithAck(ctx, &pb.EmitWithAckRequest{Emit: e})
	if err != nil {
		return err
	}
	p := stdout()
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.JSON {
			if err := printJSON(os.Stdout, m); err != nil {
				return err
			}
			continue
		}
		if a := m.GetAck(); a != nil {
			what := p.style(yellow, outcomeWords[a.Outcome])
			if a.Outcome == pb.AckOutcome_ACK_OUTCOME_ACKED {
				what = arrangement(a.Payload)
			}
			fmt.Fprintf(p.w, "%-8s  %s\n", shortID(a.Sid), what)
		}
		if s := m.GetSummary(); s != nil {
			fmt.Fprintf(p.w, "%s -> %s %s: %s\n", c.Event, plural(s.Expected, "socket"), &c.selection, summary(s))
		}
	}
}

var outcomeWords = map[pb.AckOutcome]string{
	pb.AckOutcome_ACK_OUTCOME_ACKED:        "acked",
	pb.AckOutcome_ACK_OUTCOME_TIMED_OUT:    "timed out",
	pb.AckOutcome_ACK_OUTCOME_DISCONNECTED: "disconnected",
	pb.AckOutcome_ACK_OUTCOME_DROPPED:      "dropped",
}

func summary(s *pb.AckSummary) string {
	parts := []string{number(s.Acked) + " acked"}
	for _, p := range []struct {
		n    uint64
		what string
	}{{s.TimedOut, "timed out"}, {s.Disconnected, "disconnected"}, {s.Dropped, "dropped"}} {
		if p.n > 0 {
			parts = append(parts, number(p.n)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}

// arguments puts values together to the array that clients get, digit for digit.
func arguments(values []string) ([]byte, error) {
	for _, v := range values {
		if !json.Valid([]byte(v)) {
			return nil, usageError(fmt.Sprintf(`%s: not JSON; text needs quotes of its own: '"%s"'`, cut(printable(v), 64), cut(printable(v), 64)))
		}
	}
	return []byte("[" + strings.Join(values, ",") + "]"), nil
}

// arrangement shows the arguments of an event or an answer.
func arrangement(p *pb.Payload) string {
	text := printable(string(p.GetJson()))
	if text == "" {
		text = "[]"
	}
	for i, a := range p.GetAttachments() {
		text = strings.Replace(text, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i), "<"+weight(uint64(len(a)))+">", 1)
	}
	return text
}
