// Package deadline keeps many deadlines of the same length: starting, moving and ending one costs a
// lock and a few pointers, and all of a list share one timer.
package deadline

import (
	"sync"
	"time"
)

// Owner is told, on the goroutine of a timer, that a deadline of its own in l has passed. It may have
// been moved meanwhile, see Deadline.Passed.
type Owner interface{ Expired(l *List) }

// Deadline is an instant by which something has to happen. Whoever owns it guards it with one lock
// and holds that in every call; the links belong to the list.
type Deadline struct {
	prev, next *Deadline
	list       *List // where it was put last
	at         int64
	owner      Owner
	linked     bool // guarded by list.mu
}

// List is the deadlines of one kind, in order of time. Since they run for the same
// duration a new one belongs at the end, or very near to it. One timer is armed, for the first.
type List struct {
	// Kind is for the owners, who may have deadlines in several lists.
	Kind uint8
	// Span is how long its deadlines run.
	Span time.Duration
	// Pace is the least time between two rounds, so that ten thousand heartbeats are not ten
	// thousand timers. A deadline that has the list to itself is met exactly.
	Pace  time.Duration
	Start time.Time // what instants count from

	mu      sync.Mutex // guards the following fields
	head    *Deadline
	tail    *Deadline
	timer   *time.Timer
	last    int64 // when the last round began
	running bool
	stopped bool
	ended   chan struct{} // closed when the round that was running at Stop has ended
}

// Now is the present instant, in nanoseconds since Start.
func (l *List) Now() int64 { return int64(time.Since(l.Start)) }

// Add starts d, which begins to run now.
func (l *List) Add(d *Deadline, owner Owner) { l.AddAt(d, owner, l.Now()+int64(l.Span)) }

// AddAt starts d with a given end.
func (l *List) AddAt(d *Deadline, owner Owner, at int64) {
	d.Remove()
	l.mu.Lock()
	defer l.mu.Unlock()
	d.list, d.at, d.owner = l, at, owner
	if l.stopped {
		return
	}
	before := l.tail
	for before != nil && before.at > at {
		before = before.prev
	}
	d.prev, d.linked = before, true
	if before == nil {
		d.next, l.head = l.head, d
	} else {
		d.next, before.next = before.next, d
	}
	if d.next == nil {
		l.tail = d
	} else {
		d.next.prev = d
	}
	if l.head == d && !l.running {
		l.armLocked()
	}
}

// Remove takes d out of its list.
func (d *Deadline) Remove() {
	l := d.list
	if l == nil {
		return
	}
	l.mu.Lock()
	if d.linked {
		l.unlinkLocked(d)
	}
	l.mu.Unlock()
	d.list = nil
}

// At is when d ends, in nanoseconds since the Start of its list.
func (d *Deadline) At() int64 { return d.at }

// Empty reports whether nothing is waited for.
func (l *List) Empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head == nil
}

// Passed reports whether d is still in l and due, which its owner asks when it was told so.
func (d *Deadline) Passed(l *List) bool { return d.list == l && d.at <= l.Now() }

func (l *List) unlinkLocked(d *Deadline) {
	if d.prev == nil {
		l.head = d.next
	} else {
		d.prev.next = d.next
	}
	if d.next == nil {
		l.tail = d.prev
	} else {
		d.next.prev = d.prev
	}
	d.prev, d.next, d.linked = nil, nil, false
}

func (l *List) armLocked() {
	wait := time.Duration(max(l.head.at, l.last+int64(l.Pace)) - l.Now())
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.round)
		return
	}
	l.timer.Reset(wait)
}

// round tells the owners of everything that is due. There is one round at a time.
func (l *List) round() {
	l.mu.Lock()
	if l.stopped || l.running {
		l.mu.Unlock()
		return
	}
	l.running = true
	l.last = l.Now()
	var batch [64]Owner
	for l.head != nil && l.head.at <= l.last && !l.stopped {
		n := 0
		for n < len(batch) && l.head != nil && l.head.at <= l.last {
			batch[n] = l.head.owner
			l.unlinkLocked(l.head)
			n++
		}
		l.mu.Unlock()
		for _, owner := range batch[:n] {
			owner.Expired(l)
		}
		l.mu.Lock()
	}
	l.running = false
	if l.stopped {
		close(l.ended)
	} else if l.head != nil {
		l.armLocked()
	}
	l.mu.Unlock()
}

// Stop ends the list. When it returns no owner is being told anything.
func (l *List) Stop() {
	l.mu.Lock()
	l.stopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
	running := l.running
	if running {
		l.ended = make(chan struct{})
	}
	l.mu.Unlock()
	if running {
		<-l.ended
	}
}
