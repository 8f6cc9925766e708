package engineio

// phase is what a heartbeat waits for.
type phase uint8

const (
	resting phase = iota // the next ping is due some time
	calling              // a ping is out, the pong is due
)

// startHeartLocked begins the heartbeat, or begins it anew.
func (s *Socket) startHeartLocked() {
	s.phase, s.prolonged = resting, false
	s.server.deadlines[duePing].Add(&s.heart, s)
}

// beatLocked does what is due. Instants are added up from planned ones, not from when a timer
// happened to fire, or a timeout would drift.
func (s *Socket) beatLocked(kind due) {
	planned := s.heart.At()
	if kind == duePong {
		s.closeLocked(PingTimeout)
		return
	}
	s.queueLocked(pingPacket)
	s.phase, s.prolonged = calling, false
	next := &s.server.deadlines[duePong]
	if s.deafLocked() {
		// The pong cannot be read. Clients give up when no ping comes, so keep sending.
		next = &s.server.deadlines[dueKeepAlive]
	}
	next.AddAt(&s.heart, s, planned+int64(next.Span))
	s.flushLocked()
}

// pong handles the client's answer, and reports whether the client may go on.
func (s *Socket) pong() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != calling || s.reason != 0 {
		return s.tolerateLocked()
	}
	s.startHeartLocked()
	return true
}

// prolongLocked grants a client that is busy sending something else one more wait for its pong.
// recvMu is held as well.
func (s *Socket) prolongLocked() {
	if s.touched && s.phase == calling && !s.prolonged && s.reason == 0 && !s.deafLocked() {
		s.prolonged = true
		s.server.deadlines[duePong].Add(&s.heart, s)
	}
	s.touched = false
}

func (s *Socket) pauseHeartLocked() {
	if s.phase == calling {
		s.server.deadlines[dueKeepAlive].Add(&s.heart, s)
	}
}

func (s *Socket) resumeHeartLocked() {
	if s.phase == calling && s.reason == 0 {
		s.server.deadlines[duePong].Add(&s.heart, s)
	}
}
