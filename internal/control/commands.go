package control

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/trace"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// maxCommands is how many commands one message may hold.
const maxCommands = 1024

// commands applies the commands of one caller.
type commands struct {
	srv    *Server
	grant  *access.Grant
	member *group.Member // nil for a caller without a stream
	seat   seat          // of member
	out    *outbox       // where answers of clients go; nil for a caller without a stream
	flush  socketio.Flush
}

// apply does one command, or finds its first result, and returns it.
func (c *commands) apply(cmd *pb.Command) *pb.CommandResult {
	if err := c.permit(cmd); err != nil {
		return failure(cmd.CommandId, err)
	}
	if cmd.CommandId == "" {
		return c.do(cmd, c.relay(cmd))
	}
	if len(cmd.CommandId) > maxCommandID {
		return failure(cmd.CommandId, &socketio.Error{Reason: convert.Invalid, Text: fmt.Sprintf("command_id: %d bytes, at most %d are allowed", len(cmd.CommandId), maxCommandID)})
	}
	e, fresh := c.srv.ledger.begin(c.key(cmd.CommandId), cmd)
	if !fresh {
		r := e.again(cmd.CommandId)
		if e.relay != nil && c.out != nil {
			e.relay.rebind(c.out)
		}
		return r
	}
	relay := c.relay(cmd)
	if asks(cmd) {
		e.relay = relay
	}
	r := c.do(cmd, relay)
	e.finish(r)
	return r
}

// relay returns what passes the answers to a command on.
func (c *commands) relay(cmd *pb.Command) *ackRelay {
	r := &ackRelay{commandID: cmd.CommandId, out: c.out}
	if c.member != nil && asks(cmd) {
		r.home, r.seat = &c.srv.relays, c.seat
		r.home.add(r)
	}
	return r
}

// asks says whether the command wants answers of its recipients.
func asks(cmd *pb.Command) bool {
	return cmd.GetEmit().GetAck() != nil || cmd.GetTell().GetAck() != nil
}

func (c *commands) do(cmd *pb.Command, relay *ackRelay) *pb.CommandResult {
	if c.out == nil && asks(cmd) {
		return failure(cmd.CommandId, &socketio.Error{Reason: convert.Invalid, Text: "ack: only EmitWithAck and a stream can be told of acknowledgements"})
	}
	var traced *trace.Command
	if cmd.TraceParent != "" && c.srv.cfg.Trace != nil {
		traced = c.srv.cfg.Trace.Command(cmd.TraceParent, nameOf(cmd))
	}
	receipt, err := c.perform(cmd, relay)
	traced.Applied(receipt.Matched, receipt.Written, receipt.Dropped, err)
	if err != nil {
		relay.ended() // before it began
		return failure(cmd.CommandId, err)
	}
	r := &pb.CommandResult{CommandId: cmd.CommandId, Receipt: convert.Receipt(receipt)}
	c.auditCommand(cmd, r)
	return r
}

// nameOf names a command in a trace.
func nameOf(cmd *pb.Command) string {
	switch op := cmd.Op.(type) {
	case *pb.Command_Emit:
		return "emit " + op.Emit.GetEvent()
	case *pb.Command_Join:
		return "join"
	case *pb.Command_Leave:
		return "leave"
	case *pb.Command_Disconnect:
		return "disconnect"
	case *pb.Command_Update:
		return "update session"
	case *pb.Command_Tell:
		return "tell"
	}
	return "command"
}

func (c *commands) perform(cmd *pb.Command, relay *ackRelay) (socketio.Receipt, error) {
	switch op := cmd.Op.(type) {
	case *pb.Command_Tell:
		return c.tell(op.Tell, relay)
	case *pb.Command_Answer:
		return socketio.Receipt{}, c.answer(op.Answer)
	}
	op, err := convert.Command(cmd, c.member, relay)
	if err != nil {
		return socketio.Receipt{}, err
	}
	if !c.grant.Everything() {
		c.confine(op)
	}
	return c.srv.sockets.Apply(op, &c.flush)
}

func failure(id string, err error) *pb.CommandResult {
	return &pb.CommandResult{CommandId: id, Status: convert.Status(err).Proto()}
}

// settle calls f with the results once what they accept is on disk. What could not be written is
// not accepted.
func (c *commands) settle(cmds []*pb.Command, results []*pb.CommandResult, f func([]*pb.CommandResult)) {
	c.srv.sockets.Committed(func(err error) {
		for i, r := range results {
			if e := cmds[i].GetEmit(); err != nil && r.Status == nil && e != nil && !e.Volatile {
				results[i] = failure(r.CommandId, &socketio.Error{Reason: socketio.StoreFull, Text: "emit: it could not be kept: " + err.Error()})
			}
		}
		f(results)
	})
}

// Execute applies commands in order and returns their results in order.
func (s *Server) Execute(ctx context.Context, req *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	if n := len(req.Commands); n > maxCommands {
		return nil, convert.Failure(codes.InvalidArgument, convert.Invalid, fmt.Sprintf("execute: %d commands, at most %d are allowed", n, maxCommands)).Err()
	}
	c := commands{srv: s, grant: s.grant(ctx)}
	resp := &pb.ExecuteResponse{Results: make([]*pb.CommandResult, 0, len(req.Commands))}
	for _, cmd := range req.Commands {
		resp.Results = append(resp.Results, c.apply(cmd))
	}
	c.flush.Do()
	kept := make(chan []*pb.CommandResult, 1)
	c.settle(req.Commands, resp.Results, func(r []*pb.CommandResult) { kept <- r })
	select {
	case resp.Results = <-kept:
		return resp, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// EmitWithAck sends one event and streams the answers of its recipients.
func (s *Server) EmitWithAck(req *pb.EmitWithAckRequest, stream pb.CommandService_EmitWithAckServer) error {
	if req.Emit == nil {
		return convert.Failure(codes.InvalidArgument, convert.Invalid, "emit with ack: no emit").Err()
	}
	emit := proto.Clone(req.Emit).(*pb.Emit)
	if emit.Ack == nil {
		emit.Ack = &pb.AckRequest{}
	}
	out := newOutbox()
	defer out.close() // the answers of those who are late go nowhere
	c := commands{srv: s, grant: s.grant(stream.Context()), out: out}
	r := c.apply(&pb.Command{CommandId: req.CommandId, TraceParent: req.TraceParent, Op: &pb.Command_Emit{Emit: emit}})
	c.flush.Do()
	if r.Status != nil {
		return status.FromProto(r.Status).Err()
	}
	err := out.run(stream.Context(), func(m *pb.SubscribeResponse) error {
		for _, a := range m.GetClientAcks().GetAcks() {
			if err := stream.Send(&pb.EmitWithAckResponse{Message: &pb.EmitWithAckResponse_Ack{Ack: a}}); err != nil {
				return err
			}
		}
		if sums := m.GetClientAcks().GetSummaries(); len(sums) > 0 {
			if err := stream.Send(&pb.EmitWithAckResponse{Message: &pb.EmitWithAckResponse_Summary{Summary: sums[0]}}); err != nil {
				return err
			}
			return errDone
		}
		return nil
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// errDone ends a send loop that has sent everything.
var errDone = errors.New("done")
