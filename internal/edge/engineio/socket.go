package engineio

import (
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/deadline"
)

// Socket is one session with a client, whichever transport carries it now.
type Socket struct {
	SID       string     // static
	Handshake *Handshake // static
	Peer      any        // owned by the Handler

	server *Server // static

	recvMu  sync.Mutex // held around every call of the Handler; taken before mu
	touched bool       // something arrived since cork; guarded by recvMu

	// stop says why what arrives has to wait; written with mu held.
	stop atomic.Uint32

	mu     sync.Mutex         // guards the following fields
	out    *queue             // what waits for the client; nil while nothing does
	conn   *conn              // the WebSocket that drains; nil while polling
	polls  *polls             // nil for a session that began with WebSocket
	heart  deadline.Deadline  // of the next ping, or of the pong
	pause  *deadline.Deadline // nil unless paused
	pacing *pacing            // nil until something arrived that is bounded
	phase  phase
	reason Reason // why it closed; 0 while open
	// corked: what arrived is being handled, and what is queued meanwhile leaves afterwards in
	// one write.
	corked    bool
	prolonged bool // the wait for the pong, because something else arrived
	joined    bool // Joined was called
	strayed   bool // Config.Strayed was told
}

// socketBytes is about what a Socket costs, whatever is above it included: an idle WebSocket was
// measured at 2.2 KB. kernelBytes is about what a connection costs the system.
const (
	socketBytes = 3 << 10
	kernelBytes = 4 << 10
)

// Bits of Socket.stop.
const (
	stopPaused = 1 << iota // by the Handler
	stopPaced              // the client sends too much
	stopPost               // a POST from before the upgrade comes first
	stopClosed             // for good
)

var (
	pingPacket  = newPacket("2")
	noopPacket  = newPacket("6")
	closePacket = newPacket("1")
)

// Queue adds a message to what the client is to receive, without blocking and without I/O; Flush
// sends it. It returns false if the message was dropped: the Socket is closed, or the message is
// volatile and nobody can take it now. A client that lets more than Config.MaxQueuedBytes or
// Config.MaxQueuedPackets pile up is closed as a SlowConsumer.
func (s *Socket) Queue(m *Message, volatile bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offerLocked(m, volatile)
}

func (s *Socket) offerLocked(m *Message, volatile bool) bool {
	if s.reason != 0 || volatile && !s.writableLocked() {
		return false
	}
	if s.fullLocked(m) {
		// What was queued since the last flush has not been offered to the client yet.
		s.drainLocked()
		if s.fullLocked(m) {
			s.server.refused("queue", "slow")
			s.closeLocked(SlowConsumer)
		}
		if s.reason != 0 {
			return false
		}
	}
	s.queueLocked(m)
	return true
}

// fullLocked reports whether m is too much for the queue. An empty queue takes any message.
func (s *Socket) fullLocked(m *Message) bool {
	q, c := s.out, &s.server.config
	return q != nil && (q.bytes+len(m.frames) > c.MaxQueuedBytes || q.packets+m.packets() > c.MaxQueuedPackets)
}

func (s *Socket) queueLocked(m *Message) {
	if s.out == nil {
		s.out = queues.Get().(*queue)
	}
	s.out.add(m)
}

// writableLocked reports whether whoever drains can take a message right now.
func (s *Socket) writableLocked() bool {
	if s.out != nil {
		return false
	}
	if s.conn != nil {
		return !s.conn.blocked
	}
	return s.polls.waiting != nil
}

// Flush sends what is queued, with as few system calls as possible. It never blocks. While a
// Message of this Socket is being handled it does nothing: everything leaves afterwards at once.
func (s *Socket) Flush() {
	s.mu.Lock()
	s.flushLocked()
	if s.out != nil {
		s.out.flush = nil
	}
	s.mu.Unlock()
}

func (s *Socket) flushLocked() {
	if !s.corked {
		s.drainLocked()
	}
}

func (s *Socket) drainLocked() {
	switch {
	case s.conn != nil:
		s.conn.pipe.flushLocked()
	case s.polls.waiting != nil && s.out != nil:
		s.answerLocked()
	}
	if s.out != nil {
		s.out.charge(s.server.config.Budget)
	}
}

// dropLocked discards what is queued, but for a message that was sent in part.
func (s *Socket) dropLocked() {
	if s.out == nil {
		return
	}
	s.out.cut()
	if s.out.empty() {
		s.out.recycle()
		s.out = nil
	}
}

// cork and uncork surround the handling of what arrived. Both are called with recvMu held.
func (s *Socket) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

func (s *Socket) uncork() {
	s.mu.Lock()
	s.uncorkLocked()
	s.mu.Unlock()
}

func (s *Socket) uncorkLocked() {
	s.corked = false
	s.prolongLocked()
	s.flushLocked()
	if s.conn == nil && s.polls != nil && s.polls.probed() {
		s.releaseLocked() // a GET that came meanwhile must not wait: the client upgrades after it
	}
}

// Transport is the name of the transport that carries the Socket now.
func (s *Socket) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return WebSocket
	}
	return Polling
}

// Close flushes what is queued, then closes. It never blocks; only the first call counts.
func (s *Socket) Close(r Reason) {
	s.mu.Lock()
	s.closeLocked(r)
	s.mu.Unlock()
}

// closeLocked is the one way in which a Socket ends. What is left of its connections ends by
// itself; the Handler is told by a goroutine that Server.Close waits for.
func (s *Socket) closeLocked(r Reason) {
	if s.reason != 0 {
		return
	}
	s.reason = r
	s.server.counters.closed[r].Add(1)
	if s.conn != nil {
		s.server.counters.webSockets.Add(-1)
	}
	if s.stop.Swap(stopClosed)&stopReading != 0 {
		s.server.counters.paused.Add(-1)
	}
	s.heart.Remove()
	if s.pause != nil {
		s.pause.Remove()
		s.pause = nil
	}
	if s.pacing != nil {
		s.pacing.wait.Remove()
	}
	// Who closed or is gone has no use for what is queued. Who broke the rules of WebSocket gets what
	// was queued before that, and then a close frame.
	graceful := r == ForcedClose || r == ServerShutdown || r == Stalled || r == TooLarge || r == Flooding
	if !graceful && (s.conn == nil || s.conn.bye == nil) {
		s.dropLocked()
	}
	forget := true
	if s.polls != nil {
		forget = s.closePollsLocked(graceful)
	}
	if s.conn != nil {
		goodbye := emptyClose
		if r == TooLarge {
			goodbye = closeFrame(websocket.CloseMessageTooBig, "")
		}
		s.conn.closeLocked(goodbye)
		s.conn.pipe.resumeLocked()
		if r == SlowConsumer {
			s.conn.doomLocked()
		}
	}
	if forget {
		s.server.forget(s)
	}
	s.server.open.Add(-1)
	s.server.tasks.Add(1)
	go s.notifyClosed(r)
}

func (s *Socket) notifyClosed(r Reason) {
	defer s.server.tasks.Done() // Server.Close waits
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.server.handler.Closed(s, r)
	s.server.dismiss(s)
	s.server.tasks.Done() // the Socket itself
}

// Joined tells that the client is let in: it does not count among strangers any more.
func (s *Socket) Joined() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		s.joined = true
		s.server.config.Budget.Move(budget.Strangers, budget.Clients, socketBytes)
	}
}

// Pause stops reading from the client: what arrives waits in the kernel, and POSTs wait. The
// client need not answer pings meanwhile. A Socket that stays paused is closed as Stalled.
func (s *Socket) Pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != 0 || s.pause != nil {
		return
	}
	s.pause = new(deadline.Deadline)
	s.server.deadlines[duePause].Add(s.pause, s)
	s.holdLocked(stopPaused)
}

// Unpause reads on.
func (s *Socket) Unpause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause == nil {
		return
	}
	s.pause.Remove()
	s.pause = nil
	s.goOnLocked(stopPaused)
}

// stopReading is every reason for which a client is not read, and so cannot be heard answering.
const stopReading = stopPaused | stopPaced

func (s *Socket) deafLocked() bool { return s.stop.Load()&stopReading != 0 }

// holdLocked stops to read, for one reason more.
func (s *Socket) holdLocked(why uint32) {
	if s.stop.Or(why)&stopReading == 0 {
		s.server.counters.paused.Add(1)
		s.pauseHeartLocked()
	}
}

// goOnLocked takes back one reason for which a Socket is not read.
func (s *Socket) goOnLocked(why uint32) {
	was := s.stop.And(^why)
	if was&stopReading != 0 && was&^why&stopReading == 0 {
		s.server.counters.paused.Add(-1)
		s.resumeHeartLocked()
		if s.polls != nil && s.polls.resumed != nil {
			close(s.polls.resumed)
			s.polls.resumed = nil
		}
	}
	if was == why && s.conn != nil {
		s.conn.pipe.resumeLocked()
	}
}

// Expired implements deadline.Owner: it ends the waits of a Socket.
func (s *Socket) Expired(list *deadline.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch due(list.Kind) {
	case duePause:
		if s.pause != nil && s.pause.Passed(list) {
			s.closeLocked(Stalled)
		}
	case duePace:
		if s.reason == 0 && s.pacing.wait.Passed(list) {
			s.goOnLocked(stopPaced)
		}
	case dueLastPoll:
		s.dropLocked()
		s.server.forget(s)
	default:
		if s.reason == 0 && s.heart.Passed(list) {
			s.beatLocked(due(list.Kind))
		}
	}
}
