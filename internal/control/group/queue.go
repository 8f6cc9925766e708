package group

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// instant is a time on the edge's monotonic clock, so that a step of the wall clock moves no
// deadline.
type instant = time.Duration

// entry is one event in the queue of one group, from Deliver until it is settled. What the
// queue itself has to know is copied from the event, so that an entry can stand for an event
// that is not in memory.
type entry struct {
	ev       *socketio.Event
	line     *line
	offset   uint64
	prevSeq  uint64
	size     int
	kind     socketio.Kind
	failures uint16
	attempts uint32
	at       time.Time

	// held is set until Groups.Release: neither the entry nor those behind it are delivered.
	held bool
	// saved is set once the Log has the entry.
	saved bool

	// id is the delivery on the stream of the line's owner, 0 while the entry waits.
	id uint64
	// due is when the delivery fails if it is not settled; of a ConnectRequested that waits:
	// when it is too late for it.
	due instant
	// delivered is when it was delivered last.
	delivered instant

	links [3]links
}

type links struct{ prev, next *entry }

// The lists that an entry is in.
const (
	inLine = iota // its session's, in order
	inLog         // the group's, in order of offset
	inDue         // deliveries by due, or waiting ConnectRequested by due
)

// list is a list of entries linked through links[which].
type list struct {
	which      int
	head, tail *entry
}

func (l *list) push(e *entry) { l.insert(e, l.tail) }

// insert puts e behind after, first if that is nil.
func (l *list) insert(e, after *entry) {
	next := l.head
	if after != nil {
		next = after.links[l.which].next
		after.links[l.which].next = e
	} else {
		l.head = e
	}
	if next != nil {
		next.links[l.which].prev = e
	} else {
		l.tail = e
	}
	e.links[l.which] = links{after, next}
}

// insertDue puts e where its due belongs, mostly at the end.
func (l *list) insertDue(e *entry) {
	after := l.tail
	for after != nil && after.due > e.due {
		after = after.links[l.which].prev
	}
	l.insert(e, after)
}

func (l *list) remove(e *entry) {
	k := e.links[l.which]
	if k.prev != nil {
		k.prev.links[l.which].next = k.next
	} else {
		l.head = k.next
	}
	if k.next != nil {
		k.next.links[l.which].prev = k.prev
	} else {
		l.tail = k.prev
	}
	e.links[l.which] = links{}
}

// line is what is not settled of one session: first what is outstanding at its owner, then what
// waits. A delivery that fails takes what is outstanding behind it along, so the two never mix.
type line struct {
	sid    string
	key    uint64 // hash of sid
	socket *socketio.Socket

	entries list
	next    *entry // the first that waits, nil: all are outstanding

	owner *place // who gets it; nil: there is no place
	home  *place // who ought to get it; the owner follows when nothing is outstanding

	outstanding int
	clients     int  // client events
	opened      bool // Opened is among the entries
	closed      bool // Closed is or was
	paused      bool // its socket is held for having too many client events

	notBefore instant // back-off
	heapPos   int     // in group.backoff; -1: not there

	isReady              bool // in owner.ready
	readyPrev, readyNext *line
}

// lineList is the lines that have something to deliver, in the order of their turns.
type lineList struct{ head, tail *line }

func (l *lineList) push(ln *line) {
	ln.isReady, ln.readyPrev = true, l.tail
	if l.tail != nil {
		l.tail.readyNext = ln
	} else {
		l.head = ln
	}
	l.tail = ln
}

func (l *lineList) remove(ln *line) {
	if ln.readyPrev != nil {
		ln.readyPrev.readyNext = ln.readyNext
	} else {
		l.head = ln.readyNext
	}
	if ln.readyNext != nil {
		ln.readyNext.readyPrev = ln.readyPrev
	} else {
		l.tail = ln.readyPrev
	}
	ln.isReady, ln.readyPrev, ln.readyNext = false, nil, nil
}

// backoff is a heap of lines by notBefore, for container/heap.
type backoff []*line

func (b backoff) Len() int           { return len(b) }
func (b backoff) Less(i, j int) bool { return b[i].notBefore < b[j].notBefore }
func (b backoff) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].heapPos, b[j].heapPos = i, j
}

func (b *backoff) Push(x any) {
	ln := x.(*line)
	ln.heapPos = len(*b)
	*b = append(*b, ln)
}

func (b *backoff) Pop() any {
	last := len(*b) - 1
	ln := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	ln.heapPos = -1
	return ln
}

// spares keeps a few used entries and lines, so that a steady flow allocates none.
type spares struct {
	entries []*entry
	lines   []*line
}

const maxSpares = 1024

func (s *spares) entry() *entry {
	if n := len(s.entries); n > 0 {
		e := s.entries[n-1]
		s.entries = s.entries[:n-1]
		return e
	}
	return new(entry)
}

func (s *spares) putEntry(e *entry) {
	*e = entry{}
	if len(s.entries) < maxSpares {
		s.entries = append(s.entries, e)
	}
}

func (s *spares) line() *line {
	if n := len(s.lines); n > 0 {
		ln := s.lines[n-1]
		s.lines = s.lines[:n-1]
		return ln
	}
	return &line{heapPos: -1}
}

func (s *spares) putLine(ln *line) {
	*ln = line{heapPos: -1}
	if len(s.lines) < maxSpares {
		s.lines = append(s.lines, ln)
	}
}

// flight is the outstanding deliveries of a member by id. Ids are dense, so it keeps them in
// pages: a range is settled with one look-up for 64 of them, and a delivery that is held for
// hours costs one page.
type flight struct {
	pages map[uint64]*page
	spare *page
}

const pageSize = 64

type page struct {
	n       int
	entries [pageSize]*entry
}

func (f *flight) get(id uint64) *entry {
	if p := f.pages[id/pageSize]; p != nil {
		return p.entries[id%pageSize]
	}
	return nil
}

func (f *flight) add(e *entry) {
	p := f.pages[e.id/pageSize]
	if p == nil {
		if p = f.spare; p == nil {
			p = new(page)
		}
		f.spare = nil
		f.pages[e.id/pageSize] = p
	}
	p.n++
	p.entries[e.id%pageSize] = e
}

func (f *flight) remove(id uint64) {
	p := f.pages[id/pageSize]
	p.entries[id%pageSize] = nil
	if p.n--; p.n == 0 {
		delete(f.pages, id/pageSize)
		f.spare = p
	}
}
