package control

import (
	"sync"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// ackRelay passes the answers to one command to whichever stream of the backend is there: the one
// that sent it, the next one of the same member, or another on which it is sent again.
type ackRelay struct {
	// Static after construction.
	commandID string
	home      *relays // nil: of a caller without a stream
	seat      seat

	mu   sync.Mutex // guards the following; taken before outbox.mu
	out  *outbox
	acks []*pb.ClientAck // not taken by any stream yet
	sum  *pb.AckSummary
}

// owed is one answer, or the end, on its way through an outbox. One of ack and sum is set.
type owed struct {
	relay *ackRelay
	ack   *pb.ClientAck
	sum   *pb.AckSummary
}

// Ack takes one recipient's answer.
func (r *ackRelay) Ack(a socketio.Ack) { r.pass(owed{relay: r, ack: convert.Ack(r.commandID, a)}) }

// Answer takes what one member of a group said, or why it said nothing.
func (r *ackRelay) Answer(memberID string, outcome socketio.Outcome, args []byte, attachments [][]byte) {
	r.pass(owed{relay: r, ack: convert.Answer(r.commandID, memberID, outcome, args, attachments)})
}

// Summary takes the end.
func (r *ackRelay) Summary(s socketio.AckSummary) {
	r.pass(owed{relay: r, sum: convert.Summary(r.commandID, s)})
}

func (r *ackRelay) pass(w owed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.out.add(func() { r.out.owed = append(r.out.owed, w) }) {
		r.keepLocked(w)
	}
}

func (r *ackRelay) keepLocked(w owed) {
	if w.ack != nil {
		r.acks = append(r.acks, w.ack)
	} else {
		r.sum = w.sum
	}
}

// rebind passes what is kept and what follows to another stream.
func (r *ackRelay) rebind(o *outbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = o
	o.add(func() {
		for _, a := range r.acks {
			o.owed = append(o.owed, owed{relay: r, ack: a})
		}
		if r.sum != nil {
			o.owed = append(o.owed, owed{relay: r, sum: r.sum})
		}
		r.acks, r.sum = nil, nil
	})
}

// ended is called when the end has been sent.
func (r *ackRelay) ended() {
	if r.home != nil {
		r.home.remove(r)
	}
}

// giveBack returns what a stream did not send, so that another one does.
func giveBack(all []owed) {
	for _, w := range all {
		w.relay.pass(w)
	}
}

// seat is a member of a group, whatever its stream.
type seat struct{ group, member string }

// relays is the answers that members wait for.
type relays struct {
	mu   sync.Mutex // guards the following; nothing is called with it held
	open map[seat]map[*ackRelay]struct{}
}

func (rs *relays) add(r *ackRelay) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open == nil {
		rs.open = make(map[seat]map[*ackRelay]struct{})
	}
	if rs.open[r.seat] == nil {
		rs.open[r.seat] = make(map[*ackRelay]struct{})
	}
	rs.open[r.seat][r] = struct{}{}
}

func (rs *relays) remove(r *ackRelay) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.open[r.seat], r)
	if len(rs.open[r.seat]) == 0 {
		delete(rs.open, r.seat)
	}
}

// attach has the answers that a member waits for passed to its new stream.
func (rs *relays) attach(s seat, o *outbox) {
	rs.mu.Lock()
	all := make([]*ackRelay, 0, len(rs.open[s]))
	for r := range rs.open[s] {
		all = append(all, r)
	}
	rs.mu.Unlock()
	for _, r := range all {
		r.rebind(o)
	}
}
