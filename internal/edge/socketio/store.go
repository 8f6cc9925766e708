package socketio

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Store keeps records beyond the process. No call waits for a disk. A Server without one keeps
// its sessions as long as it lives.
type Store interface {
	// SaveSession keeps the newest record of a session; nil removes it.
	SaveSession(key uint64, record []byte)
	// SavePacket keeps a packet of a namespace's log.
	SavePacket(namespace string, offset uint64, record []byte)
	// TrimPackets removes the packets below an offset.
	TrimPackets(namespace string, below uint64)
	// SaveNamespace keeps the newest record of a namespace; nil removes it and its packets.
	SaveNamespace(namespace string, record []byte)
	// Together runs f so that everything it saves survives together or not at all.
	Together(f func())
	// Committed calls f once everything saved before is on disk, or with the reason why it
	// cannot be for now: in the order of these calls, never on the caller's stack. f must not
	// wait.
	Committed(f func(error))
	// Refuses says why nothing more can be kept at present; nil if it can.
	Refuses() error
}

// Clock tells the time since the machine booted, which nobody can set, so that a session's window
// means the same to this process and to the next.
type Clock struct {
	Boot  string               // names the run of the operating system; empty if unknown
	Since func() time.Duration // since it began
}

// Committed calls f once everything that was applied before is on disk.
func (s *Server) Committed(f func(error)) {
	if s.store == nil {
		f(nil)
		return
	}
	s.store.Committed(f)
}

// saveLocked records the session as it is.
func (n *Namespace) saveLocked(k *Socket) {
	if k.key != 0 {
		n.srv.store.SaveSession(k.key, appendSession(make([]byte, 0, usualRecord), n.recordLocked(k)))
	}
}

// usualRecord is room for the record of a session with a room or two.
const usualRecord = 256

// saveLifeLocked is saveLocked with s.mu held: then the record has from where the client is
// connected also while nothing is sent to it yet.
func (n *Namespace) saveLifeLocked(k *Socket) {
	r := n.recordLocked(k)
	if k.client != nil {
		r.From = hostOf(k.client.conn.Handshake)
	}
	n.srv.store.SaveSession(k.key, appendSession(make([]byte, 0, usualRecord), r))
}

func (n *Namespace) recordLocked(k *Socket) *sessionRecord {
	r := &sessionRecord{SID: k.SID, PID: k.pid, Namespace: n.Name, UserID: k.userID, Attributes: k.attrs,
		Left: k.left, OpenedAt: k.openedAt, Revision: k.revision, Start: k.start, Acked: k.acked, Last: k.last,
		Seq: k.savedSeq, Reason: k.reason}
	if p := k.proof; p != nil {
		r.Subject, r.Expires, r.From = p.subject, p.expires, p.from
	}
	if k.conn != nil {
		r.From = hostOf(k.conn.Handshake)
	}
	for _, m := range k.rooms {
		r.Rooms = append(r.Rooms, absenceFromRoom{room: m.room.name, since: m.since})
	}
	if k.until != 0 {
		left := int64(k.until - n.srv.age())
		r.Until = time.Now().UnixNano() + left
		clock := n.srv.cfg.Clock
		if clock.Boot != "" {
			r.Boot, r.BootUntil = clock.Boot, int64(clock.Since())+left
		}
	}
	return r
}

// offsetGap is how far offsets jump at a start: packets that were sent but not committed when the
// process died had offsets that clients may know.
const offsetGap = 1 << 20

// seqGap is how far the seq of a session jumps at a start, for the same reason.
const seqGap = 1 << 32

// Kept reads back what a Store has kept. Each function calls yield with every record and says
// whether all of them could be read.
type Kept struct {
	Sessions   func(yield func(key uint64, record []byte)) (whole bool)
	Packets    func(yield func(namespace string, offset uint64, record []byte)) (whole bool)
	Namespaces func(yield func(namespace string, record []byte)) (whole bool)
	// Emit is told the id of every Emit whose packet is kept, and when it was applied.
	Emit func(id string, at time.Time)
}

// Restore takes back what a Store has kept: sessions wait for their clients with what is left of
// their windows. It is called once, before the first client. What does not parse is left out and
// counted; clients that may miss a packet for that get to know it.
func (s *Server) Restore(kept Kept) (restored, broken int) {
	if s.cfg.RecoveryWindow <= 0 {
		return 0, 0
	}
	var sessions []keptSession
	unread := 0
	read := make(chan struct{}) // the sessions are read beside the packets
	go func() {
		defer close(read)
		sessions, unread = s.readSessions(kept)
	}()
	whole := s.restorePackets(kept, &broken)
	<-read
	broken += unread
	of := make(map[*Namespace]int)
	for _, k := range sessions {
		n := s.namespace(k.Namespace)
		n.log.head = max(n.log.head, k.Start, k.Acked, k.Last)
		of[n]++
	}
	for _, n := range s.namespaces() {
		n.expect(of[n])
		n.log.trim(s.age(), &s.cfg)
		n.log.head += offsetGap
		if !whole {
			n.log.cut = n.log.head
		}
		// A client may still answer what the former process asked, under its numbers.
		n.lastAck = n.log.head
	}
	waiting := make([]*Socket, 0, len(sessions))
	now := s.instant()
	for _, k := range sessions {
		waiting = append(waiting, s.namespace(k.Namespace).restore(k.key, k.sessionRecord, now))
	}
	s.await(waiting)
	for _, n := range s.namespaces() {
		s.forget(n) // unless somebody is in it
	}
	if broken > 0 {
		s.log.Warn("records lost: their sessions start anew", slog.Int("records", broken))
	}
	return len(waiting), broken
}

// keptSession is a record of a session that could be read.
type keptSession struct {
	key uint64
	*sessionRecord
}

// readSessions reads the records of all sessions and says how many were broken.
func (s *Server) readSessions(kept Kept) (sessions []keptSession, broken int) {
	common := make(names)
	kept.Sessions(func(key uint64, record []byte) {
		s.lastKey.Store(max(s.lastKey.Load(), key))
		r, err := parseSession(record, common)
		if err != nil {
			broken++
			s.store.SaveSession(key, nil)
			return
		}
		sessions = append(sessions, keptSession{key, r})
	})
	return sessions, broken
}

// expect makes room for so many sessions in a namespace that has none.
func (n *Namespace) expect(sessions int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = make([]*Socket, 0, sessions)
	n.sids = make(map[string]*Socket, sessions)
	n.pids = make(map[privateID]*Socket, sessions)
}

// restorePackets fills the logs and says whether nothing is missing in them.
func (s *Server) restorePackets(kept Kept, broken *int) (whole bool) {
	before := *broken
	whole = kept.Namespaces(func(namespace string, record []byte) {
		err := fields(record, func(field protowire.Number, n uint64, _ []byte) {
			if field == 1 {
				s.namespace(namespace).log.cut = n
			}
		})
		if err != nil {
			*broken++
		}
	})
	whole = kept.Packets(func(namespace string, offset uint64, record []byte) {
		n := s.namespace(namespace)
		p, id, err := parsePacket(n, offset, record)
		if err != nil {
			*broken++
			return
		}
		if id != "" {
			kept.Emit(id, time.Unix(0, p.at))
		}
		// Nobody could come for it while the edge was down, however long that was.
		p.since = s.age()
		n.log.append(p, &s.cfg)
	}) && whole
	return whole && *broken == before
}

// restore takes one session back.
func (n *Namespace) restore(key uint64, r *sessionRecord, now instant) *Socket {
	k := &Socket{SID: r.SID, Nsp: n, key: key, openedAt: r.OpenedAt, state: Away, seq: r.Seq + seqGap}
	n.mu.Lock()
	defer n.mu.Unlock()
	k.pid, k.userID, k.attrs, k.revision = r.PID, r.UserID, r.Attributes, r.Revision
	n.addLocked(k)
	k.rooms = slices.Grow(k.rooms, len(r.Rooms))
	for _, m := range r.Rooms {
		n.enterLocked(k, m.room, m.since) // however many a session may be in now
	}
	k.left, k.savedSeq, k.revision = r.Left, k.seq, r.Revision
	k.start, k.acked, k.last = r.Start, r.Acked, n.log.head
	if r.Subject != "" || r.From != "" {
		k.proof = &proof{subject: r.Subject, expires: r.Expires, from: r.From}
	}
	k.reason = EdgeRestart
	if r.Until != 0 {
		k.reason = r.Reason
	}
	k.until = now.age + n.srv.remaining(r, now)
	if r.Until == 0 || r.Boot != n.srv.cfg.Clock.Boot {
		n.saveLocked(k) // else what is on disk stays true: a start does not write every session
	}
	return k
}

// instant is one moment on every clock.
type instant struct {
	age  time.Duration // of the Server
	wall int64         // Unix nanoseconds
	boot time.Duration // Clock.Since, if there is a Clock
}

func (s *Server) instant() instant {
	now := instant{age: s.age(), wall: time.Now().UnixNano()}
	if c := s.cfg.Clock; c.Boot != "" {
		now.boot = c.Since()
	}
	return now
}

// remaining is how long a restored session may still wait: the window again for one whose client
// was there, the rest of it for one whose client was away.
func (s *Server) remaining(r *sessionRecord, now instant) time.Duration {
	if r.Until == 0 {
		return s.cfg.RecoveryWindow
	}
	left := time.Duration(r.Until - now.wall)
	if r.Boot != "" && r.Boot == s.cfg.Clock.Boot {
		left = time.Duration(r.BootUntil) - now.boot
	}
	return min(max(left, 1), s.cfg.RecoveryWindow)
}

// await begins the windows of restored sessions, the shortest first.
func (s *Server) await(sockets []*Socket) {
	slices.SortFunc(sockets, func(a, b *Socket) int { return cmp.Compare(a.until, b.until) })
	for _, k := range sockets {
		k.mu.Lock()
		k.absence++
		s.windows.addAt(s.start.Add(k.until), absence{k, k.absence})
		k.mu.Unlock()
	}
}
