package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// stream is one attached backend.
type stream struct {
	// Static after Hello.
	srv    *Server
	rpc    pb.EventService_SubscribeServer
	grant  *access.Grant
	member *group.Member
	name   string // of the group
	id     string // of the member
	out    *outbox

	sending sync.Mutex // one Send at a time

	// Owned by receive.
	commands commands
	quota    quota
	ids      []uint64 // of the replies at hand
	taken    []group.Delivery
}

// Subscribe attaches a backend and serves it until it goes.
func (s *Server) Subscribe(rpc pb.EventService_SubscribeServer) error {
	first, err := s.firstMessage(rpc)
	if err != nil {
		return err
	}
	h, err := hello(first)
	if err != nil {
		return err
	}
	grant := s.grant(rpc.Context())
	if err := s.mayAttach(grant, &h); err != nil {
		return err
	}
	member, outcome, err := s.groups.Attach(h)
	if err != nil {
		return memberError(err)
	}
	defer member.Detach()
	st := &stream{srv: s, rpc: rpc, grant: grant, member: member, name: h.Group, id: h.MemberID, out: newOutbox()}
	st.commands = commands{srv: s, grant: grant, member: member, seat: seat{h.Group, h.MemberID}, out: st.out}
	s.relays.attach(st.commands.seat, st.out)
	st.quota.rate = float64(s.cfg.CommandRate)
	defer st.out.close()
	s.log.Info("backend attached", "group", h.Group, "member", h.MemberID, "sdk", h.SDK, "resume", outcomes[outcome].String())
	err = st.run(outcome)
	s.log.Info("backend gone", "group", h.Group, "member", h.MemberID, "reason", reasonOf(err))
	return err
}

func reasonOf(err error) string {
	if err == nil {
		return "it closed its stream"
	}
	return err.Error()
}

// firstMessage waits for Hello, but not for ever.
func (s *Server) firstMessage(rpc pb.EventService_SubscribeServer) (*pb.Hello, error) {
	type received struct {
		m   *pb.SubscribeRequest
		err error
	}
	got := make(chan received, 1)
	go func() { // ends when the RPC does
		m, err := rpc.Recv()
		got <- received{m, err}
	}()
	timeout := time.NewTimer(s.cfg.HelloTimeout)
	defer timeout.Stop()
	select {
	case r := <-got:
		if r.err != nil {
			return nil, r.err
		}
		if h := r.m.GetHello(); h != nil {
			return h, nil
		}
		return nil, convert.Failure(codes.InvalidArgument, "HELLO_MISSING", "subscribe: the first message must be hello").Err()
	case <-timeout.C:
		return nil, convert.Failure(codes.DeadlineExceeded, "HELLO_MISSING", "subscribe: no hello within "+s.cfg.HelloTimeout.String()).Err()
	case <-s.stopping:
		return nil, errStopping
	}
}

// run greets the backend and moves messages both ways. It returns when both senders have ended.
func (st *stream) run(outcome group.Outcome) error {
	ctx, cancel := context.WithCancel(st.rpc.Context())
	defer cancel()
	if err := st.greet(outcome); err != nil {
		return err
	}
	ended := make(chan error, 3)
	var senders sync.WaitGroup
	senders.Go(func() { ended <- st.deliver(ctx) })
	senders.Go(func() { ended <- st.out.run(ctx, st.send) })
	received := make(chan error, 1)
	go func() { received <- st.receive() }() // ends when the RPC does: Recv fails once it returns

	var err error
	for draining, over := st.srv.draining, false; !over; {
		over = true
		select {
		case err = <-ended:
		case err = <-received:
		case <-draining:
			draining, over = nil, false
			st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Draining{Draining: &pb.Draining{Within: durationpb.New(st.srv.within)}}})
		case <-st.srv.stopping:
			err = errStopping
		}
	}
	cancel()
	if errors.Is(err, io.EOF) {
		// The backend has said all it has to say, and listens still.
		senders.Wait()
		err = st.out.flush(st.send)
	}
	st.out.close()
	senders.Wait()
	return err
}

func (st *stream) send(m *pb.SubscribeResponse) error {
	st.sending.Lock()
	defer st.sending.Unlock()
	return st.rpc.Send(m)
}

// sendBatch sends deliveries, which the codec takes as the bytes that they are.
func (st *stream) sendBatch(b *convert.Batch) error {
	st.sending.Lock()
	defer st.sending.Unlock()
	return st.rpc.SendMsg(b)
}

// snapshotPart is how many sessions one message of a Snapshot holds.
const snapshotPart = 256

func (st *stream) greet(outcome group.Outcome) error {
	cfg := st.srv.cfg
	err := st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Welcome{Welcome: &pb.Welcome{
		ProtocolVersion: protocolVersion, EdgeId: cfg.EdgeID, Epoch: cfg.Epoch, LogId: cfg.LogID,
		Resume: outcomes[outcome], Flow: flowMessage(st.member.Flow()), Version: cfg.Version}}})
	if err != nil || outcome == group.Continued {
		return err
	}
	err = st.member.Snapshot(snapshotPart, func(sessions []socketio.Session) error {
		for i := range sessions {
			if err := st.hears(sessions[i].Namespace); err != nil {
				return err
			}
		}
		return st.send(snapshot(sessions, false))
	})
	if err != nil {
		return memberError(err)
	}
	return st.send(snapshot(nil, true))
}

func snapshot(sessions []socketio.Session, last bool) *pb.SubscribeResponse {
	m := &pb.Snapshot{Last: last}
	for i := range sessions {
		m.Sessions = append(m.Sessions, convert.Session(&sessions[i]))
	}
	return &pb.SubscribeResponse{Message: &pb.SubscribeResponse_Snapshot{Snapshot: m}}
}

// maxBatchBytes is about how large a message of deliveries gets; a single event may be larger.
const maxBatchBytes = 1 << 20

// deliver sends what the group has for the member. A message holds whatever was there when the
// one before had been sent: one event when the stream is idle, many under load.
func (st *stream) deliver(ctx context.Context) error {
	var next group.Batch
	var batch convert.Batch
	for {
		if err := st.member.Next(ctx, &next); err != nil {
			return memberError(err)
		}
		if len(next.Lost)+len(next.Gained) > 0 {
			a := &pb.Assignment{LostSids: next.Lost}
			for i := range next.Gained {
				if err := st.hears(next.Gained[i].Namespace); err != nil {
					return err
				}
				a.Gained = append(a.Gained, convert.Session(&next.Gained[i]))
			}
			if err := st.send(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Assignment{Assignment: a}}); err != nil {
				return err
			}
		}
		if err := st.sendNotes(&next); err != nil {
			return err
		}
		for rest := next.Deliveries; len(rest) > 0; {
			batch.Reset()
			n, size := 0, 0
			for n < len(rest) && (n == 0 || size+rest[n].Event.Size() <= maxBatchBytes) {
				d := &rest[n]
				if !st.grant.Everything() {
					if err := st.hears(d.Event.Socket.Nsp.Name); err != nil {
						return err
					}
				}
				parent := ""
				if d.Event.Trace != nil {
					parent = d.Event.Trace.Delivered(st.name, st.id, d.Attempt)
				}
				batch.Add(d.ID, d.Attempt, d.Offset, d.PrevSeq, d.Event, parent)
				size += d.Event.Size()
				n++
			}
			rest = rest[n:]
			if err := st.sendBatch(&batch); err != nil {
				return err
			}
		}
	}
}

// receive applies what the backend sends, in its order. What one message makes is written to the
// clients at its end, with one write for each connection.
func (st *stream) receive() error {
	var m inbound
	defer m.release()
	for {
		if err := st.rpc.RecvMsg(&m); err != nil {
			return err
		}
		var err error
		switch m.kind {
		case onlyReplies:
			err = st.reply(m.replies.All)
		case onlySettles:
			st.done(m.settled.Told, m.settled.Done)
		default:
			err = st.handle(m.message)
		}
		if err != nil {
			return err
		}
		st.commands.flush.Do()
		st.out.room()
	}
}

func (st *stream) handle(m *pb.SubscribeRequest) error {
	switch m := m.Message.(type) {
	case *pb.SubscribeRequest_Commands:
		return st.execute(m.Commands.Commands)
	case *pb.SubscribeRequest_Reply:
		return st.reply(convert.RepliesOf(m.Reply))
	case *pb.SubscribeRequest_Replies:
		return st.reply(convert.RepliesOf(m.Replies.Replies...))
	case *pb.SubscribeRequest_Ack:
		st.settle(m.Ack)
	case *pb.SubscribeRequest_Decision:
		st.decide(m.Decision)
	case *pb.SubscribeRequest_Flow:
		if err := st.member.SetFlow(flow(m.Flow)); err != nil {
			return memberError(err)
		}
	case *pb.SubscribeRequest_Heartbeat:
		events, age := st.member.Backlog()
		st.out.notice(&pb.SubscribeResponse{Message: &pb.SubscribeResponse_Progress{Progress: &pb.Progress{
			Nonce: m.Heartbeat.Nonce, BacklogEvents: uint64(events), BacklogAge: durationpb.New(age)}}})
	case *pb.SubscribeRequest_Leave:
		st.member.Leave()
	case *pb.SubscribeRequest_Hello:
		return convert.Failure(codes.InvalidArgument, "HELLO_REPEATED", "subscribe: hello is the first message and only that").Err()
	}
	return nil // what a newer backend says may be ignored
}

// execute applies commands at once and sends their results once what they accept is on disk.
func (st *stream) execute(cmds []*pb.Command) error {
	if n := len(cmds); n > maxCommands {
		return convert.Failure(codes.InvalidArgument, convert.Invalid, fmt.Sprintf("subscribe: %d commands in one batch, at most %d are allowed", n, maxCommands)).Err()
	}
	if st.quota.rate > 0 {
		ok, err := st.quota.admit(st.rpc.Context(), len(cmds))
		if err != nil {
			return err
		}
		if !ok {
			st.srv.refused.Add(uint64(len(cmds)))
			for _, r := range st.quota.refuse(cmds) {
				st.out.result(r)
			}
			return nil
		}
	}
	results := make([]*pb.CommandResult, 0, len(cmds))
	for _, cmd := range cmds {
		results = append(results, st.commands.apply(cmd))
	}
	st.commands.settle(cmds, results, func(results []*pb.CommandResult) {
		for i, r := range results {
			if r.Status != nil || !cmds[i].Quiet {
				st.out.result(r)
			}
		}
	})
	return nil
}

func (st *stream) settle(a *pb.Ack) {
	ranges := make([]convert.Range, len(a.Done))
	for i, r := range a.Done {
		ranges[i] = convert.Range{First: r.First, Last: r.Last}
	}
	st.done(a.Told, ranges)
	for _, n := range a.Nacks {
		st.member.Nack(n.DeliveryId, n.RetryAfter.AsDuration(), n.DeadLetter, n.Reason)
	}
	for _, r := range a.Extend {
		st.member.Extend(r.First, r.Last)
	}
}

// done notes what was heard, and what is settled and handed nothing back.
func (st *stream) done(told uint64, ranges []convert.Range) {
	if told > 0 {
		st.member.Heard(told)
	}
	for _, r := range ranges {
		st.member.Done(r.First, r.Last)
	}
}

// reply answers callbacks of clients. One that comes late, or to a client that has gone, is
// dropped: there is nobody to tell.
func (st *stream) reply(replies []convert.Reply) error {
	if n := len(replies); n > maxCommands {
		return convert.Failure(codes.InvalidArgument, convert.Invalid, fmt.Sprintf("subscribe: %d replies in one batch, at most %d are allowed", n, maxCommands)).Err()
	}
	st.ids = st.ids[:0]
	for i := range replies {
		st.ids = append(st.ids, replies[i].DeliveryID)
	}
	st.taken = st.member.TakeAll(st.ids, st.taken[:0])
	watched := st.srv.tails.watched.Load()
	for i := range replies {
		d, r := &st.taken[i], &replies[i]
		if d.Event == nil {
			continue
		}
		if d.Event.Trace != nil {
			d.Event.Trace.Settled(st.name, false)
		}
		if err := st.srv.sockets.Reply(d.Event, r.JSON, r.Attachments, &st.commands.flush); err != nil {
			st.srv.log.Debug("reply dropped", "group", st.name, "member", st.id, "error", err)
		}
		if watched {
			st.srv.tails.settled(&pb.Settled{Offset: d.Offset, Sid: d.Event.Socket.SID, Group: st.name, MemberId: st.id, Reply: r.Payload()}, d.Event)
		}
	}
	clear(st.taken)
	return nil
}

// decide lets a client in or refuses it. An acceptance that cannot be carried out refuses the
// client, because who let it in meant it to be different. If all that is missing is room its
// transport is closed instead: a stock client that was refused would not come again.
func (st *stream) decide(m *pb.ConnectDecision) {
	d, ok := st.member.Take(m.DeliveryId)
	if !ok || d.Event.Kind != socketio.ConnectRequested {
		return
	}
	var err error
	refusal := ""
	switch o := m.Outcome.(type) {
	case *pb.ConnectDecision_Accept:
		var a *socketio.Accept
		if a, err = convert.Accept(o.Accept); err == nil {
			err = st.srv.sockets.Accept(d.Event, a, &st.commands.flush)
		}
		var why *socketio.Error
		switch {
		case err == nil:
		case errors.As(err, &why) && (why.Reason == socketio.MemoryShort || why.Reason == socketio.StoreFull):
			st.srv.sockets.Abandon(d.Event)
		default:
			refusal = "Internal error"
			st.srv.sockets.Reject(d.Event, refusal, nil)
		}
	case *pb.ConnectDecision_Reject:
		refusal = cmp.Or(o.Reject.Message, socketio.DefaultRefusal)
		err = st.srv.sockets.Reject(d.Event, o.Reject.Message, o.Reject.DataJson)
	default:
		refusal = socketio.DefaultRefusal
		err = st.srv.sockets.Reject(d.Event, "", nil)
	}
	st.srv.tails.settled(&pb.Settled{Offset: d.Offset, Sid: d.Event.Socket.SID, Group: st.name, MemberId: st.id, Refusal: refusal}, d.Event)
	if err != nil {
		st.srv.log.Warn("decision not carried out", "group", st.name, "member", st.id, "error", err)
	}
}
