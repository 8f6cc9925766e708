package sioedge

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// holdFor is how long an event waits for an Ack once its handler has returned.
const holdFor = time.Minute

// answer is one answer given by hand.
type answer struct {
	edge   *Edge
	socket *Socket
	id     eventID

	mu    sync.Mutex // guards the following fields
	given bool
	until time.Time // when it is given up; zero while the handler runs
	d     delivery  // the latest of the event
}

// heldAnswers is the answers that are still to be given.
type heldAnswers struct {
	count atomic.Int64 // so that nobody takes the lock for nothing

	mu       sync.Mutex // guards the following field
	byOffset map[uint64]*answer
}

func newHeldAnswers() *heldAnswers { return &heldAnswers{byOffset: make(map[uint64]*answer)} }

// answerByHand calls a handler that has an Ack. It returns errHeld unless the handler failed
// before it answered.
func (e *Edge) answerByHand(ctx context.Context, b *binding, s *Socket, d delivery, args Args) error {
	a := &answer{edge: e, socket: s, id: identify(d.event), d: d}
	e.held.add(a)
	failed := true
	defer func() {
		if failed { // also by a panic
			e.held.remove(a)
		}
	}()
	_, err := b.call(ctx, s, args, a.ack)
	a.mu.Lock()
	given := a.given
	a.given = given || err != nil
	a.until = time.Now().Add(holdFor)
	a.mu.Unlock()
	switch {
	case err == nil:
	case given:
		e.cfg.log.Error("handler failed after it had answered", "event", eventName(d.event), "sid", s.id, "error", err)
	default:
		return e.excuse(err, s, eventName(d.event))
	}
	failed = false
	return errHeld
}

// ack is the Ack that the handler gets.
func (a *answer) ack(results ...any) error {
	reply, err := encodeArgs(results)
	if err == nil {
		err = answerable(reply)
	}
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	a.settle(reply)
	return nil
}

// settle ends the delivery, with an answer or without.
func (a *answer) settle(reply *pb.Payload) {
	a.mu.Lock()
	if a.given {
		a.mu.Unlock()
		return
	}
	a.given = true
	d := a.d
	how := settlement{eventID: a.id, reply: reply}
	a.edge.done.put(how) // before anyone can see that it is given
	a.mu.Unlock()
	a.edge.held.remove(a)
	d.on.settle(d.id, how)
}

func (h *heldAnswers) add(a *answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byOffset[a.id.offset] = a
	h.count.Add(1)
}

func (h *heldAnswers) remove(a *answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byOffset[a.id.offset] == a {
		delete(h.byOffset, a.id.offset)
		h.count.Add(-1)
	}
}

// attach says that d is the delivery of an event whose answer is still to be given, if it is.
func (h *heldAnswers) attach(id eventID, d delivery) bool {
	if h.count.Load() == 0 {
		return false
	}
	h.mu.Lock()
	a := h.byOffset[id.offset]
	h.mu.Unlock()
	if a == nil || a.id != id {
		return false
	}
	a.mu.Lock()
	given := a.given
	a.d = d
	a.mu.Unlock()
	if given { // in this instant: it is on record
		if was, ok := a.edge.done.get(id); ok {
			d.on.settle(d.id, was)
		}
	}
	return true
}

// release gives up the answers for a client that has gone.
func (h *heldAnswers) release(s *Socket) {
	h.expire(func(a *answer) bool { return a.socket == s })
}

// sweep gives up the answers that took too long.
func (h *heldAnswers) sweep(now time.Time) {
	h.expire(func(a *answer) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return !a.until.IsZero() && now.After(a.until)
	})
}

func (h *heldAnswers) expire(over func(*answer) bool) {
	if h.count.Load() == 0 {
		return
	}
	h.mu.Lock()
	var ended []*answer
	for _, a := range h.byOffset {
		if over(a) {
			ended = append(ended, a)
		}
	}
	h.mu.Unlock()
	for _, a := range ended {
		a.settle(nil)
	}
}
