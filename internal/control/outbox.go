package control

import (
	"context"
	"sync"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// outbox is what a stream has to send besides deliveries: results, answers of clients, notices.
// Adding never blocks, for it happens under the locks of the floors below. It needs no bound of
// its own: what is added answers commands, and a stream that is not read stops being read from.
type outbox struct {
	ready chan struct{} // holds a token while something is queued

	mu      sync.Mutex // guards the following
	closed  bool
	results []*pb.CommandResult
	acks    []*pb.ClientAck
	sums    []*pb.AckSummary
	notices []*pb.SubscribeResponse
	unsent  int
	drained sync.Cond // signalled when unsent falls
}

// maxUnsent is how many results may wait to be sent before no further commands are read.
const maxUnsent = 8192

func newOutbox() *outbox {
	o := &outbox{ready: make(chan struct{}, 1)}
	o.drained.L = &o.mu
	return o
}

func (o *outbox) add(f func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	f()
	o.unsent++
	select {
	case o.ready <- struct{}{}:
	default:
	}
	return true
}

func (o *outbox) result(r *pb.CommandResult) { o.add(func() { o.results = append(o.results, r) }) }

func (o *outbox) notice(m *pb.SubscribeResponse) { o.add(func() { o.notices = append(o.notices, m) }) }

// room waits until the receiver of the stream has caught up with what it asked for.
func (o *outbox) room() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.unsent > maxUnsent && !o.closed {
		o.drained.Wait()
	}
}

// close refuses what comes from now on. Answers of clients go back to their relays.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.drained.Broadcast()
}

// run sends what is queued until the context ends or send fails.
func (o *outbox) run(ctx context.Context, send func(*pb.SubscribeResponse) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.ready:
		}
		o.mu.Lock()
		messages := o.notices
		if len(o.results) > 0 {
			messages = append(messages, &pb.SubscribeResponse{Message: &pb.SubscribeResponse_Results{
				Results: &pb.CommandResultBatch{Results: o.results}}})
		}
		if len(o.acks)+len(o.sums) > 0 {
			messages = append(messages, &pb.SubscribeResponse{Message: &pb.SubscribeResponse_ClientAcks{
				ClientAcks: &pb.ClientAckBatch{Acks: o.acks, Summaries: o.sums}}})
		}
		o.notices, o.results, o.acks, o.sums, o.unsent = nil, nil, nil, nil, 0
		o.drained.Broadcast()
		o.mu.Unlock()
		for _, m := range messages {
			if err := send(m); err != nil {
				return err
			}
		}
	}
}

// ackRelay passes the answers of clients to whichever stream of the backend is there: the one
// that sent the emit, or the one on which it sent it again.
type ackRelay struct {
	commandID string

	mu   sync.Mutex // guards the following
	out  *outbox
	acks []*pb.ClientAck // not taken by any stream yet
	sum  *pb.AckSummary
}

// Ack takes one recipient's answer.
func (r *ackRelay) Ack(a socketio.Ack) {
	r.pass(convert.Ack(r.commandID, a))
}

func (r *ackRelay) pass(m *pb.ClientAck) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.out.add(func() { r.out.acks = append(r.out.acks, m) }) {
		r.acks = append(r.acks, m)
	}
}

// Answer takes what one member of a group said, or why it said nothing.
func (r *ackRelay) Answer(memberID string, outcome socketio.Outcome, args []byte, attachments [][]byte) {
	r.pass(convert.Answer(r.commandID, memberID, outcome, args, attachments))
}

// Summary takes the end.
func (r *ackRelay) Summary(s socketio.AckSummary) {
	m := convert.Summary(r.commandID, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.out.add(func() { r.out.sums = append(r.out.sums, m) }) {
		r.sum = m
	}
}

// rebind passes what is kept and what follows to another stream.
func (r *ackRelay) rebind(o *outbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = o
	o.add(func() {
		o.acks = append(o.acks, r.acks...)
		if r.sum != nil {
			o.sums = append(o.sums, r.sum)
		}
		r.acks, r.sum = nil, nil
	})
}
