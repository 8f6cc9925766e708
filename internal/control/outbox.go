package control

import (
	"context"
	"sync"

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
	owed    []owed
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

// close refuses what comes from now on, and gives what is owed to relays back to them.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	owed := o.owed
	o.owed = nil
	o.drained.Broadcast()
	o.mu.Unlock()
	giveBack(owed)
}

// run sends what is queued until the context ends or send fails.
func (o *outbox) run(ctx context.Context, send func(*pb.SubscribeResponse) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.ready:
		}
		if err := o.flush(send); err != nil {
			return err
		}
	}
}

// flush sends what is queued.
func (o *outbox) flush(send func(*pb.SubscribeResponse) error) error {
	o.mu.Lock()
	messages, owed := o.notices, o.owed
	if len(o.results) > 0 {
		messages = append(messages, &pb.SubscribeResponse{Message: &pb.SubscribeResponse_Results{
			Results: &pb.CommandResultBatch{Results: o.results}}})
	}
	o.notices, o.results, o.owed, o.unsent = nil, nil, nil, 0
	o.drained.Broadcast()
	o.mu.Unlock()
	if len(owed) > 0 {
		b := &pb.ClientAckBatch{}
		for _, w := range owed {
			if w.ack != nil {
				b.Acks = append(b.Acks, w.ack)
			} else {
				b.Summaries = append(b.Summaries, w.sum)
			}
		}
		messages = append(messages, &pb.SubscribeResponse{Message: &pb.SubscribeResponse_ClientAcks{ClientAcks: b}})
	}
	for _, m := range messages {
		if err := send(m); err != nil {
			giveBack(owed)
			return err
		}
	}
	for _, w := range owed {
		if w.sum != nil {
			w.relay.ended()
		}
	}
	return nil
}
