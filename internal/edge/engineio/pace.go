package engineio

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/deadline"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// pacing is how much a client has sent, where that is bounded. A Socket gets it with the first that
// is.
type pacing struct {
	strikes         limit.Bucket // what no client needs to send
	messages, bytes limit.Bucket
	since           int64             // when it began to send more, and has not come to rest since; 0: it is at rest
	wait            deadline.Deadline // then it is read on
}

func (s *Socket) pacingLocked() *pacing {
	if s.pacing == nil {
		s.pacing = new(pacing)
	}
	return s.pacing
}

// tolerateLocked counts something that no client needs to send, and says whether the client may go
// on.
func (s *Socket) tolerateLocked() bool {
	return s.pacingLocked().strikes.Take(s.server.now(), s.server.config.ControlFrames)
}

// pace counts a message of n bytes, and stops reading for as long as the client is ahead of what it
// may send. It returns Flooding if that has gone on for too long. recvMu is held.
func (s *Socket) pace(n int) Reason {
	c := &s.server.config
	if !c.Messages.On() && !c.MessageBytes.On() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pacingLocked()
	now := s.server.now()
	rested := true
	var wait time.Duration
	count := func(b *limit.Bucket, n int, r limit.Rate) {
		if r.On() {
			rested = rested && b.Full(now, r) >= 0.5
			wait = max(wait, b.Owe(now, n, r))
		}
	}
	count(&p.messages, 1, c.Messages)
	count(&p.bytes, n, c.MessageBytes)
	switch {
	case rested:
		p.since = 0
	case p.since > 0 && now-p.since >= int64(c.PaceTimeout) && wait > 0:
		s.server.refused("packet", "too fast")
		return Flooding
	}
	if wait == 0 || s.reason != 0 {
		return 0
	}
	if p.since == 0 {
		p.since = now
	}
	s.holdLocked(stopPaced)
	s.server.deadlines[duePace].AddAt(&p.wait, s, now+int64(wait))
	return 0
}
