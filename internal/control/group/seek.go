package group

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// ErrCursor is for a cursor of another edge, or of a log that was lost.
var ErrCursor = errors.New("the cursor is of another edge or of a log that was lost")

// Position is where a group is to go on. Exactly one field is set.
type Position struct {
	Latest bool
	After  *Cursor   // behind this event
	From   time.Time // with what the edge read at this time
}

// retained is what is kept of settled events. They are on disk only.
type retained struct {
	events int
	bytes  int64
}

// retainLocked keeps an event that is being settled, if its group wants that.
func (g *group) retainLocked(e *entry) {
	log := g.all.cfg.Log
	if log == nil || g.spec.Retention <= 0 || g.spec.Mode != Durable || e.kind != socketio.ClientEvent {
		return
	}
	k := keptEvent{PrevSeq: e.prevSeq, Attempts: e.attempts, At: e.at.UnixNano(), Event: socketio.AppendEvent(nil, e.ev)}
	record := k.append(make([]byte, 0, len(k.Event)+48))
	log.SaveSettled(g.name, e.offset, record)
	g.swept = min(g.swept, e.offset)
	g.retained.events++
	g.retained.bytes += int64(len(record))
	g.sweepSoonLocked()
}

// sweepSoonLocked has what is too old or too much removed in a while.
func (g *group) sweepSoonLocked() {
	if g.sweepAt == 0 {
		g.sweepAt = g.all.now() + min(max(g.spec.Retention/8, 100*time.Millisecond), 10*time.Second)
	}
	g.armLocked(g.sweepAt)
}

// recount counts what a former process has left.
func (g *group) recount() {
	log := g.all.cfg.Log
	if log == nil {
		return
	}
	var r retained
	if err := log.LoadSettled(g.name, 0, func(_ uint64, record []byte) bool {
		r.events++
		r.bytes += int64(len(record))
		return true
	}); err != nil {
		g.all.log.Error("settled events cannot be read", "group", g.name, "error", err)
	}
	g.mu.Lock()
	defer g.unlockLater()
	if g.retained = r; r.events > 0 {
		g.sweepSoonLocked()
	}
}

// sweep removes settled events that are older than the retention, and the oldest of them while
// they take more than the backlog may.
func (g *group) sweep() {
	for g.sweepSome() {
	}
	g.mu.Lock()
	defer g.unlockLater()
	if g.sweepAt = 0; g.retained.events > 0 {
		g.sweepSoonLocked()
	}
}

// sweepSome does some of it and says whether there may be more.
func (g *group) sweepSome() (more bool) {
	const most = 1024 // at a time: the disk is not held for long
	log := g.all.cfg.Log
	g.mu.Lock()
	retention, left, bound := g.spec.Retention, g.retained, g.spec.MaxBacklogBytes
	if g.spec.Mode != Durable {
		retention = 0
	}
	g.mu.Unlock()
	oldest := time.Now().Add(-retention).UnixNano()
	var gone retained
	below := uint64(0)
	err := log.LoadSettled(g.name, g.swept, func(offset uint64, record []byte) bool {
		k, err := parseKept(record)
		if err == nil && k.At >= oldest && left.bytes-gone.bytes <= bound || gone.events == most {
			return false
		}
		below = offset + 1
		gone.events++
		gone.bytes += int64(len(record))
		return true
	})
	if err != nil {
		g.all.log.Error("settled events cannot be read", "group", g.name, "error", err)
	}
	if below == 0 {
		return false
	}
	g.mu.Lock()
	defer g.unlockLater()
	g.swept = below // what is trimmed may be on disk for another moment
	log.TrimSettled(g.name, below)
	g.retained.events = max(g.retained.events-gone.events, 0)
	g.retained.bytes = max(g.retained.bytes-gone.bytes, 0)
	return gone.events == most
}

// Seek moves a group to a position: client events before it that wait are dropped, settled ones
// from it on are delivered again, as far as Spec.Retention has kept them. What is outstanding and
// what tells of a session's life stays. What is dropped counts as settled. An event that is
// delivered again keeps its offset and counts its attempts on. The error is ErrUnknown, ErrCursor
// or ctx's.
func (gs *Groups) Seek(ctx context.Context, name string, to Position) (dropped, replayed int, err error) {
	g, err := gs.known(name)
	if err != nil {
		return 0, 0, err
	}
	from, since := uint64(0), to.From
	switch {
	case to.Latest:
		from = math.MaxUint64
	case to.After != nil:
		if !gs.continues(to.After) {
			return 0, 0, ErrCursor
		}
		from = to.After.Offset + 1
	}
	g.seeking.Lock()
	defer g.seeking.Unlock()
	last := gs.offsetNow()
	// First what was settled, so that what is dropped now is not delivered again.
	if gs.cfg.Log != nil && from <= last {
		if replayed, err = g.replay(ctx, from, last, since); err != nil {
			return 0, replayed, err
		}
	}
	return g.drop(from, since), replayed, nil
}

// drop settles the client events that wait and are before the position.
func (g *group) drop(from uint64, since time.Time) (n int) {
	g.mu.Lock()
	defer g.unlock()
	var next *entry
	for e := g.log.head; e != nil && (!since.IsZero() || e.offset < from); e = next {
		next = e.links[inLog].next
		if e.kind != socketio.ClientEvent || e.id != 0 || !since.IsZero() && !e.at.Before(since) {
			continue
		}
		ln := e.line
		g.retainLocked(e)
		g.removeLocked(e)
		g.changedLocked(ln)
		n++
	}
	return n
}

// replay queues settled events again.
func (g *group) replay(ctx context.Context, from, last uint64, since time.Time) (n int, err error) {
	const most = 256 // at a time: neither the disk nor the group is held for long
	log := g.all.cfg.Log
	committed := make(chan struct{})
	log.Committed(func(error) { close(committed) })
	select {
	case <-committed: // what was settled just now can be read
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	type found struct {
		offset uint64
		record []byte
	}
	for from <= last {
		part := make([]found, 0, most)
		if err := log.LoadSettled(g.name, from, func(offset uint64, record []byte) bool {
			if offset <= last {
				part = append(part, found{offset, record})
			}
			return offset < last && len(part) < most
		}); err != nil {
			return n, err
		}
		if len(part) == 0 {
			return n, nil
		}
		var after *entry
		g.mu.Lock()
		for _, f := range part {
			k, err := parseKept(f.record)
			if err == nil && !since.IsZero() && k.At < since.UnixNano() {
				continue
			}
			g.retained.events--
			g.retained.bytes -= int64(len(f.record))
			var ev *socketio.Event
			if err == nil {
				ev, err = g.all.parse(k.Event)
			}
			if err == nil && !g.ended {
				after = g.returnLocked(ev, f.offset, k.PrevSeq, k.Attempts, after)
				g.saveLocked(after)
				n++
			}
			log.SaveSettled(g.name, f.offset, nil)
		}
		g.unlock()
		from = part[len(part)-1].offset + 1
		if err := ctx.Err(); err != nil {
			return n, err
		}
	}
	return n, nil
}
