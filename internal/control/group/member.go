package group

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Member is one process of a group while its stream lasts. All methods may be called
// concurrently. Ids that are unknown or settled are ignored and counted.
type Member struct {
	// Static after construction.
	g             *group
	place         *place
	instance, sdk string
	woken         chan struct{} // one token: Next has to look again

	// Guarded by group.mu.
	err     error // why the stream is over
	waiting bool  // Next waits for woken
	flow    Flow
	lastID  uint64
	flight  flight
	events  int // outstanding
	bytes   int64
	// told is the id of the first delivery after the last assignment that was handed over: when
	// it or a later one is settled the member has got the assignment. 0: it has.
	told     uint64
	toldSent int // of place.told
}

// Delivery is one event handed to a member.
type Delivery struct {
	ID      uint64 // 1, 2, 3 … for each Member
	Attempt uint32 // counts deliveries to any member
	PrevSeq uint64 // of the session's previous event for this group; 0: none, or not known
	Offset  uint64
	Event   *socketio.Event
}

// Batch is what Next hands over. The member has to be told in the order of the fields.
type Batch struct {
	Lost       []string           // sessions that are not the member's any more
	Gained     []socketio.Session // sessions that are the member's from now on
	Changed    []Change           // sessions that are not as it knows them
	Told       []Told             // what others say
	Deliveries []Delivery
}

func (b *Batch) reset() {
	b.Lost, b.Gained, b.Deliveries = b.Lost[:0], b.Gained[:0], b.Deliveries[:0]
	clear(b.Changed)
	clear(b.Told)
	b.Changed, b.Told = b.Changed[:0], b.Told[:0]
}

func (b *Batch) empty() bool {
	return len(b.Lost)+len(b.Gained)+len(b.Changed)+len(b.Told)+len(b.Deliveries) == 0
}

const (
	defaultBatch = 256
	maxNotices   = 1024
)

// Next waits until there is something for the member and fills b with it: as many deliveries as
// b.Deliveries has capacity for, 256 if it has none. The slices of b are reused. It is called by
// one goroutine at a time. The error is ctx's or says why the membership is over.
func (m *Member) Next(ctx context.Context, b *Batch) error {
	if cap(b.Deliveries) == 0 {
		b.Deliveries = make([]Delivery, 0, defaultBatch)
	}
	for {
		b.reset()
		m.g.mu.Lock()
		if m.err != nil {
			defer m.g.unlock()
			return m.err
		}
		var gained []string
		b.Lost, gained = m.noticesLocked(b.Lost)
		var changed []noted
		if len(m.place.lost)+len(m.place.gained) == 0 {
			changed = m.changesLocked()
			m.fillLocked(b)
		}
		m.tellLocked(b)
		m.waiting = b.empty() && len(gained)+len(changed) == 0
		wait := m.waiting
		m.g.unlock()
		if len(gained) > 0 {
			b.Gained = append(b.Gained, m.g.copies(m.place, gained)...)
		}
		m.g.look(b, changed)
		if !b.empty() {
			return nil
		}
		if !wait {
			continue
		}
		select {
		case <-m.woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wakeLocked makes a waiting Next look again.
func (m *Member) wakeLocked() {
	if !m.waiting {
		return
	}
	m.waiting = false
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *Member) wakeIfReadyLocked() {
	if m.waiting && m.place.ready.head != nil && m.openLocked() {
		m.wakeLocked()
	}
}

// openLocked says whether the window has room.
func (m *Member) openLocked() bool {
	return !m.flow.Paused && !m.g.halted && m.events < m.flow.Events && m.bytes < m.flow.Bytes
}

// noticesLocked takes some of what the member has to be told.
func (m *Member) noticesLocked(lost []string) (_, gained []string) {
	p := m.place
	if len(p.lost)+len(p.gained) == 0 {
		return lost, nil
	}
	for sid := range p.lost {
		if len(lost) == maxNotices {
			break
		}
		lost = append(lost, sid)
		delete(p.lost, sid)
	}
	if len(p.lost) == 0 {
		for sid := range p.gained {
			if len(lost)+len(gained) == maxNotices {
				break
			}
			gained = append(gained, sid)
			delete(p.gained, sid)
		}
	}
	m.told = m.lastID + 1
	return lost, gained
}

// maxTurn is how many deliveries of one line follow each other while other lines wait. What a
// client sent together goes up together, and its answers are written with one system call.
const maxTurn = 16

// turnLocked leaves room for many sessions in a window: who can do four things at a time has to
// get the events of four.
func (m *Member) turnLocked() int { return min(max(m.flow.Events/64, 1), maxTurn) }

// fillLocked delivers: some entries of each line in turn, within the window.
func (m *Member) fillLocked(b *Batch) {
	g, ready := m.g, &m.place.ready
	if ready.head == nil || !m.openLocked() {
		return
	}
	at, turn := time.Now(), m.turnLocked()
	for len(b.Deliveries) < cap(b.Deliveries) && ready.head != nil {
		ln := ready.head
		if !m.fitsLocked(ln.next) {
			break
		}
		ready.remove(ln)
		last := min(len(b.Deliveries)+turn, cap(b.Deliveries))
		for len(b.Deliveries) < last && ln.outstanding < m.flow.PerSession && ln.next != nil && !ln.next.held && m.fitsLocked(ln.next) {
			b.Deliveries = append(b.Deliveries, m.deliverLocked(ln, at))
		}
		g.scheduleLocked(ln)
	}
	if g.due.head != nil {
		g.armLocked(g.due.head.due)
	}
}

// fitsLocked says whether the window has room for the entry.
func (m *Member) fitsLocked(e *entry) bool {
	return m.events < m.flow.Events && (m.events == 0 || m.bytes+int64(e.size) <= m.flow.Bytes)
}

// deliverLocked makes a delivery of the next entry of a line. It is the time at.
func (m *Member) deliverLocked(ln *line, at time.Time) Delivery {
	g, e, now := m.g, ln.next, m.g.all.at(at)
	if e.kind == socketio.ConnectRequested {
		g.asked.remove(e)
	}
	m.lastID++
	e.id, e.due = m.lastID, now+g.spec.AckDeadline
	e.attempts++
	g.counts.deliver(e, now, at)
	g.due.push(e)
	m.flight.add(e)
	m.events++
	m.bytes += int64(e.size)
	ln.outstanding++
	ln.next = e.links[inLine].next
	return Delivery{e.id, e.attempts, e.prevSeq, e.offset, e.ev}
}

// eachLocked calls f for the outstanding deliveries first to last in order. f may settle any.
func (m *Member) eachLocked(first, last uint64, f func(*entry)) (n uint64) {
	last = min(last, m.lastID)
	page := func(i uint64) {
		for id := max(first, i*pageSize); id <= min(last, i*pageSize+pageSize-1); id++ {
			if e := m.flight.get(id); e != nil {
				f(e)
				n++
			}
		}
	}
	if first > last {
		return 0
	}
	if low, high := first/pageSize, last/pageSize; high-low < uint64(len(m.flight.pages)) {
		for i := low; i <= high; i++ {
			page(i)
		}
		return n
	}
	for _, i := range slices.SortedFunc(maps.Keys(m.flight.pages), cmp.Compare) {
		page(i)
	}
	return n
}

// Done settles the deliveries first to last: they are never delivered again.
func (m *Member) Done(first, last uint64) {
	g := m.g
	at := time.Now()
	now := g.all.at(at)
	g.mu.Lock()
	defer g.unlock()
	m.countLocked(first, last, m.eachLocked(first, last, func(e *entry) {
		m.confirmLocked(e)
		g.counts.settle(e, now, at)
		g.settledLocked(e, false)
		if e.kind == socketio.ConnectRequested {
			g.fx.abandon = append(g.fx.abandon, e.ev)
		}
		ln := e.line
		g.retainLocked(e)
		g.removeLocked(e)
		g.changedLocked(ln)
	}))
}

// Take settles a delivery and returns it, for who answers it. False: it was settled before, was
// handed back, or is not of this member.
func (m *Member) Take(id uint64) (Delivery, bool) {
	at := time.Now()
	m.g.mu.Lock()
	defer m.g.unlock()
	d := m.takeLocked(id, m.g.all.at(at), at)
	return d, d.Event != nil
}

// takenAtOnce bounds how long TakeAll keeps events from being queued.
const takenAtOnce = 128

// TakeAll is Take for many: it appends one Delivery for each id to taken, without an Event where
// Take would say false.
func (m *Member) TakeAll(ids []uint64, taken []Delivery) []Delivery {
	for part := range slices.Chunk(ids, takenAtOnce) {
		at := time.Now()
		now := m.g.all.at(at)
		m.g.mu.Lock()
		for _, id := range part {
			taken = append(taken, m.takeLocked(id, now, at))
		}
		m.g.unlock()
	}
	return taken
}

func (m *Member) takeLocked(id uint64, now instant, at time.Time) Delivery {
	g := m.g
	e := m.flight.get(id)
	if e == nil {
		g.counts.ignored++
		return Delivery{}
	}
	m.confirmLocked(e)
	g.counts.settle(e, now, at)
	d := Delivery{e.id, e.attempts, e.prevSeq, e.offset, e.ev}
	ln := e.line
	g.retainLocked(e)
	g.removeLocked(e)
	g.changedLocked(ln)
	return d
}

// Nack hands a delivery back, and with it everything of its session that was delivered to the
// member after it. They are delivered again in order after the given time; 0 means 100 ms,
// doubled with each attempt up to 30 s. With deadLetter, or after Spec.MaxAttempts, the delivery
// itself is set aside instead and the rest follows at once. A Closed is always delivered again.
func (m *Member) Nack(id uint64, after time.Duration, deadLetter bool, reason string) {
	g := m.g
	g.mu.Lock()
	defer g.unlock()
	e := m.flight.get(id)
	if e == nil {
		g.counts.ignored++
		return
	}
	m.confirmLocked(e)
	g.counts.nacked++
	g.settledLocked(e, true)
	if after <= 0 {
		after = backOff(e.failures)
	}
	g.failLocked(e, min(after, time.Hour), deadLetter, reason)
}

// Extend restarts the ack deadline of the deliveries first to last.
func (m *Member) Extend(first, last uint64) {
	g := m.g
	g.mu.Lock()
	defer g.unlock()
	due := g.all.now() + g.spec.AckDeadline
	m.countLocked(first, last, m.eachLocked(first, last, func(e *entry) {
		m.confirmLocked(e)
		g.due.remove(e)
		e.due = due
		g.due.push(e)
	}))
}

// SetFlow changes the window. The error is an *Invalid.
func (m *Member) SetFlow(f Flow) error {
	if err := f.validate(); err != nil {
		return err
	}
	g := m.g
	g.mu.Lock()
	defer g.unlock()
	m.flow = f.over(g.all.cfg.Window)
	m.eachLocked(1, m.lastID, func(e *entry) { g.scheduleLocked(e.line) })
	m.wakeIfReadyLocked()
	return nil
}

// ID is the member's stable name.
func (m *Member) ID() string { return m.place.id }

// Flow returns the window in force.
func (m *Member) Flow() Flow {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	return m.flow
}

// Backlog returns how much of the group is not settled, and how old the oldest of it is.
func (m *Member) Backlog() (events int, age time.Duration) {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	if head := m.g.log.head; head != nil {
		age = time.Since(head.at)
	}
	return m.g.events, age
}

func (m *Member) confirmLocked(e *entry) {
	if e.id >= m.told {
		m.told = 0
	}
}

func (m *Member) countLocked(first, last, found uint64) {
	if last >= first && last-first+1 > found {
		m.g.counts.ignored += min(last-first+1-found, 1<<20) // an absurd range says nothing
	}
}

// settledLocked notes the end of a delivery for who looks on.
func (g *group) settledLocked(e *entry, nacked bool) {
	if g.all.Settled.Load() == nil {
		return
	}
	g.fx.settled = append(g.fx.settled, Settled{
		Offset: e.offset, Event: e.ev, Group: g.name, MemberID: e.line.owner.id,
		Attempt: e.attempts, Took: time.Since(e.at), Nacked: nacked,
	})
}
