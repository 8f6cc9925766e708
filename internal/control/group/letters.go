package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// ErrUnknown is for a group that does not exist.
var ErrUnknown = errors.New("no such group")

// DeadLetter is an event that a group could not handle.
type DeadLetter struct {
	Offset   uint64
	PrevSeq  uint64
	Event    *socketio.Event
	Attempts uint32
	MemberID string // who failed last
	Reason   string
	At       time.Time
}

// deadLetters is the newest dead letters of a group by offset, within bounds.
type deadLetters struct {
	letters []DeadLetter
	bytes   int64
	total   uint64
}

// add returns the letters that had to go for it.
func (d *deadLetters) add(l DeadLetter, cfg *Config) (gone []DeadLetter) {
	i, _ := d.find(l.Offset)
	d.letters = slices.Insert(d.letters, i, l)
	d.bytes += int64(l.Event.Size())
	n := 0
	for len(d.letters)-n > cfg.DeadLetters || d.bytes > cfg.DeadLetterBytes {
		d.bytes -= int64(d.letters[n].Event.Size())
		n++
	}
	gone = slices.Clone(d.letters[:n])
	d.letters = slices.Delete(d.letters, 0, n)
	return gone
}

func (d *deadLetters) find(offset uint64) (int, bool) {
	return slices.BinarySearchFunc(d.letters, offset, func(l DeadLetter, o uint64) int {
		switch {
		case l.Offset < o:
			return -1
		case l.Offset > o:
			return 1
		}
		return 0
	})
}

// setAsideLocked gives up on an entry: it becomes a dead letter, or is abandoned if its client
// waits for a decision.
func (g *group) setAsideLocked(e *entry, memberID, reason string) {
	if e.kind == socketio.ConnectRequested {
		g.fx.abandon = append(g.fx.abandon, g.removeLocked(e))
		return
	}
	l := DeadLetter{e.offset, e.prevSeq, e.ev, e.attempts, memberID, reason, time.Now()}
	g.saveLetterLocked(&l)
	g.removeLocked(e)
	g.dead.total++
	g.addLetterLocked(l)
	g.fx.after = append(g.fx.after, func() {
		g.all.log.Warn("event set aside as a dead letter", "group", g.name, "member", memberID,
			"sid", sidOf(l.Event.Socket), "offset", l.Offset, "attempts", l.Attempts, "reason", reason)
	})
}

func (g *group) addLetterLocked(l DeadLetter) {
	for _, old := range g.dead.add(l, &g.all.cfg) {
		g.dropLetterLocked(old.Offset)
	}
}

func (g *group) saveLetterLocked(l *DeadLetter) {
	if log := g.all.cfg.Log; log != nil {
		k := keptEvent{PrevSeq: l.PrevSeq, Attempts: l.Attempts, Event: socketio.AppendEvent(nil, l.Event),
			At: l.At.UnixNano(), MemberID: l.MemberID, Reason: l.Reason}
		log.SaveLetter(g.name, l.Offset, k.append(nil))
	}
}

func (g *group) dropLetterLocked(offset uint64) {
	if log := g.all.cfg.Log; log != nil {
		log.SaveLetter(g.name, offset, nil)
	}
}

func (g *group) restoreLetter(offset uint64, record []byte) error {
	k, err := parseKept(record)
	if err != nil {
		return err
	}
	ev, err := g.all.parse(k.Event)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.unlock()
	g.addLetterLocked(DeadLetter{offset, k.PrevSeq, ev, k.Attempts, k.MemberID, k.Reason, time.Unix(0, k.At)})
	return nil
}

func (gs *Groups) known(name string) (*group, error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if g := gs.groups[name]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("group %q: %w", name, ErrUnknown)
}

// DeadLetters returns what a group has set aside by offset, from one offset on and no more than
// so many. The error is ErrUnknown.
func (gs *Groups) DeadLetters(name string, from uint64, most int) ([]DeadLetter, error) {
	g, err := gs.known(name)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i, _ := g.dead.find(from)
	return slices.Clone(g.dead.letters[i:min(i+most, len(g.dead.letters))]), nil
}

// Redrive puts dead letters back into the queue, or with discard removes them: those with the
// given offsets, or all if there are none. A letter keeps its offset and its count of attempts,
// comes before what still waits of its session with a higher offset, and may fail as often as a
// new event before it is set aside again. It returns which offsets were no dead letters. The
// error is ErrUnknown.
func (gs *Groups) Redrive(name string, offsets []uint64, discard bool) (done int, unknown []uint64, err error) {
	g, err := gs.known(name)
	if err != nil {
		return 0, nil, err
	}
	g.mu.Lock()
	defer g.unlock()
	if len(offsets) == 0 {
		for _, l := range g.dead.letters {
			offsets = append(offsets, l.Offset)
		}
	}
	for _, offset := range offsets {
		i, found := g.dead.find(offset)
		if !found {
			unknown = append(unknown, offset)
			continue
		}
		l := g.dead.letters[i]
		g.dead.letters = slices.Delete(g.dead.letters, i, i+1)
		g.dead.bytes -= int64(l.Event.Size())
		if !discard {
			e := g.returnLocked(l.Event, l.Offset, l.PrevSeq, l.Attempts, nil)
			if g.all.cfg.Log != nil {
				g.saveLocked(e)
			}
		}
		g.dropLetterLocked(offset)
		done++
	}
	return done, unknown, nil
}

// returnLocked queues an event that had left the queue, where its offset belongs: in the log
// behind after, or wherever that is if after is nil, and in its line among what waits.
func (g *group) returnLocked(ev *socketio.Event, offset, prevSeq uint64, attempts uint32, after *entry) *entry {
	sid := sidOf(ev.Socket)
	ln := g.lines[sid]
	if ln == nil {
		ln = g.newLineLocked(sid, ev.Socket)
	}
	e := g.spares.entry()
	e.ev, e.line, e.offset, e.prevSeq, e.attempts = ev, ln, offset, prevSeq, attempts
	e.size, e.kind, e.at = ev.Size(), ev.Kind, ev.At
	next := g.log.head
	if after != nil {
		next = after.links[inLog].next
	}
	for ; next != nil && next.offset < offset; next = next.links[inLog].next {
		after = next
	}
	g.log.insert(e, after)
	if g.scan != nil && g.scan.offset > offset {
		g.scan = e
	}
	x := ln.next
	for x != nil && x.offset < offset {
		x = x.links[inLine].next
	}
	switch {
	case x == nil:
		ln.entries.push(e)
	default:
		ln.entries.insert(e, x.links[inLine].prev)
	}
	if x == ln.next {
		ln.next = e
	}
	g.events++
	g.bytes += int64(e.size)
	switch ev.Kind {
	case socketio.ClientEvent:
		ln.clients++
	case socketio.Opened:
		ln.opened = true
	}
	g.scheduleLocked(ln)
	return e
}
