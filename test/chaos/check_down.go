package main

import (
	"cmp"
	"fmt"
	"slices"
)

// stretch is the time in which a client claims to have missed nothing: from a CONNECT reply that
// began a session anew to the next of that kind, or to its goodbye.
type stretch struct {
	c, index       int
	sid            string
	tried, on, end int64 // end: the connection was lost for good
	until          int64 // what comes from then on belongs to the next
}

func (c *clientSeen) stretches(id int) []stretch {
	var all []stretch
	const never = 1<<63 - 1
	for i, conn := range c.conns {
		if i > 0 && conn.pid == c.conns[i-1].pid {
			continue
		}
		if n := len(all); n > 0 {
			all[n-1].end, all[n-1].until = conn.lostBefore, conn.tried
			if conn.leftBefore > 0 {
				all[n-1].end = conn.leftBefore
			}
		}
		end := c.bye
		if end == 0 && len(c.lost) > 0 {
			end = c.lost[len(c.lost)-1]
		}
		all = append(all, stretch{c: id, index: len(all), sid: conn.sid, tried: conn.tried, on: conn.at, end: end, until: never})
	}
	return all
}

// checkEmits: what backends emitted.
func (s *seen) checkEmits(v *verdict) {
	for _, c := range s.clients {
		slices.SortFunc(c.conns, func(a, b connSeen) int { return cmp.Compare(a.at, b.at) })
	}
	targets := make(map[string][]*emitSeen)
	accepted := 0
	for _, e := range s.emits {
		if e.accepted > 0 {
			accepted++
		}
		switch e.kind {
		case "own":
			for _, sid := range e.members {
				targets["sid "+sid] = append(targets["sid "+sid], e)
			}
		case "sid", "ask":
			targets["sid "+e.target] = append(targets["sid "+e.target], e)
		case "volatile": // may be missing
		default:
			targets[e.kind+" "+e.target] = append(targets[e.kind+" "+e.target], e)
		}
	}
	d := downCheck{seen: s, v: v, targets: targets, disk: s.diskTimes()}
	for c := range s.clients {
		for _, st := range s.clients[c].stretches(c) {
			d.stretch(st)
		}
		d.fenced(c)
	}
	for _, ghost := range s.ghosts {
		v.breaks("fenced", "an event of a connection that had lost its session was handled: %s", ghost)
	}
	v.figure("emits, accepted", "%d, %d", len(s.emits), accepted)
	v.figure("received, due", "%d, %d", d.received, d.due)
	v.figure("received again, in flight at a restart", "%d", d.repeated)
	v.figure("received again, acknowledgement in flight", "%d", d.askedAgain)
}

type downCheck struct {
	*seen
	v       *verdict
	targets map[string][]*emitSeen
	disk    diskTimes

	received, due, repeated, askedAgain int
}

func (d *downCheck) stretch(st stretch) {
	got := make(map[emitID][]int64)
	last := make(map[[2]int]int) // of each emitter
	for _, g := range d.clients[st.c].got {
		if g.at < st.tried || g.at >= st.until {
			continue
		}
		d.received++
		got[g.id] = append(got[g.id], g.at)
		e := d.emits[g.id]
		if e == nil {
			d.v.breaks("phantom", "client %d received emit %s that nobody emitted", st.c, g.id)
			continue
		}
		if len(got[g.id]) > 1 {
			continue
		}
		d.mine(st, e, g.at)
		emitter := [2]int{g.id.instance, g.id.emitter}
		if g.id.n < last[emitter] {
			d.v.breaks("order-down", "client %d received emit %s at %s after %d", st.c, g.id, seconds(g.at), last[emitter])
		}
		last[emitter] = max(last[emitter], g.id.n)
	}
	for id, times := range got {
		if len(times) > 1 && d.emits[id] != nil {
			d.again(st.c, d.emits[id], times)
		}
	}
	for _, target := range []string{"sid " + st.sid, fmt.Sprint("user user-", st.c), "room " + roomOf(st.c, d.Clients), "all -"} {
		for _, e := range d.targets[target] {
			if e.accepted == 0 || e.begun <= st.on || e.accepted >= st.end {
				continue
			}
			d.due++
			if len(got[e.emitID]) == 0 {
				d.v.breaks("emit-missing", "client %d has not received %s to %s %s, accepted at %s", st.c, e.emitID, e.kind, e.target, seconds(e.accepted))
			}
		}
	}
}

// mine: nobody gets what is for others, or from before his time.
func (d *downCheck) mine(st stretch, e *emitSeen, at int64) {
	ok := true
	switch e.kind {
	case "sid", "ask":
		ok = e.target == st.sid
	case "user":
		ok = e.target == fmt.Sprint("user-", st.c)
	case "room", "volatile":
		ok = e.target == roomOf(st.c, d.Clients)
	case "own":
		ok = slices.Contains(e.members, st.sid)
	}
	if !ok {
		d.v.breaks("foreign", "client %d (%s) received %s to %s %s", st.c, st.sid, e.emitID, e.kind, e.target)
	}
	if e.accepted > 0 && e.accepted < st.tried && e.kind != "ask" && e.kind != "volatile" { // for those it is not the edge's word
		d.v.breaks("foreign", "client %d received %s to %s at %s, accepted %s before its session began at %s", st.c, e.emitID, e.kind, seconds(at), seconds(st.tried-e.accepted), seconds(st.tried))
	}
}

// fenced: a connection that has lost the session delivers nothing new.
func (d *downCheck) fenced(c int) {
	for _, g := range d.clients[c].stale {
		e := d.emits[g.id]
		var taken int64 // when the newer connection had the session
		for _, conn := range d.clients[c].conns {
			if conn.at < g.at {
				taken = max(taken, conn.at)
			}
		}
		if e != nil && e.begun > taken {
			d.v.breaks("fenced", "client %d received %s on a connection that had lost the session %s before", c, g.id, seconds(e.begun-taken))
		}
	}
}
