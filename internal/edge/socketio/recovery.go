package socketio

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// packetLog is what was emitted in one namespace and may have to be sent again. A broadcast is
// in it once, whoever gets it. The namespace's mu guards it.
//
// A packet is kept for the recovery window and one heartbeat: who has not lost its connection
// for longer than the window answered a ping after every packet that is older, and so has it.
// That is why a packet that left by age is missing to nobody, and a client that has heard
// nothing for hours can still be made whole. Packets that leave early, because the log is full,
// are another matter: cut remembers them.
//
// Offsets are never given twice, not by a later process either and not after the log was lost: a
// stock client keeps its offset when its session is over, and shows it with the next one.
type packetLog struct {
	head    uint64   // offset of the newest packet, whether it is still there or not
	cut     uint64   // offset of the newest packet that left before its age
	packets []packet // by offset
	bytes   int
	account budget.Account // of bytes
}

// packet is one entry of the log.
type packet struct {
	offset  uint64
	sid     string  // the one session that it is for, or
	target  *Target // those that this selects
	message *engineio.Message
	ack     *waiter       // of a packet that asks for an acknowledgement
	at      int64         // Unix nanoseconds
	ttl     time.Duration // 0: it does not expire
	expires time.Duration // of the Server's life, if it does
	since   time.Duration // of the Server's life: its age counts from then
	orphan  bool          // it asks for an acknowledgement that nobody waits for any more
}

func (l *packetLog) append(p packet, cfg *Config) {
	l.head = p.offset
	l.packets = append(l.packets, p)
	p.message.Kept()
	l.count(p.message.Size())
	l.trim(p.since, cfg)
}

// packetBytes is what a packet costs beside its message.
const packetBytes = 128

func (l *packetLog) count(n int) {
	l.bytes += n
	if n < 0 {
		n -= packetBytes
	} else {
		n += packetBytes
	}
	l.account.Add(n)
}

// trim lets go of what is too old or too much.
func (l *packetLog) trim(now time.Duration, cfg *Config) {
	oldest := now - cfg.RecoveryWindow - cfg.Heartbeat
	n := 0 // leave
	for n < len(l.packets) {
		aged := l.packets[n].since < oldest
		if !aged && len(l.packets)-n <= cfg.LogPackets && l.bytes <= cfg.LogBytes {
			break
		}
		if !aged {
			l.cut = l.packets[n].offset
		}
		l.dropAt(n)
		n++
	}
	l.packets = l.packets[n:]
}

func (l *packetLog) dropAt(i int) {
	l.count(-l.packets[i].message.Size())
	l.packets[i] = packet{}
}

// shorten lets go of the oldest packets until so many bytes are free, and returns how many that
// were.
func (l *packetLog) shorten(bytes int64) (n int) {
	for n < len(l.packets) && bytes > 0 {
		bytes -= int64(l.packets[n].message.Size() + packetBytes)
		l.cut = l.packets[n].offset
		l.dropAt(n)
		n++
	}
	l.packets = l.packets[n:]
	return n
}

// first is the offset of the oldest packet that is there, or what the next will exceed.
func (l *packetLog) first() uint64 {
	if len(l.packets) == 0 {
		return l.head + 1
	}
	return l.packets[0].offset
}

// after returns the packets with higher offsets.
func (l *packetLog) after(offset uint64) []packet {
	i, _ := slices.BinarySearchFunc(l.packets, offset+1, func(p packet, o uint64) int { return cmp.Compare(p.offset, o) })
	return l.packets[i:]
}

// at returns the packet with this offset, or nil.
func (l *packetLog) at(offset uint64) *packet {
	if offset == 0 {
		return nil
	}
	if later := l.after(offset - 1); len(later) > 0 && later[0].offset == offset {
		return &later[0]
	}
	return nil
}

func formatOffset(n uint64) string { return strconv.FormatUint(n, 36) }

// resumable returns the session that a client with this pid and offset may come back to, or nil.
// A client that got no event yet has no offset, or that of its session before, and is sent
// everything since the session began.
func (n *Namespace) resumable(pid, offset string) *Socket {
	if pid == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.pids[privateIDOf(pid)]
	if s == nil || offset == "" {
		return s
	}
	if o, err := strconv.ParseUint(offset, 36, 64); err != nil || o > n.log.head || formatOffset(o) != offset {
		return nil
	}
	return s
}

// absence is one loss of a session's connection.
type absence struct {
	s *Socket
	n uint32
}

// end closes a session whose client did not come back from this absence.
func (a absence) end() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.s.state != Away || a.s.absence != a.n {
		return
	}
	a.s.Nsp.mu.Lock()
	reason := a.s.reason
	a.s.Nsp.mu.Unlock()
	a.s.finish(reason)
}

// suspend keeps the session for its client. s.mu is held.
func (s *Socket) suspend(r Reason) {
	n := s.Nsp
	s.state, s.client, s.paused = Away, nil, false
	s.absence++
	until := n.srv.windows.add(absence{s, s.absence})
	n.mu.Lock()
	if s.conn != nil {
		s.leftLocked(s.conn.Handshake)
	}
	n.carryLocked(s, nil)
	s.recovered, s.reason, s.until = false, r, until.Sub(n.srv.start)
	s.unproveLocked()
	s.auth = nil // the next connection brings its own
	n.mu.Unlock()
	s.deliver(&Event{Kind: Suspended, Life: &Life{Reason: r, Until: until}})
}

// resume gives the session to the client that asks for it: what it missed, then the CONNECT
// reply, as the reference orders them. A connection that still holds the session, half open or
// not, loses it at once. It returns false if the session has ended or must not move there.
func (s *Socket) resume(r *request, a *Accept, f *Flush) bool {
	n, c := s.Nsp, r.c
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Open && s.state != Away {
		return false
	}
	n.mu.Lock()
	moves := s.movesLocked(r, a)
	n.mu.Unlock()
	if !moves {
		return false
	}
	if !n.mayReplay(s, r.offset) {
		n.srv.cfg.Budget.Shed(budget.ShedReplay, 1)
		c.fail(ForcedServerClose) // it comes again, and the session waits
		return true
	}
	if old := s.client; old != nil {
		s.suspend(TransportClose)
		old.detach(s)
		old.fail(TransportClose)
	}
	if !c.attach(s) {
		return true // gone again; the window runs
	}
	c.conn.Joined()
	connection := c.id()
	n.mu.Lock()
	s.undecided = r.undecided
	s.proveLocked(r)
	if n.srv.cfg.Binding != engineio.BindNothing {
		s.leftLocked(c.conn.Handshake)
	} else {
		s.arrivedLocked()
	}
	for name, v := range a.Attributes {
		if s.attrs == nil {
			s.attrs = make(map[string]string)
		}
		s.attrs[name] = v
	}
	for _, room := range a.Rooms {
		n.joinLocked(s, room)
	}
	n.carryLocked(s, c.conn)
	s.until, s.auth = 0, r.copyAuth()
	replayed, complete := n.replayLocked(s, r.offset, f)
	n.counts.Replayed.Add(uint64(replayed))
	if !complete {
		n.counts.Gaps.Add(1)
		// The client compares: another pid tells it that something is missing.
		delete(n.pids, s.pid)
		r.pid = newID()
		s.pid = privateIDOf(r.pid)
		n.pids[s.pid] = s
		s.start = n.log.head
	}
	s.recovered = complete
	c.queue(packetSize, func(b []byte) []byte { return sio.AppendConnect(b, n.Name, s.SID, r.pid) }, nil, f)
	now := s.sessionLocked(c.conn)
	now.Connection = connection
	n.mu.Unlock()
	s.state, s.client = Open, c
	s.deliver(&Event{Kind: Resumed, Life: &Life{Session: now, Auth: r.auth, Replayed: replayed, Complete: complete}})
	return true
}

// replayLocked queues what the session's client missed after offset, or nothing if that cannot
// be had whole.
func (n *Namespace) replayLocked(s *Socket, offset string, f *Flush) (replayed int, complete bool) {
	missed, _, complete := n.missedLocked(s, offset)
	for _, m := range missed {
		f.Queue(s.conn, m, false)
	}
	return len(missed), complete
}

// replayRate is how many bytes a second are sent again while memory is tight.
var replayRate = limit.PerSecond(4<<20, 4<<20)

// mayReplay says whether the session's client may be sent again what it missed. While memory is
// tight that goes slowly.
func (n *Namespace) mayReplay(s *Socket, offset string) bool {
	srv := n.srv
	if srv.cfg.Budget.Level() < budget.Tight {
		return true
	}
	n.mu.Lock()
	_, size, _ := n.missedLocked(s, offset)
	n.mu.Unlock()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.replays.TakeN(int64(srv.age()), size, replayRate)
}

// missedLocked is what the session's client missed after offset and its size, or nothing if that
// cannot be had whole.
func (n *Namespace) missedLocked(s *Socket, offset string) (missed []*engineio.Message, size int, complete bool) {
	cursor := max(s.start, s.acked)
	if offset != "" {
		o, _ := strconv.ParseUint(offset, 36, 64) // resumable has checked it
		cursor = max(cursor, o)
	}
	if cursor >= s.last {
		return nil, 0, true // nothing of its own was emitted since
	}
	if cursor < n.log.cut {
		return nil, 0, false
	}
	cfg, now := &n.srv.cfg, n.srv.age()
	packets := n.log.after(cursor)
	for i := range packets {
		p := &packets[i]
		if !s.wantsLocked(p) || p.ttl > 0 && p.expires < now {
			continue
		}
		if p.ack != nil {
			if _, waits := p.ack.waiting[s]; !waits {
				continue // answered, or no longer awaited
			}
		}
		missed = append(missed, p.message)
		size += p.message.Size()
		if len(missed) > cfg.ReplayPackets || size > cfg.ReplayBytes {
			return nil, 0, false
		}
	}
	return missed, size, true
}

// wantsLocked says whether the packet was for the session when it was emitted.
func (s *Socket) wantsLocked(p *packet) bool {
	t := p.target
	if t == nil {
		return p.sid == s.SID
	}
	in := func(room string) bool { return s.inRoomLocked(room, p.offset) }
	if slices.Contains(t.ExceptSIDs, s.SID) || slices.ContainsFunc(t.ExceptRooms, in) {
		return false
	}
	return t.Everyone || slices.Contains(t.SIDs, s.SID) || s.userID != "" && slices.Contains(t.UserIDs, s.userID) ||
		slices.ContainsFunc(t.Rooms, in)
}
