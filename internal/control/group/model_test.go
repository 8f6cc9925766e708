package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// model is what must be true of a group whatever happens, checked at every step by members that
// come and go, crash, hand back and forget.
type model struct {
	*edge
	t       *testing.T
	r       *rand.Rand
	pending map[string][]*pendingEvent // by sid, in order
	streams map[string]*stream         // attached, by member id
	memory  map[string]map[string]bool // what a lost member still knows
	serial  int
	steps   []string
}

type pendingEvent struct {
	seq      uint64
	kind     socketio.Kind
	attempts uint32
	at       *stream // outstanding there
	id       uint64
	due      time.Time
}

// stream is one attachment as its backend sees it.
type stream struct {
	*Member
	id       string
	instance string
	known    map[string]bool // sids
	left     bool
	seen     uint64 // highest offset
}

const (
	modelDeadline = 5 * time.Second
	modelGrace    = 3 * time.Second
)

func TestModel(t *testing.T) {
	seeds := []uint64{rand.Uint64()}
	for seed := range uint64(150) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		})
		if t.Failed() {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64) {
	m := &model{
		t: t, r: rand.New(rand.NewPCG(seed, 1)),
		edge:    newEdge(t, Config{Spec: Spec{AckDeadline: modelDeadline, MemberGrace: modelGrace, MaxAttempts: 10_000}}),
		pending: make(map[string][]*pendingEvent), streams: make(map[string]*stream),
		memory: make(map[string]map[string]bool),
	}
	defer m.gs.Close()
	m.attach(m.pick(modelMembers)) // before that there is no group, and events are for nobody
	for range 600 {
		if m.step(); t.Failed() {
			break
		}
	}
	if !t.Failed() {
		m.finish()
	}
	if t.Failed() {
		for _, s := range m.steps[max(0, len(m.steps)-60):] {
			t.Log(s)
		}
	}
}

var modelMembers = []string{"a", "b", "c", "d"}

func (m *model) pick(from []string) string { return from[m.r.IntN(len(from))] }

func (m *model) note(format string, args ...any) {
	m.steps = append(m.steps, fmt.Sprintf(format, args...))
}

func (m *model) anyStream() *stream {
	ids := slices.Sorted(maps.Keys(m.streams))
	if len(ids) == 0 {
		return nil
	}
	return m.streams[m.pick(ids)]
}

func (m *model) anySession() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	sids := slices.Sorted(maps.Keys(m.sessions))
	if len(sids) == 0 {
		return ""
	}
	return m.pick(sids)
}

func (m *model) step() {
	switch n := m.r.IntN(100); {
	case n < 8:
		m.serial++
		sid := fmt.Sprint("/#", m.serial)
		m.note("open %s", sid)
		m.open(sid)
		m.pending[sid] = []*pendingEvent{{seq: 1, kind: socketio.Opened}}
	case n < 12:
		if sid := m.anySession(); sid != "" {
			m.note("close %s", sid)
			seq := m.session(sid).seq + 1
			m.close(sid)
			m.pending[sid] = append(m.pending[sid], &pendingEvent{seq: seq, kind: socketio.Closed})
		}
	case n < 40:
		if sid := m.anySession(); sid != "" {
			m.note("emit %s", sid)
			m.emit(sid, "x")
			m.pending[sid] = append(m.pending[sid], &pendingEvent{seq: m.session(sid).seq, kind: socketio.ClientEvent})
		}
	case n < 44:
		m.attach(m.pick(modelMembers))
	case n < 47:
		if s := m.anyStream(); s != nil {
			m.note("detach %s", s.id)
			m.detach(s)
		}
	case n < 48:
		if s := m.anyStream(); s != nil {
			m.note("leave %s", s.id)
			s.left = true
			s.Leave()
		}
	case n < 70:
		if s := m.anyStream(); s != nil {
			m.next(s, 1+m.r.IntN(6))
		}
	case n < 90:
		if s := m.anyStream(); s != nil {
			m.answer(s)
		}
	case n < 98:
		d := time.Duration(m.r.IntN(300)) * time.Millisecond
		m.note("sleep %v", d)
		time.Sleep(d)
	default:
		d := time.Duration(m.r.IntN(7000)) * time.Millisecond
		m.note("sleep %v", d)
		time.Sleep(d)
	}
	m.expire()
}

// attach makes a member, in the place of an older instance if there is one.
func (m *model) attach(id string) {
	h := hello(id)
	h.Spec = m.gs.cfg.Spec
	h.Flow = Flow{Events: 2 + m.r.IntN(10), PerSession: 1 + m.r.IntN(3)}
	m.serial++
	h.InstanceID = fmt.Sprint(id, m.serial)
	known := m.memory[id]
	old := m.streams[id]
	if old != nil {
		known = old.known
	}
	if m.r.IntN(2) == 0 && known != nil {
		h.Resume = cursor()
	}
	member, outcome, err := m.gs.Attach(h)
	if err != nil {
		m.t.Errorf("Attach: %v", err)
		return
	}
	m.note("attach %s: %v", h.InstanceID, outcome)
	if old != nil && !old.left {
		m.release(old)
	} else if old != nil {
		m.detach(old) // it had left: nobody has to be fenced, its stream just ends
	}
	s := &stream{Member: member, id: id, instance: h.InstanceID, known: known}
	m.streams[id] = s
	delete(m.memory, id)
	if outcome != Continued {
		s.known = make(map[string]bool)
		member.Snapshot(3, func(part []socketio.Session) error {
			for _, k := range part {
				s.known[k.SID] = true
			}
			return nil
		})
	}
}

// release forgets what was outstanding at a stream.
func (m *model) release(s *stream) {
	for _, line := range m.pending {
		for _, p := range line {
			if p.at == s {
				p.at = nil
			}
		}
	}
}

func (m *model) detach(s *stream) {
	m.release(s)
	s.Detach()
	if m.streams[s.id] == s {
		delete(m.streams, s.id)
		if !s.left {
			m.memory[s.id] = s.known
		}
	}
}

// expire forgets deliveries whose deadline has passed, and what was delivered behind them.
func (m *model) expire() {
	synctest.Wait() // the group has seen what is due by now
	now := time.Now()
	for _, line := range m.pending {
		back := false
		for _, p := range line {
			if p.at != nil && (back || !p.due.After(now)) {
				p.at, back = nil, true
			}
		}
	}
}

// next reads a batch and checks it.
func (m *model) next(s *stream, size int) int {
	b := Batch{Deliveries: make([]Delivery, 0, size)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := s.Next(ctx, &b)
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			m.t.Errorf("Next of %s: %v", s.instance, err)
		}
		return 0
	}
	m.expire()
	sessions := []string{}
	for _, k := range b.Gained {
		sessions = append(sessions, k.SID)
	}
	m.note("next %s: lost %v, gained %v, %s", s.instance, b.Lost, sessions, show(b.Deliveries))
	for _, sid := range b.Lost {
		delete(s.known, sid)
	}
	for _, sid := range sessions {
		if s.known[sid] {
			m.t.Errorf("%s gained %s, which it had", s.instance, sid)
		}
		s.known[sid] = true
	}
	for i := range b.Deliveries {
		m.delivered(s, &b.Deliveries[i])
	}
	return len(b.Lost) + len(b.Gained) + len(b.Deliveries)
}

func (m *model) delivered(s *stream, d *Delivery) {
	sid := d.Event.Socket.SID
	var p *pendingEvent
	for _, q := range m.pending[sid] {
		if q.at != nil && q.at != s {
			m.t.Errorf("%s of %s delivered to %s while %d is outstanding at %s", show([]Delivery{*d}), sid, s.instance, q.seq, q.at.instance)
		}
		if q.at == nil {
			p = q
			break
		}
	}
	if p == nil || p.seq != d.Event.Seq {
		m.t.Errorf("%s got seq %d of %s, want %+v", s.instance, d.Event.Seq, sid, p)
		return
	}
	if d.Attempt != p.attempts+1 || d.PrevSeq != p.seq-1 {
		m.t.Errorf("attempt %d after %d, prev_seq %d before %d", d.Attempt, p.attempts, d.PrevSeq, p.seq)
	}
	p.attempts, p.at, p.id, p.due = d.Attempt, s, d.ID, time.Now().Add(modelDeadline)
	s.seen = max(s.seen, d.Offset)
	switch p.kind {
	case socketio.Opened:
		s.known[sid] = true
	default:
		// Closed tells everything itself: the session may have ended before it was gained.
		if !s.known[sid] && p.kind != socketio.Closed && m.alive(sid) {
			m.t.Errorf("%s got an event of %s, of which it was not told", s.instance, sid)
		}
	}
}

func (m *model) alive(sid string) bool {
	_, ok := m.Session(sid)
	return ok
}

// answer settles, hands back or extends something that is outstanding at s.
func (m *model) answer(s *stream) {
	var sid string
	var p *pendingEvent
	for _, k := range slices.Sorted(maps.Keys(m.pending)) {
		for _, q := range m.pending[k] {
			if q.at == s && (p == nil || m.r.IntN(3) == 0) {
				sid, p = k, q
			}
		}
	}
	if p == nil {
		return
	}
	line := m.pending[sid]
	i := slices.Index(line, p)
	switch n := m.r.IntN(10); {
	case n < 6:
		m.note("done %s %d (%s %d)", s.instance, p.id, sid, p.seq)
		s.Done(p.id, p.id)
		m.settled(s, sid, i)
	case n < 8:
		m.note("take %s %d (%s %d)", s.instance, p.id, sid, p.seq)
		if _, ok := s.Take(p.id); !ok {
			m.t.Errorf("%s could not take %d", s.instance, p.id)
		}
		m.settled(s, sid, i)
	case n < 9:
		m.note("nack %s %d (%s %d)", s.instance, p.id, sid, p.seq)
		s.Nack(p.id, 0, false, "")
		for _, q := range line[i:] {
			q.at = nil
		}
	default:
		s.Extend(p.id, p.id)
		p.due = time.Now().Add(modelDeadline)
	}
}

func (m *model) settled(s *stream, sid string, i int) {
	if m.pending[sid][i].kind == socketio.Closed {
		delete(s.known, sid)
	}
	m.pending[sid] = slices.Delete(m.pending[sid], i, i+1)
	if len(m.pending[sid]) == 0 {
		delete(m.pending, sid)
	}
}

// finish lets everything come to rest and checks that nothing was lost and that every session
// is known to exactly one member.
func (m *model) finish() {
	m.note("finish")
	for _, s := range m.streams {
		if s.left {
			m.detach(s)
		}
	}
	if len(m.streams) == 0 {
		m.attach("a")
	}
	time.Sleep(modelGrace + time.Second)
	for idle := 0; idle < 40 && !m.t.Failed(); {
		idle++
		time.Sleep(time.Second) // back-offs and deadlines
		m.expire()
		for _, id := range slices.Sorted(maps.Keys(m.streams)) {
			s := m.streams[id]
			if m.next(s, 100) > 0 {
				idle = 0
			}
			s.Done(1, 1<<40)
			for sid, line := range maps.Clone(m.pending) {
				for i := len(line) - 1; i >= 0; i-- {
					if line[i].at == s {
						m.settled(s, sid, i)
					}
				}
			}
		}
	}
	if m.t.Failed() {
		return
	}
	for sid, line := range m.pending {
		m.t.Errorf("lost: %d events of %s, the first %+v", len(line), sid, line[0])
	}
	m.idle()
	for _, k := range m.all() {
		var by []string
		for id, s := range m.streams {
			if s.known[k.SID] {
				by = append(by, id)
			}
		}
		if len(by) != 1 {
			m.t.Errorf("%s is known to %v", k.SID, by)
		}
	}
	if n := len(m.gs.groups["g"].lent); n != 0 {
		m.t.Errorf("%d sessions still lent", n)
	}
}
