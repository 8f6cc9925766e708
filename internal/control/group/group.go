package group

import (
	"container/heap"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// group is one backend service: its queue and its places.
type group struct {
	// Static after construction.
	all  *Groups
	name string

	seeking sync.Mutex // held by one Seek at a time

	// change serialises what changes the set of places. It is held while sessions are listed.
	change sync.Mutex

	mu     sync.Mutex // guards the following, and the lines, places and members of the group
	spec   Spec
	routes routes
	places set
	moving *moving // a change of places whose sessions are still being told
	halted bool    // by Groups.Halt: nothing is delivered
	ended  bool    // forgotten or closed: nothing is queued any more

	lines  map[string]*line
	log    list // all entries; the first is where a durable cursor would stand
	due    list // deliveries
	asked  list // ConnectRequested that wait
	later  backoff
	spares spares

	// lent is where the sessions without a line are that are not at home.
	lent map[string]*place
	// last is the seq of the last event routed here, for sessions of groups that do not get
	// every event. nil until the group has been one.
	last map[string]uint64

	events  int
	bytes   int64
	account budget.Account                // of bytes
	paused  map[*socketio.Socket]struct{} // held because the queue is full
	// spill is the oldest entry that may have to be saved for having waited; nil: none.
	spill *entry
	// spilled is how many bytes of them were saved since that much was known to be on disk.
	spilled int
	// spilling: as much as may be at a time is on its way there.
	spilling bool
	// scan is where looking for the oldest droppable entry goes on; nil: at the head.
	scan *entry

	emptySince instant // while there are no places
	timer      *time.Timer
	timerAt    instant // when timer fires; 0: it does not

	counts counts
	dead   deadLetters

	questions map[uint64]*question // of members to members, by Told.ID
	lastTold  uint64

	retained retained
	swept    uint64  // no settled event below it is kept
	sweepAt  instant // when settled events are looked at; 0: not until one more is kept
	fx       effects
}

// effects is what has to be done when group.mu is released.
type effects struct {
	unpause []*socketio.Socket
	abandon []*socketio.Event
	settled []Settled
	after   []func()
}

func (fx *effects) empty() bool {
	return len(fx.unpause) == 0 && len(fx.abandon) == 0 && len(fx.settled) == 0 && len(fx.after) == 0
}

// unlock releases mu and does what has to be done then.
func (g *group) unlock() {
	if g.fx.empty() {
		g.mu.Unlock()
		return
	}
	fx := g.fx
	g.fx = effects{}
	g.mu.Unlock()
	for _, s := range fx.unpause {
		g.all.unpause(s)
	}
	for _, ev := range fx.abandon {
		g.all.sessions.Abandon(ev)
	}
	if hook := g.all.Settled.Load(); hook != nil {
		for _, s := range fx.settled {
			(*hook)(s)
		}
	}
	for _, f := range fx.after {
		f()
	}
}

// unlockLater releases mu where nothing may be called: the timer does what has to be done.
func (g *group) unlockLater() {
	if !g.fx.empty() {
		g.armLocked(g.all.now())
	}
	g.mu.Unlock()
}

// enqueue takes an event. wanted is false for a Closed that only ends what is remembered of its
// session. It returns false if the client is not to be read for now.
// Deliver's caller holds locks, so nothing is called from here.
func (g *group) enqueue(ev *socketio.Event, sid string, offset uint64, wanted bool) bool {
	g.mu.Lock()
	defer g.unlockLater()
	if g.ended {
		return true
	}
	prev := g.prevSeqLocked(ev, sid)
	if ev.Kind == socketio.Closed {
		g.forgetChangesLocked(sid)
	}
	if !wanted {
		return true
	}
	size := ev.Size()
	ln := g.lines[sid]
	full := g.fullLocked(size) || g.all.cfg.Budget.Full(budget.Backlog)
	if full && ev.Kind == socketio.Closed && g.vanishLocked(ln) {
		return true
	}
	if full && ev.Kind == socketio.ClientEvent && !g.admitLocked(size) {
		g.counts.dropped++
		return true
	}
	if ln = g.lines[sid]; ln == nil { // admitLocked may have dropped its last entry
		ln = g.newLineLocked(sid, ev.Socket)
	}
	g.keepLocked(g.appendLocked(ln, ev, offset, prev, size, ev.Held || g.holdsLocked(ev)))
	return ev.Kind != socketio.ClientEvent || g.roomLocked(ln, full)
}

func (g *group) appendLocked(ln *line, ev *socketio.Event, offset, prev uint64, size int, held bool) *entry {
	e := g.spares.entry()
	e.ev, e.line, e.offset, e.prevSeq = ev, ln, offset, prev
	e.size, e.kind, e.at, e.held = size, ev.Kind, ev.At, held
	ln.entries.push(e)
	g.log.push(e)
	g.events++
	g.bytes += int64(size)
	g.account.Add(size)
	switch ev.Kind {
	case socketio.ClientEvent:
		ln.clients++
	case socketio.Opened:
		ln.opened = true
	case socketio.Closed:
		ln.closed = true
	case socketio.ConnectRequested:
		g.waitAskedLocked(e)
	}
	if ln.next == nil {
		ln.next = e
		g.scheduleLocked(ln)
	}
	return e
}

// prevSeqLocked returns what Event.prev_seq says. Groups that get every event remember nothing;
// for the others 0 also stands for what was before the group had its present routes.
func (g *group) prevSeqLocked(ev *socketio.Event, sid string) uint64 {
	if ev.Seq == 0 {
		return 0
	}
	if g.last == nil {
		return ev.Seq - 1
	}
	prev := g.last[sid]
	if ev.Kind == socketio.Closed {
		delete(g.last, sid)
	} else {
		g.last[sid] = ev.Seq
	}
	return prev
}

func (g *group) newLineLocked(sid string, s *socketio.Socket) *line {
	ln := g.spares.line()
	ln.sid, ln.key, ln.socket = sid, hash(sid), s
	ln.entries.which = inLine
	g.lines[sid] = ln
	ln.owner = g.locationLocked(sid, ln.key)
	delete(g.lent, sid)
	if g.moving != nil {
		g.moving.told[sid] = struct{}{}
	}
	g.rehomeLocked(ln)
	return ln
}

// scheduleLocked gives a line its turn if it has something that may be delivered now.
func (g *group) scheduleLocked(ln *line) {
	if ln.isReady || ln.next == nil || ln.next.held || ln.owner == nil || ln.owner != ln.home || ln.heapPos >= 0 {
		return
	}
	m := ln.owner.member
	if m != nil && ln.outstanding >= m.flow.PerSession {
		return
	}
	ln.owner.ready.push(ln)
	if m != nil {
		m.wakeIfReadyLocked()
	}
}

// removeLocked takes an entry out of the queue for good and returns its event. What depends on
// the line having changed is up to changedLocked.
func (g *group) removeLocked(e *entry) *socketio.Event {
	ln, ev := e.line, e.ev
	if e.id != 0 {
		g.landLocked(e)
	} else if e.kind == socketio.ConnectRequested {
		g.asked.remove(e)
	}
	if ln.next == e {
		ln.next = e.links[inLine].next
	}
	if g.scan == e {
		g.scan = e.links[inLog].prev
	}
	if g.spill == e {
		g.spill = e.links[inLog].next
	}
	if e.saved {
		g.all.cfg.Log.SaveEvent(g.name, e.offset, nil)
	}
	ln.entries.remove(e)
	g.log.remove(e)
	g.events--
	g.bytes -= int64(e.size)
	g.account.Add(-e.size)
	switch e.kind {
	case socketio.ClientEvent:
		ln.clients--
		if ln.paused && ln.clients <= g.all.cfg.SessionEvents/2 {
			ln.paused = false
			g.releaseLocked(ln.socket)
		}
	case socketio.Opened:
		ln.opened = false
	}
	g.spares.putEntry(e)
	g.drainedLocked()
	return ev
}

// landLocked ends a delivery: the entry is not outstanding any more.
func (g *group) landLocked(e *entry) {
	ln := e.line
	m := ln.owner.member
	m.flight.remove(e.id)
	m.events--
	m.bytes -= int64(e.size)
	g.due.remove(e)
	ln.outstanding--
	e.id = 0
	m.wakeIfReadyLocked()
}

// changedLocked does what is left to do after entries of a line were removed or went back.
func (g *group) changedLocked(ln *line) {
	if ln.outstanding == 0 && ln.owner != ln.home {
		g.moveLocked(ln)
	}
	if ln.entries.head != nil {
		g.scheduleLocked(ln)
		if ln.next == nil && ln.isReady {
			ln.owner.ready.remove(ln)
		}
		return
	}
	if ln.isReady {
		ln.owner.ready.remove(ln)
	}
	if ln.heapPos >= 0 {
		heap.Remove(&g.later, ln.heapPos)
	}
	delete(g.lines, ln.sid)
	if g.moving != nil {
		g.moving.told[ln.sid] = struct{}{}
	}
	if !ln.closed {
		if home, _ := g.places.home(ln.key); home != ln.owner {
			g.lent[ln.sid] = ln.owner
		}
	}
	g.spares.putLine(ln)
}

// failLocked takes back a delivery and everything outstanding behind it. retry is how long to
// wait before it is delivered again.
func (g *group) failLocked(e *entry, retry instant, aside bool, reason string) {
	ln := e.line
	memberID := ln.owner.id
	for x := e; x != ln.next; x = x.links[inLine].next {
		g.landLocked(x)
		if x.kind == socketio.ConnectRequested {
			g.waitAskedLocked(x)
		}
	}
	ln.next = e
	if g.scan != nil && g.scan.offset > e.offset {
		g.scan = e
	}
	e.failures++
	switch {
	case e.kind == socketio.Closed: // never set aside: it is the last word about a session
	case aside, int(e.failures) >= g.spec.MaxAttempts:
		g.setAsideLocked(e, memberID, reason)
		g.changedLocked(ln)
		return
	}
	if retry > 0 {
		g.delayLocked(ln, g.all.now()+retry)
	}
	g.changedLocked(ln)
}

// backOff is the pause before a delivery that failed so often is tried again.
func backOff(failures uint16) time.Duration {
	if failures >= 9 {
		return 30 * time.Second
	}
	return 100 * time.Millisecond << failures
}

func (g *group) delayLocked(ln *line, until instant) {
	if ln.isReady {
		ln.owner.ready.remove(ln)
	}
	if ln.heapPos >= 0 {
		heap.Remove(&g.later, ln.heapPos)
	}
	ln.notBefore = until
	heap.Push(&g.later, ln)
	g.armLocked(until)
}

// waitAskedLocked puts a ConnectRequested among those that are dropped when nobody takes them.
func (g *group) waitAskedLocked(e *entry) {
	e.due = g.all.now() + time.Until(e.ev.Life.AnswerBy)
	g.asked.insertDue(e)
	g.armLocked(e.due)
}
