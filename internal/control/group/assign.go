package group

import "github.com/sio-edge/sio-edge/internal/edge/socketio"

// moving is a change of places while the sessions that it moves are being told. Sessions without
// a line are gone through one by one; one that gets an event before its turn is told then.
type moving struct {
	old  set
	told map[string]struct{}
}

// locationLocked says where a session without a line is.
func (g *group) locationLocked(sid string, key uint64) *place {
	if p, ok := g.lent[sid]; ok {
		return p
	}
	places := g.places
	if g.moving != nil {
		if _, told := g.moving.told[sid]; !told {
			places = g.moving.old
		}
	}
	home, _ := places.home(key)
	return home
}

// whereLocked says where a session is.
func (g *group) whereLocked(sid string) *place {
	if ln := g.lines[sid]; ln != nil {
		return ln.owner
	}
	return g.locationLocked(sid, hash(sid))
}

// rehomeLocked finds out where a line belongs. If it is elsewhere it moves, at once or when
// nothing of it is outstanding any more; until then it gets nothing new.
func (g *group) rehomeLocked(ln *line) {
	ln.home = g.places.target(ln.key)
	switch {
	case ln.home == ln.owner:
		g.scheduleLocked(ln)
	case ln.outstanding == 0:
		g.moveLocked(ln)
		g.scheduleLocked(ln)
	case ln.isReady:
		ln.owner.ready.remove(ln)
	}
}

func (g *group) moveLocked(ln *line) {
	if ln.isReady {
		ln.owner.ready.remove(ln)
	}
	from := ln.owner
	ln.owner = ln.home
	if ln.closed && ln.entries.head == nil {
		return // there is no session any more
	}
	from.lose(ln.sid)
	ln.owner.gain(ln.sid)
}

// resettleLocked moves what has to move after places or their members came or went: lines, and
// sessions that are lent.
func (g *group) resettleLocked() {
	for sid, from := range g.lent {
		key := hash(sid)
		to := g.places.target(key)
		if to != from {
			from.lose(sid)
			to.gain(sid)
		}
		if home, _ := g.places.home(key); home == to {
			delete(g.lent, sid)
		} else {
			g.lent[sid] = to
		}
		if g.moving != nil {
			g.moving.told[sid] = struct{}{}
		}
	}
	for e := g.log.head; e != nil; e = e.links[inLog].next {
		if e == e.line.entries.head {
			g.rehomeLocked(e.line)
		}
	}
}

// becomeLocked changes the places and tells the members. change is held; mu is released.
func (g *group) becomeLocked(places set) {
	old := g.places
	g.places = places
	if len(places) == 0 {
		g.emptySince = g.all.now()
	}
	tell := false
	for _, p := range places {
		tell = tell || p.known
	}
	if tell {
		g.moving = &moving{old, make(map[string]struct{})}
	}
	g.resettleLocked()
	g.rearmLocked(g.all.now())
	routes := g.routes
	g.unlock()
	if tell {
		g.tellIdle(old, &routes)
	}
}

// tellIdle notes the sessions without a line that a change of places has moved.
func (g *group) tellIdle(old set, routes *routes) {
	sids := g.sids(routes)
	for len(sids) > 0 {
		part := sids[:min(len(sids), 512)] // so that events do not wait for all
		sids = sids[len(part):]
		g.mu.Lock()
		for _, sid := range part {
			if g.lines[sid] != nil {
				continue
			}
			key := hash(sid)
			from := g.locationLocked(sid, key)
			g.moving.told[sid] = struct{}{}
			if to := g.locationLocked(sid, key); from != to {
				from.lose(sid)
				to.gain(sid)
			}
		}
		g.unlock()
	}
	g.mu.Lock()
	g.moving = nil
	g.unlock()
}

// sids returns the sessions of which the group gets events.
func (g *group) sids(routes *routes) []string {
	var sids []string
	g.all.sessions.EachSID(func(sid, namespace string) {
		if routes.sessions(namespace) {
			sids = append(sids, sid)
		}
	})
	return sids
}

// expire ends the grace of a lost member, unless it is back.
func (g *group) expire(p *place) {
	g.change.Lock()
	defer g.change.Unlock()
	g.mu.Lock()
	if p.member != nil || p.gone || g.ended || g.graceEndLocked(p) > g.all.now() {
		g.unlock()
		return
	}
	g.goneLocked(p)
	g.fx.after = append(g.fx.after, func() {
		g.all.log.Info("member is not back, its sessions move", "group", g.name, "member", p.id)
	})
	g.becomeLocked(g.places.without(p))
}

// copies returns those of the sessions that are at p, are alive and are not about to be opened
// there. What was noted about them is void: the copies say it.
func (g *group) copies(p *place, sids []string) []socketio.Session {
	all := make([]socketio.Session, 0, len(sids))
	for _, sid := range sids {
		if s, ok := g.all.sessions.Session(sid); ok {
			all = append(all, s)
		}
	}
	g.mu.Lock()
	defer g.unlock()
	kept := all[:0]
	for _, s := range all {
		if ln := g.lines[s.SID]; ln != nil && ln.opened || g.whereLocked(s.SID) != p {
			continue
		}
		delete(p.gained, s.SID)
		delete(p.lost, s.SID)
		kept = append(kept, s)
	}
	return kept
}
