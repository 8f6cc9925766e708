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
	offset   uint64
	reply    *pb.Payload
	decision *pb.ConnectDecision
}

func (s *settlement) cost() int {
	n := len(s.reply.GetJson())
	for _, a := range s.reply.GetAttachments() {
		n += len(a)
	}
	return n
}

func newDoneSet() *doneSet {
	return &doneSet{index: make(map[uint64]int, doneEvents), ring: make([]settlement, doneEvents)}
}

func (d *doneSet) get(offset uint64) (settlement, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.index[offset]
	if !ok {
		return settlement{}, false
	}
	return d.ring[i], true
}

func (d *doneSet) put(s settlement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.index[s.offset]; ok {
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
