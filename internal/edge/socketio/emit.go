package socketio

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

func (n *Namespace) emit(e *Emit, f *Flush) Receipt {
	n.mu.Lock()
	r := n.emitLocked(e, f)
	n.mu.Unlock()
	n.counts.Emits.Add(1)
	n.counts.Written.Add(uint64(r.Written))
	n.counts.Dropped.Add(uint64(r.Dropped))
	if tap := n.srv.Tap.Load(); tap != nil {
		(*tap)(e, r)
	}
	return r
}

// emitLocked encodes the event once and queues it to everyone selected. Nothing is allocated per
// recipient, but for those that must acknowledge.
//
// With recovery every event ends with an offset, for a stock client takes the last argument of
// any event for its offset if that is a string. A volatile one repeats the newest offset: what
// came before it on this connection, the client has. One with an acknowledgement ends in a
// function on the client; its ACK moves the session's own cursor instead.
func (n *Namespace) emitLocked(e *Emit, f *Flush) Receipt {
	picked := n.pickLocked(&e.Target)
	r := Receipt{Matched: len(picked)}
	asks := e.AckTimeout > 0
	if len(picked) == 0 {
		if asks {
			e.Acks.Summary(AckSummary{})
		}
		return r
	}
	if e.Volatile && n.srv.cfg.Budget.Level() >= budget.Tight {
		n.srv.cfg.Budget.Shed(budget.ShedVolatile, len(picked))
		r.Dropped = len(picked)
		if asks {
			n.dropAllLocked(e, picked)
		}
		return r
	}
	kept := n.recovery && !e.Volatile
	head := n.log.head
	if kept {
		head++
	}
	var w *waiter
	var offset string
	if asks {
		w = n.awaitLocked(e, head)
	} else if n.recovery {
		offset = formatOffset(head)
	}
	m := engineio.NewMessageFunc(func(b []byte) []byte {
		return sio.AppendEvent(b, n.Name, w.number(), asks, e.Event, e.Args, offset, len(e.Attachments))
	}, e.Attachments)
	if kept {
		age := n.srv.age()
		n.keepLocked(e, packet{offset: head, message: m, ack: w, at: time.Now().UnixNano(), ttl: e.TTL, expires: age + e.TTL, since: age})
	}
	for _, s := range picked {
		sent := s.conn != nil && f.Queue(s.conn, m, e.Volatile)
		if kept {
			s.last = head
		}
		switch {
		case sent || kept:
			r.Written++
			w.expect(s)
		default:
			r.Dropped++
			w.drop(s)
		}
	}
	w.begin(n, e)
	return r
}

// keepLocked puts a packet into the log, and on disk if there is one.
func (n *Namespace) keepLocked(e *Emit, p packet) {
	first, cut := n.log.first(), n.log.cut
	p.address(&e.Target)
	n.log.append(p, &n.srv.cfg)
	if store := n.srv.store; store != nil {
		store.SavePacket(n.Name, p.offset, n.appendPacket(nil, e, &p))
		n.trimmedLocked(first, cut)
	}
}

// trimmedLocked records what has left the log since it had this first packet and this cut.
func (n *Namespace) trimmedLocked(first, cut uint64) {
	if n.log.cut != cut { // on disk before, or together with, what it admits
		n.srv.store.SaveNamespace(n.Name, appendUint(nil, 1, n.log.cut))
	}
	if now := n.log.first(); now != first {
		n.srv.store.TrimPackets(n.Name, now)
	}
}

// address notes whom the packet is for. Most packets are for one session: for them nothing is
// kept but its sid, and the command can go.
func (p *packet) address(t *Target) {
	if len(t.SIDs) == 1 && !t.Everyone && len(t.Rooms)+len(t.UserIDs)+len(t.ExceptRooms)+len(t.ExceptSIDs) == 0 {
		p.sid = t.SIDs[0]
		return
	}
	kept := *t
	p.target = &kept
}
