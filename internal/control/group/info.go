package group

import (
	"slices"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/latency"
)

// Info is a group as people see it.
type Info struct {
	Name        string
	Spec        Spec // defaults filled in
	Members     []MemberInfo
	Events      int // not settled
	Bytes       int64
	Oldest      time.Time // when the oldest of them was read; zero if there is none
	Cursor      uint64    // everything below this offset is settled
	InFlight    int
	Delivered   uint64
	Redelivered uint64         // deliveries with an attempt above 1
	Settled     uint64         // deliveries that were handled
	Nacked      uint64         // deliveries that were handed back
	Late        uint64         // deliveries that were not settled in time
	Wait        latency.Counts // of client events, from reading to the first delivery
	Handle      latency.Counts // from the last delivery to settling
	Total       latency.Counts // from reading to settling
	Dropped     uint64         // client events that did not fit
	Ignored     uint64         // settlements of what was not outstanding
	DeadLetters uint64         // since the edge started
	SetAside    int            // dead letters that are there
	Retained    int            // settled events that are kept
	Paused      int            // clients that are not read because the queue is full
	Halted      bool           // nothing is delivered, see Groups.Halt
}

// MemberInfo is a member, or one that is expected back.
type MemberInfo struct {
	ID       string
	SDK      string // empty while it is away
	Attached bool
	InFlight int
	Sessions int
}

// Figures returns all groups by name, without the sessions of their members: it costs the same
// for few sessions and for many.
func (gs *Groups) Figures() []Info {
	var all []Info
	for _, g := range gs.byName() {
		all = append(all, g.info(gs.offsetNow(), nil))
	}
	return all
}

// Held is how many sockets are not read because some group has no room for their events.
func (gs *Groups) Held() int {
	gs.pauses.mu.Lock()
	defer gs.pauses.mu.Unlock()
	return len(gs.pauses.held)
}

// List returns all groups by name. It goes through all sessions.
func (gs *Groups) List() []Info {
	type session struct{ sid, namespace string }
	var sessions []session
	gs.sessions.EachSID(func(sid, namespace string) {
		sessions = append(sessions, session{sid, namespace})
	})
	var all []Info
	for _, g := range gs.byName() {
		at := make(map[*place]int)
		for part := range slices.Chunk(sessions, 512) {
			g.mu.Lock()
			for _, s := range part {
				if g.routes.sessions(s.namespace) {
					at[g.whereLocked(s.sid)]++
				}
			}
			g.mu.Unlock()
		}
		all = append(all, g.info(gs.offsetNow(), at))
	}
	return all
}

func (gs *Groups) offsetNow() uint64 {
	gs.order.Lock()
	defer gs.order.Unlock()
	return gs.offset
}

func (g *group) info(offset uint64, at map[*place]int) Info {
	g.mu.Lock()
	defer g.mu.Unlock()
	info := Info{
		Name: g.name, Spec: g.spec, Events: g.events, Bytes: g.bytes, Cursor: offset + 1,
		Delivered: g.counts.delivered, Settled: g.counts.settled, Nacked: g.counts.nacked, Late: g.counts.late,
		Wait: g.counts.wait, Handle: g.counts.handle, Total: g.counts.total, Redelivered: g.counts.redelivered, Dropped: g.counts.dropped, Ignored: g.counts.ignored,
		DeadLetters: g.dead.total, SetAside: len(g.dead.letters), Retained: g.retained.events, Paused: len(g.paused), Halted: g.halted,
	}
	if g.log.head != nil {
		info.Oldest, info.Cursor = g.log.head.at, g.log.head.offset
	}
	for _, p := range g.places {
		mi := MemberInfo{ID: p.id, Sessions: at[p]}
		if p.member != nil {
			mi.Attached, mi.SDK, mi.InFlight = true, p.member.sdk, p.member.events
			info.InFlight += mi.InFlight
		}
		info.Members = append(info.Members, mi)
	}
	slices.SortFunc(info.Members, func(a, b MemberInfo) int { return strings.Compare(a.ID, b.ID) })
	return info
}
