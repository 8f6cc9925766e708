package socketio

import (
	"slices"
	"strconv"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// packetLog is what was emitted in one namespace and may have to be sent again. A broadcast is
// in it once, whoever gets it. The namespace's mu guards it.
type packetLog struct {
	head    uint64   // offset of the newest packet; 0 before the first
	packets []packet // the newest of them, the last one at head
	bytes   int
}

// packet is one entry of the log.
type packet struct {
	target  *Target
	message *engineio.Message
	ack     *waiter // of a packet that asks for an acknowledgement
	at      int64   // Unix nanoseconds
	ttl     time.Duration
}

// first is the offset of the oldest packet that is still there.
func (l *packetLog) first() uint64 { return l.head - uint64(len(l.packets)) + 1 }

func (l *packetLog) append(p packet, cfg Config) {
	l.head++
	l.packets = append(l.packets, p)
	l.bytes += p.message.Size()
	oldest := p.at - int64(cfg.RecoveryWindow)
	n := 0
	for len(l.packets)-n > cfg.LogPackets || l.bytes > cfg.LogBytes || l.packets[n].at < oldest {
		l.bytes -= l.packets[n].message.Size()
		l.packets[n] = packet{}
		n++
	}
	l.packets = l.packets[n:]
}

func formatOffset(n uint64) string { return strconv.FormatUint(n, 36) }

// resumable returns the session that a client with this pid and offset may come back to, or nil.
// A client that got no event yet has no offset and is sent everything since the session began.
func (n *Namespace) resumable(pid, offset string) *Socket {
	if pid == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.pids[pid]
	if s == nil || offset == "" {
		return s
	}
	if o, err := strconv.ParseUint(offset, 36, 64); err != nil || o < s.start || o > n.log.head || formatOffset(o) != offset {
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
	if a.s.state == Away && a.s.absence == a.n {
		a.s.finish(a.s.reason)
	}
}

// suspend keeps the session for its client. s.mu is held.
func (s *Socket) suspend(r Reason) {
	n := s.Nsp
	n.mu.Lock()
	s.conn, s.recovered = nil, false
	n.mu.Unlock()
	s.state, s.client, s.paused, s.reason = Away, nil, false, r
	s.absence++
	until := n.srv.windows.add(absence{s, s.absence})
	s.deliver(&Event{Kind: Suspended, Life: &Life{Reason: r, Until: until}})
}

// resume gives the session to the client that asks for it: what it missed, then the CONNECT
// reply, as the reference orders them. A connection that still holds the session, half open or
// not, loses it at once. It returns false if the session has ended or is another user's.
func (s *Socket) resume(r *request, a *Accept, f *Flush) bool {
	n, c := s.Nsp, r.c
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Open && s.state != Away {
		return false
	}
	n.mu.Lock()
	stranger := a.UserID != s.userID
	n.mu.Unlock()
	if stranger {
		return false
	}
	if old := s.client; old != nil {
		s.suspend(TransportClose)
		old.detach(s)
		old.fail(TransportClose)
	}
	if !c.attach(s) {
		return true // gone again; the window runs
	}
	connection := c.id()
	n.mu.Lock()
	for name, v := range a.Attributes {
		if s.attrs == nil {
			s.attrs = make(map[string]string)
		}
		s.attrs[name] = v
	}
	for _, room := range a.Rooms {
		n.joinLocked(s, room)
	}
	s.conn = c.conn
	replayed, complete := n.replayLocked(s, r.offset, f)
	if !complete {
		// The client compares: another pid tells it that something is missing.
		delete(n.pids, s.pid)
		s.pid = newID()
		n.pids[s.pid] = s
		s.start = n.log.head
	}
	s.recovered = complete
	c.queue(func(b []byte) []byte { return sio.AppendConnect(b, n.Name, s.SID, s.pid) }, nil, f)
	now := s.sessionLocked(connection)
	n.mu.Unlock()
	s.state, s.client = Open, c
	s.deliver(&Event{Kind: Resumed, Life: &Life{Session: now, Replayed: replayed, Complete: complete}})
	return true
}

// replayLocked queues what the session's client missed after offset, or nothing if that cannot
// be had whole.
func (n *Namespace) replayLocked(s *Socket, offset string, f *Flush) (replayed int, complete bool) {
	cursor := max(s.start, s.acked)
	if offset != "" {
		o, _ := strconv.ParseUint(offset, 36, 64) // resumable has checked it
		cursor = max(cursor, o)
	}
	if cursor >= s.last {
		return 0, true // however old: nothing of its own was emitted since
	}
	if cursor+1 < n.log.first() {
		return 0, false
	}
	cfg, now := n.srv.cfg, time.Now().UnixNano()
	var missed []*engineio.Message
	size := 0
	for i := cursor + 1; i <= s.last; i++ {
		p := &n.log.packets[i-n.log.first()]
		if !s.wantsLocked(p, i) || p.ttl > 0 && p.at+int64(p.ttl) < now {
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
			return 0, false
		}
	}
	for _, m := range missed {
		s.conn.Queue(m, false)
	}
	f.add(s.conn)
	return len(missed), true
}

// wantsLocked says whether the packet was for the session when it was emitted.
func (s *Socket) wantsLocked(p *packet, offset uint64) bool {
	t := p.target
	in := func(room string) bool { return s.inRoomLocked(room, offset) }
	if slices.Contains(t.ExceptSIDs, s.SID) || slices.ContainsFunc(t.ExceptRooms, in) {
		return false
	}
	return t.Everyone || slices.Contains(t.SIDs, s.SID) || s.userID != "" && slices.Contains(t.UserIDs, s.userID) ||
		slices.ContainsFunc(t.Rooms, in)
}
