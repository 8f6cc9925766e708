package group

import (
	"slices"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Outcome says what a member knows once it is attached.
type Outcome uint8

const (
	Fresh     Outcome = iota + 1 // nothing: call Snapshot before Next
	Continued                    // everything up to what Next returns
	Snapshot                     // it asked to continue and cannot: as Fresh
)

// Attach makes a member of a group, which it creates or gives its present Spec. An older
// instance of the same member is fenced. The error is an *Invalid or one of this package's.
func (gs *Groups) Attach(h Hello) (*Member, Outcome, error) {
	if err := h.validate(); err != nil {
		return nil, 0, err
	}
	before := gs.routing.Load()
	for {
		g, err := gs.group(h.Group)
		if err != nil {
			return nil, 0, err
		}
		m, outcome, err := g.attach(&h, gs.continues(h.Resume))
		if m != nil || err != nil {
			if gs.routing.Load().decidesMore(before) {
				if n := gs.sessions.EndUndecided(); n > 0 {
					gs.log.Info("clients that nobody had decided about have to come again", "group", h.Group, "clients", n)
				}
			}
			return m, outcome, err
		}
	}
}

// continues says whether a cursor is of the log of this edge.
func (gs *Groups) continues(c *Cursor) bool {
	if c == nil || c.EdgeID != gs.cfg.EdgeID || c.LogID != gs.cfg.LogID {
		return false
	}
	gs.order.Lock()
	defer gs.order.Unlock()
	return c.Offset <= gs.offset
}

// attach returns nothing if the group has just been forgotten.
func (g *group) attach(h *Hello, continues bool) (*Member, Outcome, error) {
	g.change.Lock()
	defer g.change.Unlock()
	if g.fenced(h) {
		return nil, 0, ErrFenced
	}
	g.all.respec(g, h.Spec)
	g.mu.Lock()
	if g.ended {
		g.unlock()
		return nil, 0, nil
	}
	m := &Member{
		g:        g,
		instance: h.InstanceID,
		sdk:      h.SDK,
		woken:    make(chan struct{}, 1),
		flow:     h.Flow.over(g.all.cfg.Window),
		flight:   flight{pages: make(map[uint64]*page)},
	}
	p := g.places.find(h.MemberID)
	if p == nil {
		m.place = &place{id: h.MemberID, key: hash(h.MemberID), member: m}
		m.place.forgetNotices()
		g.becomeLocked(g.places.with(m.place))
		return m, outcomeOf(h, false), nil
	}
	defer g.unlock()
	if old := p.member; old != nil {
		if old.instance != h.InstanceID {
			// A fenced process that does not give up must not fence the newer one in turn.
			p.banned = append(p.banned[max(len(p.banned)-15, 0):], old.instance)
		}
		p.doubt = old.told != 0
		old.endLocked(ErrFenced)
	}
	m.place, p.member, p.lending = p, m, false
	continues = continues && p.known && !p.doubt
	if !continues {
		p.forgetNotices()
	}
	p.doubt = false
	g.resettleLocked()
	return m, outcomeOf(h, continues), nil
}

// fenced says whether a newer instance of the member has been attached before.
func (g *group) fenced(h *Hello) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.places.find(h.MemberID)
	return p != nil && slices.Contains(p.banned, h.InstanceID)
}

func outcomeOf(h *Hello, continues bool) Outcome {
	switch {
	case h.Resume == nil:
		return Fresh
	case continues:
		return Continued
	}
	return Snapshot
}

// Snapshot hands over copies of the member's sessions, up to size at a time. A session whose
// Opened is still to be delivered is not among them. What happens meanwhile is delivered by Next
// afterwards. It ends early when f returns an error, and returns that.
func (m *Member) Snapshot(size int, f func([]socketio.Session) error) error {
	g, p := m.g, m.place
	g.mu.Lock()
	if m.err != nil {
		defer g.unlock()
		return m.err
	}
	p.known = true // before the list: what moves from now on is told
	routes := g.routes
	g.unlock()

	own := make([]string, 0, size)
	sids := g.sids(&routes)
	for len(sids) > 0 {
		part := sids[:min(len(sids), 512)]
		sids = sids[len(part):]
		g.mu.Lock()
		for _, sid := range part {
			if g.whereLocked(sid) == p {
				own = append(own, sid)
			}
		}
		g.unlock()
		for len(own) >= size || len(own) > 0 && len(sids) == 0 {
			n := min(len(own), size)
			if copies := g.copies(p, own[:n]); len(copies) > 0 {
				if err := f(copies); err != nil {
					return err
				}
			}
			own = append(own[:0], own[n:]...)
		}
	}
	return nil
}

// Leave ends the membership: its sessions move to others, at once or when what is outstanding
// is settled, and nothing more is delivered. Detach is still to be called.
func (m *Member) Leave() {
	g := m.g
	g.change.Lock()
	defer g.change.Unlock()
	g.mu.Lock()
	if m.err != nil || m.place.gone {
		g.unlock()
		return
	}
	g.goneLocked(m.place)
	g.becomeLocked(g.places.without(m.place))
}

// Detach says that the member's stream is over. What is outstanding will be delivered again: to
// the same member if it is back in time, to others after Config.Handover or the grace.
func (m *Member) Detach() {
	g := m.g
	g.mu.Lock()
	defer g.unlock()
	if m.err != nil {
		return
	}
	p := m.place
	p.lostAt, p.doubt = g.all.now(), m.told != 0
	m.endLocked(ErrDetached)
	g.rearmLocked(g.all.now())
}

// endLocked takes back what is outstanding. A line's first delivery counts as failed, because
// the member may have died of it; those behind it were only waiting for their turn.
func (m *Member) endLocked(err error) {
	m.err = err
	m.eachLocked(1, m.lastID, func(e *entry) {
		m.g.failLocked(e.line.entries.head, 0, false, err.Error())
	})
	m.place.member = nil
	m.wakeLocked()
}
