package sioedge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sio-edge/sio-edge/internal/grpcconn"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// version of this SDK, for the edge's logs.
const version = "go/0.1.0"

// welcomeWithin is how long the edge may take to answer Hello.
const welcomeWithin = 10 * time.Second

// link is the way to the edge: it attaches, and attaches again.
type link struct {
	*commands

	// Static after construction.
	edge     *Edge
	addr     string
	instance string
	conn     *grpc.ClientConn
	connErr  error // the address or the options are wrong

	// Owned by run.
	cursor *pb.Cursor // nil until attached once
	epoch  uint64     // of the edge
	heard  uint64     // the last Told.told_id in this epoch
}

func newLink(e *Edge, addr string) *link {
	id := make([]byte, 8)
	rand.Read(id)
	instance := hex.EncodeToString(id)
	l := &link{edge: e, addr: addr, instance: instance, commands: newCommands(e.cfg.log, instance+"-")}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(grpcconn.Credentials(e.cfg.creds)),
		grpc.WithDisableRetry(), // the link tries again itself, and keeps no copies for it
		grpc.WithInitialWindowSize(4 << 20),
		grpc.WithInitialConnWindowSize(4 << 20),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: e.cfg.backoffMin, Multiplier: 1.6, Jitter: 0.2, MaxDelay: e.cfg.backoffMax},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if e.cfg.token != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer{e.cfg.token, loopback(addr)}))
	}
	l.conn, l.connErr = grpc.NewClient(addr, append(options, e.cfg.dial...)...)
	return l
}

// run stays attached until ctx ends or the edge does not want this process.
func (l *link) run(ctx context.Context) error {
	if l.connErr != nil {
		return fmt.Errorf("address of the edge: %w", l.connErr)
	}
	defer l.conn.Close()
	said := false // that the edge is away
	for wait := l.edge.cfg.backoffMin; ; {
		l.edge.statuses.add(Connecting{Addr: l.addr})
		attached, err := l.attach(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := final(err); err != nil {
			return fmt.Errorf("attach to %s: %w", l.addr, err)
		}
		if attached {
			wait, said = l.edge.cfg.backoffMin, false
		}
		pause := wait - time.Duration(mathrand.Int64N(int64(wait)/3+1))
		l.edge.statuses.add(Lost{Err: err, Retry: pause})
		if !said {
			l.edge.cfg.log.Warn("the edge is away; trying until it is back", "addr", l.addr, "error", status.Convert(err).Message())
			said = true
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		wait = min(2*wait, l.edge.cfg.backoffMax)
		l.conn.ResetConnectBackoff()
	}
}

// attach runs one stream to its end and says whether the edge welcomed it.
func (l *link) attach(ctx context.Context) (attached bool, err error) {
	// The stream outlives ctx, so that it can be left in good order.
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopDialling := context.AfterFunc(ctx, cancel)
	defer stopDialling()
	slow := time.AfterFunc(welcomeWithin, cancel)
	defer slow.Stop()

	rpc, err := pb.NewEventServiceClient(l.conn).Subscribe(streamCtx)
	if err != nil {
		return false, err
	}
	if err := rpc.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Hello{Hello: l.hello()}}); err != nil && err != io.EOF {
		return false, err
	}
	first, err := rpc.Recv()
	if err != nil {
		return false, err
	}
	welcome := first.GetWelcome()
	if welcome == nil {
		return false, errors.New("the edge's first message is no Welcome")
	}
	if !slow.Stop() || !stopDialling() {
		return false, streamCtx.Err()
	}
	st := newStream(streamCtx, cancel, rpc)
	l.welcomed(welcome)

	sent := make(chan error, 1)
	go func() {
		err := st.sendLoop(l.edge.cfg.ackDeadline/3, func() {
			l.edge.table.sweep(time.Now())
			l.edge.held.sweep(time.Now())
		})
		if !errors.Is(err, io.EOF) { // with io.EOF the reason is Recv's to tell
			cancel()
		}
		sent <- err
	}()
	left := make(chan struct{})
	go func() {
		defer close(left)
		select {
		case <-ctx.Done():
			l.leave(st)
		case <-streamCtx.Done():
		}
	}()
	l.commands.attach(st)
	err = l.receive(st)
	l.commands.attach(nil)
	cancel()
	<-sent
	<-left
	return true, err
}

func (l *link) hello() *pb.Hello {
	cfg := &l.edge.cfg
	spec := &pb.GroupSpec{
		Routes:      l.edge.routes(),
		AckDeadline: durationpb.New(cfg.ackDeadline),
		MaxAttempts: cfg.maxAttempts,
	}
	if cfg.durable {
		spec.Delivery = pb.DeliveryMode_DELIVERY_MODE_DURABLE
	}
	return &pb.Hello{
		ProtocolVersion: 1,
		Sdk:             version,
		Group:           cfg.group,
		MemberId:        cfg.member,
		InstanceId:      l.instance,
		Spec:            spec,
		Flow:            &pb.FlowControl{MaxOutstandingEvents: cfg.window},
		Resume:          l.cursor,
	}
}

// welcomed takes over whom we are attached to.
func (l *link) welcomed(w *pb.Welcome) {
	if l.cursor != nil && (l.cursor.EdgeId != w.GetEdgeId() || l.cursor.LogId != w.GetLogId()) {
		l.edge.done.reset()
	}
	if l.cursor == nil || w.GetResume() != pb.ResumeOutcome_RESUME_OUTCOME_CONTINUED {
		l.cursor = &pb.Cursor{}
	}
	l.cursor = &pb.Cursor{EdgeId: w.GetEdgeId(), LogId: w.GetLogId(), Offset: l.cursor.Offset}
	if l.epoch != w.GetEpoch() {
		l.epoch, l.heard = w.GetEpoch(), 0
	}
	now := newAttached(w)
	l.edge.cfg.log.Info("attached", "edge", w.GetEdgeId(), "epoch", w.GetEpoch(), "group", l.edge.cfg.group,
		"member", l.edge.cfg.member, "resume", now.Resume.String())
	l.edge.statuses.add(now)
}

// receive takes what the edge sends until the stream ends.
func (l *link) receive(st *stream) error {
	var snapshot map[string]bool
	for {
		m, err := st.rpc.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetMessage().(type) {
		case *pb.SubscribeResponse_Deliveries:
			l.deliver(st, m.Deliveries.GetDeliveries())
		case *pb.SubscribeResponse_Results:
			l.results(m.Results.GetResults())
		case *pb.SubscribeResponse_ClientAcks:
			l.acks(m.ClientAcks)
		case *pb.SubscribeResponse_Assignment:
			l.edge.learn(m.Assignment.GetGained())
			for _, sid := range m.Assignment.GetLostSids() {
				if s := l.edge.table.get(sid); s != nil {
					l.edge.table.remove(s)
				}
			}
		case *pb.SubscribeResponse_Snapshot:
			if snapshot == nil {
				snapshot = make(map[string]bool)
			}
			l.edge.learn(m.Snapshot.GetSessions())
			for _, p := range m.Snapshot.GetSessions() {
				snapshot[p.GetSid()] = true
			}
			if m.Snapshot.GetLast() {
				l.edge.table.retain(snapshot)
				snapshot = nil
			}
		case *pb.SubscribeResponse_Changes:
			for _, c := range m.Changes.GetChanges() {
				if s := l.edge.table.get(c.GetSid()); s != nil {
					l.edge.dispatch.push(s, delivery{note: func() { s.changed(c) }})
				}
			}
		case *pb.SubscribeResponse_Told:
			for _, t := range m.Told.GetTold() {
				if t.GetToldId() > l.heard {
					l.heard = t.GetToldId()
					l.edge.dispatch.push(l.edge.others, delivery{note: func() { l.edge.told(t) }})
				}
			}
			st.heard(l.heard)
		case *pb.SubscribeResponse_Draining:
			l.edge.statuses.add(Draining{Within: m.Draining.GetWithin().AsDuration()})
		case *pb.SubscribeResponse_Progress:
			select {
			case <-st.progress:
			default:
				close(st.progress)
			}
		}
	}
}

func (l *link) deliver(st *stream, batch []*pb.Delivery) {
	st.received(batch)
	for _, d := range batch {
		l.cursor.Offset = max(l.cursor.Offset, d.GetEvent().GetOffset())
		l.edge.dispatch.push(l.edge.socket(d.GetEvent()),
			delivery{id: d.GetDeliveryId(), attempt: d.GetAttempt(), event: d.GetEvent(), on: st, parent: d.GetTraceParent()})
	}
}

// leave ends the membership in good order: nothing new is taken, what runs is settled.
func (l *link) leave(st *stream) {
	ctx, cancel := context.WithTimeout(st.ctx, l.edge.cfg.drain)
	defer cancel()
	st.queue(outgoing{request: &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Leave{Leave: &pb.Leave{}}}})
	st.queue(outgoing{request: &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Heartbeat{Heartbeat: &pb.Heartbeat{}}}})
	select {
	case <-st.progress: // what was delivered before the edge read our Leave is here
	case <-ctx.Done():
	}
	end, _ := ctx.Deadline()
	l.edge.dispatch.idleWithin(time.Until(end))
	l.settledWithin(ctx)
	st.close()
	select {
	case <-st.ctx.Done(): // the edge has ended the stream
	case <-ctx.Done():
		st.cancel()
	}
}
