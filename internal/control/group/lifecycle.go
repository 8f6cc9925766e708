package group

import (
	"container/heap"
	"reflect"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func newGroup(gs *Groups, name string) *group {
	g := &group{
		all:        gs,
		name:       name,
		lines:      make(map[string]*line),
		log:        list{which: inLog},
		due:        list{which: inDue},
		asked:      list{which: inDue},
		lent:       make(map[string]*place),
		paused:     make(map[*socketio.Socket]struct{}),
		emptySince: gs.now(),
		account:    gs.cfg.Budget.Account(budget.Backlog),
	}
	g.timer = time.AfterFunc(time.Hour, g.tick)
	g.timer.Stop()
	return g
}

// respec is for Groups.respec.
func (g *group) respec(spec Spec) {
	g.mu.Lock()
	defer g.unlockLater()
	if spec.AckDeadline < g.spec.AckDeadline {
		// Keeps due in order: nothing may be due later than what is delivered next.
		for e, latest := g.due.head, g.all.now()+spec.AckDeadline; e != nil; e = e.links[inDue].next {
			e.due = min(e.due, latest)
		}
		g.armLocked(g.all.now())
	}
	if !reflect.DeepEqual(spec.Routes, g.spec.Routes) {
		g.routes = compileRoutes(spec.Routes)
		if g.last != nil || g.routes.partial {
			g.last = make(map[string]uint64) // what was routed before is not comparable
		}
	}
	g.spec = spec
	if g.retained.events > 0 {
		g.sweepSoonLocked()
	}
	g.drainedLocked()
}

// armLocked sees to it that tick runs at the given time.
func (g *group) armLocked(at instant) {
	if g.ended || g.timerAt != 0 && g.timerAt <= at {
		return
	}
	g.timerAt = at
	g.timer.Reset(max(at-g.all.now(), 0))
}

// tick does what is due. It runs on a goroutine of the timer, one at a time but for a moment.
func (g *group) tick() {
	g.mu.Lock()
	if g.ended {
		g.unlock() // what Deliver left to do
		return
	}
	now := g.all.now()
	g.timerAt = 0
	for e := g.due.head; e != nil && e.due <= now; e = g.due.head {
		g.counts.late++
		g.settledLocked(e, true)
		g.failLocked(e, 0, false, "not settled in time")
	}
	for e := g.asked.head; e != nil && e.due <= now; e = g.asked.head {
		ln := e.line
		g.fx.abandon = append(g.fx.abandon, g.removeLocked(e))
		g.changedLocked(ln)
	}
	for len(g.later) > 0 && g.later[0].notBefore <= now {
		g.wakeLineLocked(g.later[0])
	}
	g.spillLocked()
	sweep := g.sweepAt != 0 && g.sweepAt <= now
	expired := g.awayLocked(now)
	forget := g.forgottenLocked()
	g.rearmLocked(now)
	g.unlock()
	for _, p := range expired {
		g.expire(p)
	}
	if sweep {
		g.sweep()
	}
	if forget {
		g.all.forget(g)
	}
}

// rearmLocked sets the timer for what comes next.
func (g *group) rearmLocked(now instant) {
	if g.due.head != nil {
		g.armLocked(g.due.head.due)
	}
	if g.asked.head != nil {
		g.armLocked(g.asked.head.due)
	}
	if len(g.later) > 0 {
		g.armLocked(g.later[0].notBefore)
	}
	if g.spill != nil && !g.spilling {
		g.armLocked(g.spillAtLocked(now))
	}
	if g.sweepAt > now {
		g.armLocked(g.sweepAt)
	}
	for _, p := range g.places {
		if p.member != nil {
			continue
		}
		if end := g.graceEndLocked(p); end > now { // else expire is on its way
			g.armLocked(end)
		}
		if !p.lending {
			g.armLocked(p.lostAt + g.all.cfg.Handover)
		}
	}
	if end := g.emptySince + g.all.cfg.Retention; len(g.places) == 0 && end > now && g.all.cfg.Retention > 0 {
		g.armLocked(end)
	}
}

func (g *group) graceEndLocked(p *place) instant { return p.lostAt + max(g.spec.MemberGrace, 0) }

// awayLocked looks after lost members. It returns the places whose grace has ended.
func (g *group) awayLocked(now instant) (expired []*place) {
	lends := false
	for _, p := range g.places {
		switch {
		case p.member != nil:
		case g.graceEndLocked(p) <= now:
			expired = append(expired, p)
		case !p.lending && p.lostAt+g.all.cfg.Handover <= now:
			p.lending, lends = true, true
		}
	}
	if lends {
		g.resettleLocked()
	}
	return expired
}

func (g *group) forgottenLocked() bool {
	return len(g.places) == 0 && g.all.cfg.Retention > 0 &&
		g.emptySince+g.all.cfg.Retention <= g.all.now()
}

// forgotten says whether the group may go, and if so makes sure that nobody attaches any more.
func (g *group) forgotten() bool {
	g.mu.Lock()
	defer g.unlockLater()
	if g.ended || !g.forgottenLocked() {
		return false
	}
	g.ended = true
	g.spill = nil // nothing of it is kept
	return true
}

// end drops the queue and ends the members.
func (g *group) end(err error) {
	g.mu.Lock()
	defer g.unlock()
	g.ended = true
	g.account.Close()
	g.timer.Stop()
	for _, q := range g.questions {
		q.timer.Stop() // who waits for the answers goes, too
	}
	if g.all.cfg.Log != nil {
		for e := g.spill; e != nil; e = e.links[inLog].next {
			if e.kind != socketio.ConnectRequested {
				g.saveLocked(e)
			}
		}
	}
	for _, ln := range g.lines {
		if ln.paused {
			g.releaseLocked(ln.socket)
		}
	}
	for s := range g.paused {
		g.releaseLocked(s)
	}
	clear(g.paused)
	for _, p := range g.places {
		if p.member != nil {
			p.member.endLocked(err)
		}
	}
}

// wakeLineLocked ends the back-off of a line.
func (g *group) wakeLineLocked(ln *line) {
	heap.Remove(&g.later, ln.heapPos)
	g.scheduleLocked(ln)
}
