package group

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Log keeps what is queued beyond the process. No call waits for a disk.
//
// Events of a session's life are in it from the moment they happen, together with the change of
// the session that they tell. Client events are in it before they are delivered to a Durable
// group; for others once they have waited for Config.Spill, or at once while no member is
// attached. What is settled is removed, so what a start finds is what is not settled.
type Log interface {
	// SaveEvent keeps an event for one group; a nil record removes it.
	SaveEvent(group string, offset uint64, record []byte)
	// SaveGroup keeps what a group wants; a nil record removes it and all that was kept for it.
	SaveGroup(group string, record []byte)
	// SaveLetter keeps a dead letter of a group; a nil record removes it.
	SaveLetter(group string, offset uint64, record []byte)
	// SaveSettled keeps a settled event of a group; a nil record removes it.
	SaveSettled(group string, offset uint64, record []byte)
	// TrimSettled removes the settled events below an offset.
	TrimSettled(group string, below uint64)
	// LoadSettled calls f with the settled events from an offset on that are on disk, in order,
	// until f returns false. Unlike the others it reads the disk.
	LoadSettled(group string, from uint64, f func(offset uint64, record []byte) bool) error
	// Committed calls f once everything saved before is on disk, or cannot be written for now:
	// in the order of these calls, never on the caller's stack.
	Committed(f func(error))
}

// Delivery modes.
type Mode uint8

const (
	AtLeastOnce Mode = iota + 1 // kept in memory, and on disk once it has waited
	Durable                     // on disk before it is delivered
)

// epochBits is how much of an offset counts within one start of the edge: offsets of a later
// start are higher, whatever became of the newest of the one before.
const epochBits = 40

// holdsLocked says whether an event has to be on disk before it is delivered.
func (g *group) holdsLocked(ev *socketio.Event) bool {
	return g.all.cfg.Log != nil && g.spec.Mode == Durable && ev.Kind != socketio.ConnectRequested
}

// keepLocked saves a new entry as far as its group and its kind ask for it.
func (g *group) keepLocked(e *entry) {
	log := g.all.cfg.Log
	if log == nil || e.kind == socketio.ConnectRequested {
		return
	}
	switch {
	case e.ev.Held:
		g.saveLocked(e)
	case e.held:
		g.saveLocked(e)
		ev := e.ev
		log.Committed(func(error) { g.release(ev) }) // what cannot be written is delivered all the same
	default:
		oldest := g.spill == nil
		if oldest {
			g.spill = e
		}
		if !g.attachedLocked() {
			g.spillLocked()
		} else if oldest {
			g.armLocked(g.all.now() + g.all.cfg.Spill)
		}
	}
}

func (g *group) attachedLocked() bool {
	for _, p := range g.places {
		if p.member != nil {
			return true
		}
	}
	return false
}

// saveLocked writes the entry's record: what prevSeq was, then the event.
func (g *group) saveLocked(e *entry) {
	if !e.saved {
		e.saved = true
		record := binary.BigEndian.AppendUint64(make([]byte, 0, e.size), e.prevSeq)
		g.all.cfg.Log.SaveEvent(g.name, e.offset, socketio.AppendEvent(record, e.ev))
	}
}

// mostSpilled is how many bytes of events may be on their way to the disk because they have waited.
// Until they are there they are held several times over, here and in what the commit makes of them:
// a burst that is spilled at once would need several times its own size.
const mostSpilled = 4 << 20

// spillLocked saves what has waited too long to be only in memory, which is at once while no member
// is attached: as much as may be on its way, and the rest when that has arrived.
func (g *group) spillLocked() {
	if g.spilling {
		return
	}
	old := time.Now()
	if g.attachedLocked() {
		old = old.Add(-g.all.cfg.Spill)
	}
	for ; g.spill != nil && !g.spill.at.After(old) && g.spilled < mostSpilled; g.spill = g.spill.links[inLog].next {
		if e := g.spill; e.kind != socketio.ConnectRequested && !e.saved {
			g.saveLocked(e)
			g.spilled += e.size
		}
	}
	if g.spilled < mostSpilled {
		return
	}
	g.spilled, g.spilling = 0, true
	g.all.cfg.Log.Committed(func(error) { // what cannot be written waits with the store
		g.mu.Lock()
		defer g.unlock()
		g.spilling = false
		if g.ended {
			return
		}
		g.spillLocked()
		g.rearmLocked(g.all.now())
	})
}

// spillAtLocked is when the next entry has waited long enough.
func (g *group) spillAtLocked(now instant) instant {
	return now + max(time.Until(g.spill.at)+g.all.cfg.Spill, 0) + 1
}

// release lets the group deliver an event that was held.
func (g *group) release(ev *socketio.Event) {
	g.mu.Lock()
	defer g.unlock()
	ln := g.lines[sidOf(ev.Socket)]
	if ln == nil {
		return
	}
	for e := ln.entries.head; e != nil; e = e.links[inLine].next {
		if e.ev == ev && e.held {
			e.held = false
			g.scheduleLocked(ln)
			return
		}
	}
}

// errRecord is a record that cannot be read.
var errRecord = errors.New("not a record of this program")

// Kept reads back what a Log has kept. Without Groups there is nothing.
type Kept struct {
	Groups  func(yield func(name string, record []byte))
	Events  func(yield func(group string, offset uint64, record []byte))
	Letters func(yield func(group string, offset uint64, record []byte))
	// Parse reads an event.
	Parse func([]byte) (*socketio.Event, error)
}

// Restore takes back what a Log has kept: groups that wait for their members, their events and
// their dead letters. It is called once, after Start and before anything is delivered. What is
// not understood is left out and counted.
func (gs *Groups) Restore(kept Kept) (restored, broken int) {
	gs.parse = kept.Parse
	if kept.Groups == nil {
		return 0, 0
	}
	kept.Groups(func(name string, b []byte) {
		var r groupRecord
		if json.Unmarshal(b, &r) != nil {
			broken++
			return
		}
		g, err := gs.group(name)
		if err != nil {
			broken++
			return
		}
		g.halted = r.Halted // nobody else knows of the group yet
		gs.respec(g, r.Spec)
		g.recount()
		g.mu.Lock()
		g.rearmLocked(gs.now()) // its retention counts from now
		g.mu.Unlock()
	})
	restore := func(save func(string, uint64, []byte), take func(*group, uint64, []byte) error) func(string, uint64, []byte) {
		return func(name string, offset uint64, record []byte) {
			gs.offset = max(gs.offset, offset)
			g := gs.groups[name]
			if g == nil {
				save(name, offset, nil)
				return
			}
			if err := take(g, offset, record); err != nil {
				broken++
				save(name, offset, nil)
				return
			}
			restored++
		}
	}
	kept.Letters(restore(gs.cfg.Log.SaveLetter, (*group).restoreLetter))
	kept.Events(restore(gs.cfg.Log.SaveEvent, (*group).restore))
	return restored, broken
}

func (g *group) restore(offset uint64, record []byte) error {
	if len(record) < 8 {
		return errRecord
	}
	ev, err := g.all.parse(record[8:])
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.unlock()
	sid := sidOf(ev.Socket)
	ln := g.lines[sid]
	if ln == nil {
		ln = g.newLineLocked(sid, ev.Socket)
	}
	e := g.appendLocked(ln, ev, offset, binary.BigEndian.Uint64(record), ev.Size(), false)
	e.saved = true
	e.attempts = 1 // the former process may have delivered it
	return nil
}

// SaveAll saves everything again that is to be kept, for a Log that has lost what it had. Settled
// events are not in memory and so not among it.
func (gs *Groups) SaveAll() {
	if gs.cfg.Log == nil {
		return
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.byNameLocked() {
		g.mu.Lock()
		gs.cfg.Log.SaveGroup(g.name, g.recordLocked())
		for e := g.log.head; e != nil; e = e.links[inLog].next {
			if e.saved {
				e.saved = false
				g.saveLocked(e)
			}
		}
		for i := range g.dead.letters {
			g.saveLetterLocked(&g.dead.letters[i])
		}
		g.retained = retained{}
		g.mu.Unlock()
	}
}
