package sioedge

import (
	"sync"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// The bounds of what is remembered of handled events.
const (
	doneEvents = 8192
	doneBytes  = 8 << 20
)

// doneSet remembers how the latest events were settled, by their offsets. An event that is
// delivered again although it was handled, because the connection was lost before the edge knew,
// is settled the same way and not handled again.
type doneSet struct {
	mu     sync.Mutex // guards the following fields
	index  map[uint64]int
	ring   []settlement // the oldest is at next once the ring is full
	oldest int
	size   int // entries
	bytes  int // of the answers
}

// settlement is how an event was settled: with an answer, a decision, or just done.
type settlement struct {
	eventID
	reply    *pb.Payload
	decision *pb.ConnectDecision
}

// eventID is what an event has at every delivery. The offset alone is not enough: an edge that was
// killed may give the offsets of its last moments again, to other events.
type eventID struct {
	offset uint64
	sid    string
	at     int64 // received_at, in nanoseconds
}

func identify(ev *pb.Event) eventID {
	at := ev.GetReceivedAt()
	return eventID{ev.GetOffset(), ev.GetSid(), at.GetSeconds()*1e9 + int64(at.GetNanos())}
}

func (s *settlement) cost() int { return payloadSize(s.reply) }

func newDoneSet() *doneSet {
	return &doneSet{index: make(map[uint64]int, doneEvents), ring: make([]settlement, doneEvents)}
}

func (d *doneSet) get(id eventID) (settlement, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.index[id.offset]
	if !ok || d.ring[i].eventID != id {
		return settlement{}, false
	}
	return d.ring[i], true
}

func (d *doneSet) put(s settlement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.index[s.offset]; ok {
		if d.ring[i].eventID != s.eventID { // the offset was given again
			d.bytes += s.cost() - d.ring[i].cost()
			d.ring[i] = s
		}
		return
	}
	d.bytes += s.cost()
	for d.size == len(d.ring) || d.size > 0 && d.bytes > doneBytes {
		first := &d.ring[d.oldest]
		delete(d.index, first.offset)
		d.bytes -= first.cost()
		*first = settlement{}
		d.oldest = (d.oldest + 1) % len(d.ring)
		d.size--
	}
	at := (d.oldest + d.size) % len(d.ring)
	d.ring[at] = s
	d.index[s.offset] = at
	d.size++
}

// reset forgets everything: another event log counts its offsets anew.
func (d *doneSet) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.index)
	clear(d.ring)
	d.oldest, d.size, d.bytes = 0, 0, 0
}
