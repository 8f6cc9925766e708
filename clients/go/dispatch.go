package sioedge

import (
	"sync"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// delivery is one event handed to this process on one stream.
type delivery struct {
	id      uint64
	attempt uint32
	event   *pb.Event
	on      *stream
	parent  string // traceparent; empty: nobody follows it
	note    func() // instead of all the others: to be called in turn
}

// inbox is what was delivered of one session and waits for its turn.
type inbox struct {
	mu      sync.Mutex // guards the following fields
	queue   []delivery
	running bool // a goroutine works on it, or it waits for one
	refused refusal
	lastSeq uint64 // of the event that was taken last, 0 if not known
}

// refusal is an event that was handed back: the edge delivers it again, and everything of the
// session that it delivered after it. What arrives meanwhile is out of turn.
type refusal struct {
	on   *stream // nil: nothing is awaited
	seq  uint64
	last uint64 // the highest seq that was dropped since
}

// pop returns the next delivery. When there is none the inbox is no longer running.
func (in *inbox) pop() (delivery, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 {
		in.queue, in.running = nil, false // an idle socket keeps no buffer
		return delivery{}, false
	}
	d := in.queue[0]
	in.queue[0] = delivery{}
	in.queue = in.queue[1:]
	return d, true
}

// refuse notes that d was handed back. A ConnectRequested, which has no seq, is in nobody's way.
func (in *inbox) refuse(d delivery) {
	if d.event.GetSeq() == 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refused = refusal{on: d.on, seq: d.event.GetSeq(), last: d.event.GetSeq()}
}

// admit says whether d is next in turn; gap, that events are missing before it.
func (in *inbox) admit(d delivery) (next, gap bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	seq := d.event.GetSeq()
	if seq == 0 { // ConnectRequested comes before the session's history
		return true, false
	}
	if r := &in.refused; r.on == d.on && seq != r.seq {
		if seq < r.seq {
			return true, false
		}
		// An event that was dropped before and comes again without the refused one before it
		// means that the edge has given that one up.
		if seq > r.last {
			r.last = seq
			return false, false
		}
	}
	in.refused = refusal{}
	prev := d.event.GetPrevSeq()
	gap = in.lastSeq != 0 && prev > in.lastSeq
	in.lastSeq = max(in.lastSeq, seq)
	return true, gap
}

// idleWorkers is how many goroutines are kept when there is nothing to do: a new one has to grow
// its stack first, which costs more than a small handler.
const idleWorkers = 256

// dispatcher runs the handlers of one socket one after the other, those of many sockets at the
// same time. A socket without deliveries costs no goroutine.
type dispatcher struct {
	// Static after construction.
	handle func(*Socket, delivery)
	limit  int
	hand   chan *Socket  // to an idle worker; without buffer
	quit   chan struct{} // closed at the end: idle workers end
	ended  sync.WaitGroup

	mu      sync.Mutex    // guards the following fields
	active  int           // sockets that are worked on
	workers int           // goroutines, active and idle
	waiting []*Socket     // for a worker, when limit are active
	idle    chan struct{} // closed when active falls to 0; nil if nobody waits
}

func newDispatcher(handle func(*Socket, delivery), limit int) *dispatcher {
	return &dispatcher{handle: handle, limit: max(limit, 1), hand: make(chan *Socket), quit: make(chan struct{})}
}

// push queues a delivery for the socket.
func (x *dispatcher) push(s *Socket, d delivery) {
	s.inbox.mu.Lock()
	s.inbox.queue = append(s.inbox.queue, d)
	start := !s.inbox.running
	s.inbox.running = true
	s.inbox.mu.Unlock()
	if !start {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.active == x.limit {
		x.waiting = append(x.waiting, s)
		return
	}
	x.active++
	select {
	case x.hand <- s:
	default:
		x.workers++
		x.ended.Add(1)
		go x.work(s)
	}
}

// work empties the inbox of s, then of those that wait, then of those that come.
func (x *dispatcher) work(s *Socket) {
	defer x.ended.Done()
	for s != nil {
		for d, ok := s.inbox.pop(); ok; d, ok = s.inbox.pop() {
			x.handle(s, d)
		}
		next, stay := x.next()
		if stay {
			select {
			case next = <-x.hand:
			case <-x.quit:
			}
		}
		s = next
	}
}

// next returns a socket that waits for a worker. If there is none, stay says whether to idle.
func (x *dispatcher) next() (s *Socket, stay bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.waiting) > 0 {
		s = x.waiting[0]
		x.waiting[0] = nil
		x.waiting = x.waiting[1:]
		return s, false
	}
	if x.active--; x.active == 0 && x.idle != nil {
		close(x.idle)
		x.idle = nil
	}
	if x.workers-x.active > idleWorkers {
		x.workers--
		return nil, false
	}
	return nil, true
}

// close ends the workers. It waits for them if none is busy.
func (x *dispatcher) close() {
	close(x.quit)
	x.mu.Lock()
	idle := x.active == 0
	x.mu.Unlock()
	if idle {
		x.ended.Wait()
	}
}

// idleWithin waits until no handler runs.
func (x *dispatcher) idleWithin(d time.Duration) bool {
	x.mu.Lock()
	if x.active == 0 {
		x.mu.Unlock()
		return true
	}
	if x.idle == nil {
		x.idle = make(chan struct{})
	}
	idle := x.idle
	x.mu.Unlock()
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-idle:
		return true
	case <-timeout.C:
		return false
	}
}
