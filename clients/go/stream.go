package sioedge

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// The bounds of one batch of commands.
const (
	batchCommands = 1024
	batchBytes    = 1 << 20
)

// stream is one attachment to the edge: what goes out on it is queued here, and whatever has come
// together while the last message was written goes out next. Nothing waits for a timer.
type stream struct {
	// Static after construction.
	rpc    pb.EventService_SubscribeClient
	ctx    context.Context // of rpc
	cancel context.CancelFunc
	wake   chan struct{} // 1: something is queued

	progress chan struct{} // closed by the first Progress: the edge has read our Leave

	mu       sync.Mutex // guards the following fields
	out      []outgoing // replies, decisions and commands, in order
	settled  []uint64   // deliveries to acknowledge, in any order
	nacks    []*pb.Nack
	told     uint64 // heard up to here; 0: nothing since the last ack
	window   window
	extendAt bool // unsettled deliveries are to be extended
	closing  bool // the edge may end the stream once out is written

	// Owned by sendLoop.
	spare []outgoing
}

// outgoing is one of a request that is ready, a reply or a command.
type outgoing struct {
	request *pb.SubscribeRequest
	reply   *pb.Payload
	id      uint64 // of the delivery that reply settles
	command *pb.Command
	size    int // of command
}

func newStream(ctx context.Context, cancel context.CancelFunc, rpc pb.EventService_SubscribeClient) *stream {
	return &stream{rpc: rpc, ctx: ctx, cancel: cancel,
		wake: make(chan struct{}, 1), progress: make(chan struct{}), window: window{first: 1}}
}

func (st *stream) ended() bool { return st.ctx.Err() != nil }

// signal wakes sendLoop. It is called with or without st.mu.
func (st *stream) signal() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

func (st *stream) queue(o outgoing) {
	st.mu.Lock()
	st.out = append(st.out, o)
	st.mu.Unlock()
	st.signal()
}

// settle ends the delivery id the way its event was settled.
func (st *stream) settle(id uint64, how settlement) {
	st.mu.Lock()
	st.window.settle(id)
	switch {
	case how.reply != nil:
		st.out = append(st.out, outgoing{reply: how.reply, id: id})
	case how.decision != nil:
		decision := &pb.ConnectDecision{DeliveryId: id, Outcome: how.decision.Outcome}
		st.out = append(st.out, outgoing{request: &pb.SubscribeRequest{
			Message: &pb.SubscribeRequest_Decision{Decision: decision}}})
	default:
		st.settled = append(st.settled, id)
	}
	st.mu.Unlock()
	st.signal()
}

// nack hands the delivery id back, for good if deadLetter is set.
func (st *stream) nack(id uint64, deadLetter bool, reason string) {
	st.mu.Lock()
	st.window.settle(id)
	st.nacks = append(st.nacks, &pb.Nack{DeliveryId: id, DeadLetter: deadLetter, Reason: reason})
	st.mu.Unlock()
	st.signal()
}

// forget takes a delivery off the books that the edge repeats by itself.
func (st *stream) forget(id uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.window.settle(id)
}

// received notes deliveries that are not settled.
func (st *stream) received(batch []*pb.Delivery) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, d := range batch {
		st.window.add(d.GetDeliveryId())
	}
}

// extend has the deadlines of all unsettled deliveries start again.
func (st *stream) extend() {
	st.mu.Lock()
	st.extendAt = true
	st.mu.Unlock()
	st.signal()
}

// heard notes that what other members said has been taken up to an id.
func (st *stream) heard(id uint64) {
	st.mu.Lock()
	st.told = id
	st.mu.Unlock()
	st.signal()
}

// close ends the stream once everything that is queued is written.
func (st *stream) close() {
	st.mu.Lock()
	st.closing = true
	st.mu.Unlock()
	st.signal()
}

// sendLoop writes until the stream ends.
func (st *stream) sendLoop(tick time.Duration, onTick func()) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-st.wake:
		case <-ticker.C:
			onTick()
			st.extend()
		case <-st.ctx.Done():
			return st.ctx.Err()
		}
		for more := true; more; {
			var err error
			if more, err = st.flush(); err != nil {
				return err
			}
		}
	}
}

// flush writes what is queued and says whether there was anything.
func (st *stream) flush() (bool, error) {
	st.mu.Lock()
	out, ack, closing := st.out, st.takeAck(), st.closing
	st.out, st.spare = st.spare, nil
	st.mu.Unlock()
	if err := st.send(out); err != nil {
		return false, err
	}
	sent := len(out) > 0
	clear(out)
	st.spare = out[:0]
	if ack != nil {
		sent = true
		if err := st.rpc.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Ack{Ack: ack}}); err != nil {
			return false, fmt.Errorf("send acks: %w", err)
		}
	}
	if closing && !sent {
		return false, st.rpc.CloseSend()
	}
	return sent, nil
}

// send writes out in order, neighbouring commands together, and neighbouring replies.
func (st *stream) send(out []outgoing) error {
	for i := 0; i < len(out); {
		request := out[i].request
		switch {
		case out[i].reply != nil:
			n, size := 0, 0
			for ; i+n < len(out) && out[i+n].reply != nil && n < batchCommands && size < batchBytes; n++ {
				size += proto.Size(out[i+n].reply)
			}
			replies := make([]pb.Reply, n) // one allocation for all
			batch := &pb.ReplyBatch{Replies: make([]*pb.Reply, n)}
			for j := range n {
				replies[j].DeliveryId, replies[j].Payload = out[i+j].id, out[i+j].reply
				batch.Replies[j] = &replies[j]
			}
			request = &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Replies{Replies: batch}}
			i += n
		case out[i].command != nil:
			batch := &pb.CommandBatch{}
			for size := 0; i < len(out) && out[i].command != nil && len(batch.Commands) < batchCommands && size < batchBytes; i++ {
				batch.Commands = append(batch.Commands, out[i].command)
				size += out[i].size
			}
			request = &pb.SubscribeRequest{Message: &pb.SubscribeRequest_Commands{Commands: batch}}
		default:
			i++
		}
		if err := st.rpc.Send(request); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// takeAck returns what is to be acknowledged, nil for nothing. st.mu is held.
func (st *stream) takeAck() *pb.Ack {
	if len(st.settled) == 0 && len(st.nacks) == 0 && !st.extendAt && st.told == 0 {
		return nil
	}
	ack := &pb.Ack{Done: ranges(st.settled), Nacks: st.nacks, Told: st.told}
	if st.extendAt {
		ack.Extend = st.window.open()
	}
	st.settled, st.nacks, st.extendAt, st.told = st.settled[:0], nil, false, 0
	if len(ack.Done) == 0 && len(ack.Nacks) == 0 && len(ack.Extend) == 0 && ack.Told == 0 {
		return nil
	}
	return ack
}

// ranges sorts ids and joins neighbours.
func ranges(ids []uint64) []*pb.DeliveryRange {
	slices.Sort(ids)
	var out []*pb.DeliveryRange
	for _, id := range ids {
		if n := len(out); n > 0 && id <= out[n-1].Last+1 {
			out[n-1].Last = id
			continue
		}
		out = append(out, &pb.DeliveryRange{First: id, Last: id})
	}
	return out
}

// window is the deliveries of a stream that are not settled. Ids are dense, so a flag for each
// from the first unsettled one on is all it takes.
type window struct {
	first   uint64 // the id of settled[0]
	settled []bool
}

func (w *window) add(id uint64) {
	for w.first+uint64(len(w.settled)) <= id {
		w.settled = append(w.settled, false)
	}
}

func (w *window) settle(id uint64) {
	if id < w.first || id >= w.first+uint64(len(w.settled)) {
		return
	}
	w.settled[id-w.first] = true
	n := 0
	for n < len(w.settled) && w.settled[n] {
		n++
	}
	w.first += uint64(n)
	w.settled = w.settled[n:]
}

// open is the unsettled ids.
func (w *window) open() []*pb.DeliveryRange {
	var ids []uint64
	for i, settled := range w.settled {
		if !settled {
			ids = append(ids, w.first+uint64(i))
		}
	}
	return ranges(ids)
}
