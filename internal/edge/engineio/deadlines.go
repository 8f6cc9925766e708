package engineio

import (
	"sync"
	"time"
)

// due is a kind of deadline. All deadlines of one kind run for the same duration.
type due uint8

const (
	duePing      due = iota // a ping is to be sent
	duePong                 // the client has not answered
	dueKeepAlive            // a ping is to be sent although the last answer was not read, being paused
	duePause                // reading was paused for too long
	dueLastPoll             // nobody came to learn that the session is closed
	dueStall                // the client accepts no bytes
	dueAssembly             // a message was begun and not completed
	dueUpgrade              // an upgrade was begun and not completed
	dueLinger               // the client does not close its side
	duePace                 // the client may send again
	dues
)

// expirer is told, on the goroutine of a timer, that a deadline of its own has passed. It may have
// been moved meanwhile, see deadline.passed.
type expirer interface{ expired(due) }

// deadline is an instant by which something has to happen. Whoever owns it guards it with one lock
// and holds that in every call; the links belong to the list.
type deadline struct {
	prev, next *deadline
	list       *deadlines // where it was put last
	at         int64
	owner      expirer
	linked     bool // guarded by list.mu
}

// deadlines are the deadlines of one kind, a list in order of time. Since they run for the same
// duration a new one belongs at the end, or very near to it. One timer is armed, for the first.
type deadlines struct {
	kind due
	// span is how long deadlines of this kind run.
	span time.Duration
	// pace is the least time between two rounds, so that ten thousand heartbeats are not ten
	// thousand timers. A deadline that has the list to itself is met exactly.
	pace  int64
	start time.Time // what instants count from

	mu      sync.Mutex // guards the following fields
	head    *deadline
	tail    *deadline
	timer   *time.Timer
	last    int64 // when the last round began
	running bool
	stopped bool
	ended   chan struct{} // closed when the round that was running at stop has ended
}

func (l *deadlines) now() int64 { return int64(time.Since(l.start)) }

// add starts d, which begins to run now.
func (l *deadlines) add(d *deadline, owner expirer) { l.addAt(d, owner, l.now()+int64(l.span)) }

// addAt starts d with a given end.
func (l *deadlines) addAt(d *deadline, owner expirer, at int64) {
	d.remove()
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

// remove takes d out of its list.
func (d *deadline) remove() {
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

// passed reports whether d is still in l and due, which its owner asks when it was told so.
func (d *deadline) passed(l *deadlines) bool { return d.list == l && d.at <= l.now() }

func (l *deadlines) unlinkLocked(d *deadline) {
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

func (l *deadlines) armLocked() {
	wait := time.Duration(max(l.head.at, l.last+l.pace) - l.now())
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.round)
		return
	}
	l.timer.Reset(wait)
}

// round tells the owners of everything that is due. There is one round at a time.
func (l *deadlines) round() {
	l.mu.Lock()
	if l.stopped || l.running {
		l.mu.Unlock()
		return
	}
	l.running = true
	l.last = l.now()
	var batch [64]expirer
	for l.head != nil && l.head.at <= l.last && !l.stopped {
		n := 0
		for n < len(batch) && l.head != nil && l.head.at <= l.last {
			batch[n] = l.head.owner
			l.unlinkLocked(l.head)
			n++
		}
		l.mu.Unlock()
		for _, owner := range batch[:n] {
			owner.expired(l.kind)
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

// stop ends the list. When it returns no owner is being told anything.
func (l *deadlines) stop() {
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
