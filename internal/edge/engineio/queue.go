package engineio

import (
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// queue holds what waits for one client. A Socket has one only while something waits.
type queue struct {
	messages []*Message
	first    int // messages before it are gone
	offset   int // bytes of the first message that are gone already
	bytes    int
	packets  int
	flush    *Flush // the last that queued here, if it has yet to write

	budget  *budget.Budget // nil until something was charged
	charged int            // messages before it are, if they are there
}

// charge charges what the client has been left with. What it takes at once is charged nowhere.
func (q *queue) charge(b *budget.Budget) {
	if b == nil || q.charged == len(q.messages) {
		return
	}
	n := 0
	for _, m := range q.messages[max(q.charged, q.first):] {
		n += m.hold()
	}
	q.budget, q.charged = b, len(q.messages)
	b.Add(budget.Queues, n)
}

// free takes back the charge of messages that were q.messages[from:to].
func (q *queue) free(from, to int) {
	n := 0
	for i := from; i < min(to, q.charged); i++ {
		n += q.messages[i].letGo()
	}
	q.budget.Free(budget.Queues, n)
}

// keptMessages bounds the backing array that is kept with a queue for reuse.
const keptMessages = 256

var queues = sync.Pool{New: func() any { return &queue{messages: make([]*Message, 0, 16)} }}

func (q *queue) add(m *Message) {
	q.messages = append(q.messages, m)
	q.bytes += len(m.frames)
	q.packets += m.packets()
}

func (q *queue) empty() bool { return q.first == len(q.messages) }

// pending are the messages that are not gone.
func (q *queue) pending() []*Message { return q.messages[q.first:] }

// pop removes the first message. If nobody looks at its bytes any more they are used again.
func (q *queue) pop(reuse bool) {
	m := q.messages[q.first]
	if q.first < q.charged {
		q.free(q.first, q.first+1)
	}
	q.messages[q.first] = nil
	q.first++
	q.offset = 0
	q.bytes -= len(m.frames)
	q.packets -= m.packets()
	if reuse && m.loan != nil {
		m.loan.free()
	}
	// A queue that never runs empty must not grow at its front for ever.
	if q.first >= 64 && q.first*2 >= len(q.messages) {
		n := copy(q.messages, q.messages[q.first:])
		clear(q.messages[n:])
		q.charged = max(q.charged-q.first, 0)
		q.messages, q.first = q.messages[:n], 0
	}
}

// cut removes every message of which nothing was sent.
func (q *queue) cut() {
	keep := q.first
	if q.offset > 0 {
		keep++
	}
	for _, m := range q.messages[keep:] {
		q.bytes -= len(m.frames)
		q.packets -= m.packets()
	}
	if keep < q.charged {
		q.free(keep, q.charged)
		q.charged = keep
	}
	clear(q.messages[keep:])
	q.messages = q.messages[:keep]
}

// recycle gives the queue back. Nobody may use it afterwards.
func (q *queue) recycle() {
	if q.first < q.charged {
		q.free(q.first, q.charged)
	}
	clear(q.messages)
	kept := q.messages[:0]
	if cap(kept) > keptMessages {
		kept = nil
	}
	*q = queue{messages: kept}
	queues.Put(q)
}

// Flush collects the Sockets that a run of commands queued something on, so that each is written
// once, after the locks are released. The zero value is ready; it is used again after Do, and by
// one goroutine at a time.
type Flush struct {
	sockets []*Socket
	runs    uint // of Do that wrote something
}

// sampledFlushes is how many runs of Do there are for one that is timed.
const sampledFlushes = 8

// Queue is Socket.Queue with a later Do in place of Socket.Flush.
func (f *Flush) Queue(s *Socket, m *Message, volatile bool) bool {
	s.mu.Lock()
	ok := s.offerLocked(m, volatile)
	fresh := ok && s.out.flush != f
	if fresh {
		s.out.flush = f
	}
	s.mu.Unlock()
	if fresh {
		f.sockets = append(f.sockets, s)
	}
	return ok
}

// longFlush is how many sockets can be written to before others have to be thought of: about a
// millisecond.
const longFlush = 256

// Do writes what is queued. It never waits for a client.
func (f *Flush) Do() {
	if len(f.sockets) == 0 {
		return
	}
	if f.runs++; f.runs%sampledFlushes == 1 {
		counters := &f.sockets[0].server.counters
		begin := time.Now()
		defer func() { counters.flush.Add(time.Since(begin)) }()
	}
	for i, s := range f.sockets {
		s.Flush()
		f.sockets[i] = nil
		if i%longFlush == longFlush-1 {
			nonblock.Rouse() // this may go on for long
		}
	}
	f.sockets = f.sockets[:0]
}
