package main

import (
	"cmp"
	"math"
	"slices"
)

// diskTimes says when something was on disk: an edge answers a command only when everything that
// it did before is.
type diskTimes []diskTime

type diskTime struct{ begun, accepted int64 } // of an emit, and the first result of it and all later ones

func (s *seen) diskTimes() diskTimes {
	var all diskTimes
	for _, e := range s.emits {
		if e.accepted > 0 && e.kind != "ask" && e.kind != "volatile" {
			all = append(all, diskTime{e.begun, e.accepted})
		}
	}
	slices.SortFunc(all, func(a, b diskTime) int { return cmp.Compare(a.begun, b.begun) })
	for i := len(all) - 2; i >= 0; i-- {
		all[i].accepted = min(all[i].accepted, all[i+1].accepted)
	}
	return all
}

// of is when that was on disk for sure which the edge had done at t.
func (all diskTimes) of(t int64) int64 {
	i, _ := slices.BinarySearchFunc(all, t, func(d diskTime, t int64) int { return cmp.Compare(d.begun, t) })
	if i == len(all) {
		return math.MaxInt64
	}
	return all[i].accepted
}

// again: why may a client receive an emit at each of these times? There are two reasons. Its
// acknowledgement, if it asks for one, was on its way when the connection broke, or not on disk
// when the edge was killed. Or the edge was killed before its sender had the result, and so it
// was emitted again under the same id; one that was on disk then must be known by its id, but
// for those that ask.
func (d *downCheck) again(c int, e *emitSeen, times []int64) {
	var spent []int64 // kills that have explained one
	for i := 1; i < len(times); i++ {
		if e.kind == "ask" && d.ackLost(c, e, times[i-1], times[i], i == 1) {
			d.askedAgain++
			continue
		}
		kill, ok := d.resultLost(e, times[i-1], times[i], spent)
		if !ok {
			d.v.breaks("twice-down", "client %d received %s to %s at %s and again at %s; it was emitted at %s, accepted at %s, given up at %s", c, e.emitID,
				e.kind, seconds(times[i-1]), seconds(times[i]), seconds(e.begun), seconds(e.accepted), seconds(e.givenUp))
			continue
		}
		spent = append(spent, kill)
		d.repeated++
	}
}

// ackLost says whether the edge may not know, or not know any more, that the client has answered
// at t. The first answer may be the one that the sender got.
func (d *downCheck) ackLost(c int, e *emitSeen, t, again int64, first bool) bool {
	client := &d.clients[c]
	i, _ := slices.BinarySearch(client.lost, t)
	if i == len(client.lost) || client.lost[i] > again {
		return false // the same connection
	}
	read := d.readAfter(c, t, client.lost[i])
	if first && e.accepted > t {
		read = min(read, e.accepted)
	}
	if read > client.lost[i] {
		return true // on its way
	}
	return between(d.kills, read, min(d.disk.of(read), again)) > 0
}

// readAfter is when the edge had read for sure what the client sent at t: a backend had handled
// what it sent later on the same connection.
func (d *downCheck) readAfter(c int, t, lost int64) int64 {
	read := int64(math.MaxInt64)
	for k, up := range d.clients[c].ups {
		if up.at > t && up.at < lost {
			if all := d.handled[eventKey{c, k}]; len(all) > 0 {
				read = min(read, all[0].at)
			}
		}
	}
	return read
}

// resultLost finds a kill that the emit's sender repeated it for.
func (d *downCheck) resultLost(e *emitSeen, t, again int64, spent []int64) (kill int64, ok bool) {
	end := again
	for _, over := range []int64{e.accepted, e.givenUp, d.dead[e.instance]} {
		if over > 0 {
			end = min(end, over)
		}
	}
	ends := d.kills
	if e.kind == "ask" {
		ends = append(slices.Clone(ends), d.terms...) // its id is not kept
	}
	for _, kill := range ends {
		if kill < e.begun || kill > end || slices.Contains(spent, kill) {
			continue
		}
		if e.kind == "ask" || d.disk.of(min(t, kill)) > kill {
			return kill, true
		}
	}
	return 0, false
}
