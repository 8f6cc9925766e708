package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// checkResumes: clients that come back find their sessions.
func (s *seen) checkResumes(v *verdict) {
	resumed, fresh, excused := 0, 0, 0
	var back []time.Duration
	for c := range s.clients {
		client := &s.clients[c]
		var before connSeen
		for _, conn := range client.conns {
			away := time.Duration(conn.at - conn.lostBefore)
			switch {
			case before.pid == "", conn.leftBefore > 0 && conn.pid != before.pid:
				fresh++ // the goodbye itself may have been lost with the edge: then it resumes
			case conn.pid == before.pid && conn.sid != before.sid:
				v.breaks("resume", "client %d resumed %s and is %s now", c, before.sid, conn.sid)
			case conn.pid == before.pid:
				resumed++
				back = append(back, away)
			case away > s.Window-5*time.Second:
				excused++
			default:
				v.breaks("resume", "client %d was away for %s and got session %s instead of %s at %s", c, away, conn.sid, before.sid, seconds(conn.at))
			}
			before = conn
		}
		if client.bye == 0 {
			v.breaks("resume", "client %d was away at the end", c)
		}
	}
	slices.Sort(back)
	if s.Back > 0 && quantile(back, 1) > s.Back {
		v.breaks("back", "a client was back after %s", quantile(back, 1))
	}
	if s.Steady {
		s.checkSteady(v)
	}
	v.figure("sessions begun, resumed, too late to", "%d, %d, %d", fresh, resumed, excused)
	v.figure("clients back after p50, p90, max", "%s, %s, %s", quantile(back, 0.5), quantile(back, 0.9), quantile(back, 1))
}

// checkSteady: nobody was disconnected before the goodbye.
func (s *seen) checkSteady(v *verdict) {
	cut := 0
	for c := range s.clients {
		n := between(s.clients[c].lost, 0, s.goodbye)
		cut += n
		if n > 0 {
			v.breaks("steady", "client %d lost its connection at %s", c, seconds(s.clients[c].lost[0]))
		}
	}
	v.figure("connections lost", "%d", cut)
}

// checkLives: every session is told once, from its Opened to its Closed.
func (s *seen) checkLives(v *verdict) {
	type id struct {
		offset uint64
		read   int64
	}
	redelivered := 0
	known := make(map[string]bool)
	for c := range s.clients {
		for _, conn := range s.clients[c].conns {
			known[conn.sid] = true
			if s.wires[conn.sid] == nil {
				v.breaks("opened-once", "session %s of client %d: no backend heard of it", conn.sid, c)
			}
		}
	}
	for sid, all := range s.wires {
		slices.SortFunc(all, func(a, b wireSeen) int { return cmp.Compare(a.at, b.at) })
		first := make(map[id]wireSeen)
		bySeq := make(map[uint64]id)
		var opened, closed []wireSeen
		for _, w := range all {
			this := id{w.offset, w.read}
			if was, again := first[this]; again {
				redelivered++
				if w.attempt < 2 {
					v.breaks("attempt", "session %s: event %d was delivered again as attempt %d", sid, w.offset, w.attempt)
				}
				if was.kind != w.kind || was.seq != w.seq || was.key != w.key {
					v.breaks("event-id", "session %s: event %d is %v and %v", sid, w.offset, was, w)
				}
				continue
			}
			first[this] = w
			if other, taken := bySeq[w.seq]; taken {
				v.breaks("seq", "session %s: events %d and %d both have seq %d", sid, other.offset, this.offset, w.seq)
			}
			bySeq[w.seq] = this
			switch w.kind {
			case "opened":
				opened = append(opened, w)
			case "closed":
				closed = append(closed, w)
			}
		}
		if len(opened) != 1 {
			v.breaks("opened-once", "session %s was opened %d times", sid, len(opened))
		}
		if len(closed) != 1 {
			v.breaks("closed-once", "session %s was closed %d times", sid, len(closed))
		}
		for _, w := range first {
			if len(opened) == 1 && w.seq < opened[0].seq || len(closed) == 1 && w.seq > closed[0].seq {
				v.breaks("life-order", "session %s: %s has seq %d, outside of its life", sid, w.kind, w.seq)
			}
		}
		s.checkHandlers(v, sid)
	}
	v.figure("sessions, of which clients never knew", "%d, %d", len(s.wires), len(s.wires)-len(known))
	v.figure("redeliveries", "%d", redelivered)
}

// checkBare: a backend knows the attributes of the sessions that it serves. Only an event that is
// delivered again after a restart may be of a session that ended before it: of that the edge has
// no record any more.
func (s *seen) checkBare(v *verdict) {
	ended := make(map[string]int64) // by sid; 0: unknown to its client
	for _, c := range s.clients {
		for i, conn := range c.conns {
			end := c.bye
			if i+1 < len(c.conns) {
				end = c.conns[i+1].leftBefore
			}
			if end == 0 {
				end = math.MaxInt64
			}
			ended[conn.sid] = end
		}
	}
	for _, b := range s.bare {
		if end := ended[b.sid]; between(s.kills, end, b.at)+between(s.terms, end, b.at) == 0 {
			v.breaks("bare", "session %s had lost its attributes at %s", b.sid, seconds(b.at))
		}
	}
	v.figure("sessions without attributes, ended before", "%d", len(s.bare))
}

// checkHandlers: what the handlers of a session's life were told.
func (s *seen) checkHandlers(v *verdict, sid string) {
	l := s.lives[sid]
	if l == nil {
		v.breaks("opened-once", "session %s: no handler ran", sid)
		return
	}
	for name, all := range map[string][]handledSeen{"opened-once": l.opens, "closed-once": l.closes} {
		if len(all) == 0 {
			v.breaks(name, "session %s: no handler was told", sid)
		}
		instances := make(map[int]bool)
		for _, h := range all {
			if instances[h.instance] {
				v.breaks(name, "session %s: backend %d was told twice", sid, h.instance)
			}
			instances[h.instance] = true
		}
	}
}
