package group

import (
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func (g *group) fullLocked(size int) bool {
	return g.events >= g.spec.MaxBacklogEvents || g.bytes+int64(size) > g.spec.MaxBacklogBytes
}

// admitLocked makes room for a client event in a full queue, as the group asked for. It returns
// false if the event is to be dropped.
func (g *group) admitLocked(size int) bool {
	switch g.spec.Overflow {
	case Reject:
		return false
	case DropOldest:
		for g.fullLocked(size) {
			if !g.dropOldestLocked() {
				return false
			}
		}
		// Others may be why memory is short: one goes for one that comes.
		return !g.all.cfg.Budget.Full(budget.Backlog) || g.dropOldestLocked()
	}
	return true
}

// dropOldestLocked drops the oldest client event that is not outstanding. It passes each entry
// once: what it skips stays skipped until it goes back to waiting.
func (g *group) dropOldestLocked() bool {
	if g.scan == nil {
		g.scan = g.log.head
	}
	for e := g.scan; e != nil; e = e.links[inLog].next {
		g.scan = e
		if e.kind == socketio.ClientEvent && e.id == 0 {
			ln := e.line
			g.removeLocked(e)
			g.changedLocked(ln)
			g.counts.dropped++
			return true
		}
	}
	return false
}

// vanishLocked drops the line of a session that ends before the group heard of it: nobody has
// to be told that something came and went. It is done only when room is short.
func (g *group) vanishLocked(ln *line) bool {
	if ln == nil || ln.outstanding > 0 || ln.clients > 0 {
		return false
	}
	if head := ln.entries.head; head.kind != socketio.Opened || head.attempts > 0 {
		return false
	}
	ln.closed = true
	for e := ln.entries.head; e != nil; e = ln.entries.head {
		g.removeLocked(e)
	}
	g.changedLocked(ln)
	return true
}

// roomLocked holds the client of a line that has too much waiting, or whose event did not fit.
// It returns false if it did.
func (g *group) roomLocked(ln *line, full bool) bool {
	ok := true
	if ln.clients > g.all.cfg.SessionEvents {
		ok = false
		if !ln.paused {
			ln.paused = true
			g.all.pauses.hold(ln.socket)
		}
	}
	if full && g.spec.Overflow == PauseClients {
		ok = false
		if _, held := g.paused[ln.socket]; !held {
			g.paused[ln.socket] = struct{}{}
			g.all.pauses.hold(ln.socket)
		}
	}
	return ok
}

func (g *group) releaseLocked(s *socketio.Socket) {
	if g.all.pauses.release(s) {
		g.fx.unpause = append(g.fx.unpause, s)
	}
}

// drainedLocked lets clients be read again when the queue is three quarters full.
func (g *group) drainedLocked() {
	if len(g.paused) == 0 || g.all.cfg.Budget.Full(budget.Backlog) || g.events > g.spec.MaxBacklogEvents*3/4 || g.bytes > g.spec.MaxBacklogBytes/4*3 {
		return
	}
	for s := range g.paused {
		g.releaseLocked(s)
	}
	clear(g.paused)
}

// Relieve lets clients be read again that were held for want of memory, if there is room by now.
func (gs *Groups) Relieve() {
	gs.mu.Lock()
	groups := gs.byNameLocked()
	gs.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		g.drainedLocked()
		g.unlock()
	}
}
