package main

import (
	"cmp"
	"slices"
	"time"
)

// fireAndForget is how long before the loss of its connection an event without an acknowledgement
// may have been sent and be lost with it: what was on its way, and what the edge keeps in memory
// for 200 ms before it is on disk.
const fireAndForget = 1500 * time.Millisecond

// checkEvents: what clients emitted.
func (s *seen) checkEvents(v *verdict) {
	total, acked, lost := 0, 0, 0
	var oldest int64
	for c := range s.clients {
		client := &s.clients[c]
		for k, up := range client.ups {
			total++
			if up.acked > 0 {
				acked++
			}
			i, _ := slices.BinarySearch(client.lost, up.at)
			survives := i == len(client.lost) || client.bye > 0 && client.lost[i] > client.bye // its connection
			if len(s.handled[eventKey{c, k}]) > 0 {
				if up.asks && up.acked == 0 && survives {
					v.breaks("ack-missing", "client %d event %d at %s was handled and its connection lives, but it was not acknowledged", c, k, seconds(up.at))
				}
				continue
			}
			switch {
			case up.acked > 0:
				v.breaks("acked-lost", "client %d event %d was acknowledged at %s and no backend has it", c, k, seconds(up.acked))
			case survives:
				v.breaks("event-lost", "client %d event %d of %s is lost, its connection was not", c, k, seconds(up.at))
			case s.ran(up.at, client.lost[i]) > int64(fireAndForget):
				v.breaks("event-lost", "client %d event %d of %s is lost, its connection was only %s later", c, k, seconds(up.at), seconds(client.lost[i]-up.at))
			default:
				lost++
				oldest = max(oldest, s.ran(up.at, client.lost[i]))
			}
		}
	}
	v.figure("events up, acknowledged", "%d, %d", total, acked)
	v.figure("events lost with their connection, oldest", "%d, %s before", lost, seconds(oldest))
	s.checkHandled(v)
	if s.back > 0 {
		s.figureBacklog(v)
	}
}

// ran is how much of the time from one instant to another the machine did not stand still.
func (s *seen) ran(from, to int64) int64 {
	ran := to - from
	for _, still := range s.late {
		ran -= max(0, min(to, still[1])-max(from, still[0]))
	}
	return ran
}

// checkHandled: what backends made of it.
func (s *seen) checkHandled(v *verdict) {
	bySID := make(map[string][]handledSeen) // the first time of each
	keys := make(map[handledSeen]eventKey)
	again := 0
	for key, all := range s.handled {
		slices.SortFunc(all, func(a, b handledSeen) int { return cmp.Compare(a.at, b.at) })
		first := all[0]
		if key.c >= len(s.clients) || s.clients[key.c].ups[key.k].at == 0 {
			v.breaks("phantom", "event %d of client %d was handled and never sent", key.k, key.c)
			continue
		}
		bySID[first.sid] = append(bySID[first.sid], first)
		keys[first] = key
		instances := make(map[int]bool)
		for _, h := range all {
			if instances[h.instance] {
				v.breaks("twice-up", "backend %d handled event %d of client %d twice", h.instance, key.k, key.c)
			}
			instances[h.instance] = true
			if h.sid != first.sid {
				v.breaks("foreign", "event %d of client %d was handled for %s and for %s", key.k, key.c, first.sid, h.sid)
			}
		}
		again += len(all) - 1
	}
	for sid, all := range bySID {
		slices.SortFunc(all, func(a, b handledSeen) int { return cmp.Compare(a.at, b.at) })
		for i := 1; i < len(all); i++ {
			if a, b := keys[all[i-1]], keys[all[i]]; a.k > b.k && !s.outlived(sid, all[i-1], all[i], a, b) {
				v.breaks("order-up", "session %s: event %d was handled before %d of client %d", sid, a.k, b.k, a.c)
			}
		}
	}
	v.figure("events handled, again by another backend", "%d, %d", len(s.handled), again)
}

// outlived says whether b, which was sent before a, was handled after it because its handler ran
// when the edge was killed: the edge had not acknowledged b yet, has forgotten it, and gave a to
// another backend.
func (s *seen) outlived(sid string, a, b handledSeen, keyA, keyB eventKey) bool {
	var gaveA, gaveB int64
	for _, w := range s.wires[sid] {
		switch {
		case w.key == keyA && w.instance == a.instance:
			gaveA = w.at
		case w.key == keyB && w.instance == b.instance:
			gaveB = w.at
		}
	}
	return a.instance != b.instance && gaveB > 0 && between(s.kills, gaveB, gaveA) > 0
}

// figureBacklog says how long it took to work off what waited for the backends.
func (s *seen) figureBacklog(v *verdict) {
	n := 0
	var last int64
	for key, all := range s.handled {
		if up := s.clients[key.c].ups[key.k]; up.at > s.away && up.at < s.back {
			n++
			last = max(last, all[0].at)
		}
	}
	v.figure("backends away, events meanwhile, drained", "%s, %d, %s", seconds(s.back-s.away), n, seconds(max(last-s.back, 0)))
	if s.Drain > 0 && last-s.back > int64(s.Drain) {
		v.breaks("drain", "what had waited was handled %s after the backends were back", seconds(last-s.back))
	}
}
