package socketio

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Outcome says what became of one recipient of an Emit with AckTimeout.
type Outcome uint8

// The outcomes.
const (
	Acked Outcome = iota + 1
	TimedOut
	Disconnected
	Dropped
)

// Ack is what one recipient answered.
type Ack struct {
	SID         string
	Outcome     Outcome
	Args        []byte // a JSON array, if Outcome is Acked
	Attachments [][]byte
}

// AckSummary counts the outcomes of an Emit.
type AckSummary struct{ Acked, TimedOut, Disconnected, Dropped int }

// AckSink is told the outcome of an Emit: Ack once for each recipient, then Summary. Calls do
// not overlap. They come with a lock held: they must not block and not call back.
type AckSink interface {
	Ack(Ack)
	Summary(AckSummary)
}

// waiter is the recipients of one Emit that have not answered. A nil waiter is that of an Emit
// that asks for nothing. Its namespace's mu guards it.
type waiter struct {
	id      uint64
	offset  uint64 // of the packet, if the log has it
	sink    AckSink
	waiting map[*Socket]struct{}
	sum     AckSummary
	timer   *time.Timer
	dropped []string
}

func (n *Namespace) awaitLocked(e *Emit, offset uint64) *waiter {
	w := &waiter{id: n.lastAck, offset: offset, sink: e.Acks, waiting: make(map[*Socket]struct{})}
	n.lastAck++
	return w
}

func (w *waiter) number() uint64 {
	if w == nil {
		return 0
	}
	return w.id
}

func (w *waiter) expect(s *Socket) {
	if w != nil {
		w.waiting[s] = struct{}{}
		s.waits = append(s.waits, w.id)
	}
}

func (w *waiter) drop(s *Socket) {
	if w != nil {
		w.dropped = append(w.dropped, s.SID)
	}
}

// begin starts the clock once all recipients are known.
func (w *waiter) begin(n *Namespace, e *Emit) {
	if w == nil {
		return
	}
	for _, sid := range w.dropped {
		w.sum.Dropped++
		n.counts.Acks[Dropped].Add(1)
		w.sink.Ack(Ack{SID: sid, Outcome: Dropped})
	}
	if len(w.waiting) == 0 {
		w.sink.Summary(w.sum)
		return
	}
	n.waiters[w.id] = w
	w.timer = time.AfterFunc(e.AckTimeout, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for s := range w.waiting {
			w.settle(n, s, Ack{SID: s.SID, Outcome: TimedOut})
		}
	})
}

// dropAllLocked answers for everyone an emit selected and did not reach.
func (n *Namespace) dropAllLocked(e *Emit, picked []*Socket) {
	w := n.awaitLocked(e, 0)
	for _, s := range picked {
		w.drop(s)
	}
	w.begin(n, e)
}

// settle takes the answer of one recipient, and ends the waiting with the last.
func (w *waiter) settle(n *Namespace, s *Socket, a Ack) {
	delete(w.waiting, s)
	for i, id := range s.waits {
		if id == w.id {
			s.waits[i] = s.waits[len(s.waits)-1]
			s.waits = s.waits[:len(s.waits)-1]
			break
		}
	}
	if len(s.waits) == 0 {
		s.waits = nil
	}
	n.counts.Acks[a.Outcome].Add(1)
	switch a.Outcome {
	case Acked:
		w.sum.Acked++
	case TimedOut:
		w.sum.TimedOut++
	case Disconnected:
		w.sum.Disconnected++
	}
	w.sink.Ack(a)
	if len(w.waiting) == 0 {
		delete(n.waiters, w.id)
		w.timer.Stop()
		w.sink.Summary(w.sum)
	}
}

// acknowledge takes a client's ACK. One that nobody waits for is ignored: answered before, timed
// out, never sent, or of another session.
func (s *Socket) acknowledge(c *client, p *sio.Packet) {
	s.mu.Lock()
	mine := s.client == c
	s.mu.Unlock()
	if !mine {
		return
	}
	n := s.Nsp
	n.mu.Lock()
	w := n.waiters[p.ID]
	if w != nil {
		if _, ok := w.waiting[s]; ok {
			n.ackedLocked(s, w.offset)
			w.settle(n, s, Ack{SID: s.SID, Outcome: Acked, Args: p.Data, Attachments: p.Attachments})
			n.mu.Unlock()
			return
		}
	}
	var late *packet
	if w == nil && p.ID >= orphanAcks {
		late = n.log.at(p.ID - orphanAcks)
	}
	if late != nil && late.orphan && s.wantsLocked(late) {
		n.ackedLocked(s, late.offset)
		n.mu.Unlock()
		return
	}
	n.mu.Unlock()
	c.stray()
}

// ackedLocked notes that the client has every packet of its own up to this one. It is recorded at
// once: an event without an offset would come again after every restart.
func (n *Namespace) ackedLocked(s *Socket, offset uint64) {
	if offset > s.acked {
		s.acked = offset
		n.saveLocked(s)
	}
}
