package engineio

import (
	"cmp"
	"slices"
)

// pollBytes is about what a polling client costs beyond its Socket: its connection with the
// buffers and the goroutine of net/http.
const pollBytes = 24 << 10

// Shed closes clients until about so many bytes are free: those with the most waiting for them, the
// slowest first, and if polls is set then those that merely wait in a GET, which are told to come
// on another connection. Sessions stay. It returns how many were closed and how many sent away.
func (s *Server) Shed(bytes int64, polls bool) (closed, sentAway int) {
	type candidate struct {
		sock  *Socket
		bytes int
	}
	var slow []candidate
	var idle []*Socket
	for _, sock := range s.sockets() {
		sock.mu.Lock()
		switch {
		case sock.reason != 0:
		case sock.out != nil && sock.out.charged > sock.out.first:
			slow = append(slow, candidate{sock, sock.out.bytes})
		case polls && sock.conn == nil && sock.polls.waiting != nil:
			idle = append(idle, sock)
		}
		sock.mu.Unlock()
	}
	slices.SortFunc(slow, func(a, b candidate) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, c := range slow {
		if bytes <= 0 {
			return closed, sentAway
		}
		bytes -= int64(c.bytes)
		closed++
		s.refused("queue", "memory")
		c.sock.Close(SlowConsumer)
	}
	for _, sock := range idle {
		if bytes <= 0 {
			break
		}
		bytes -= pollBytes
		if sock.sendAway() {
			sentAway++
		}
	}
	return closed, sentAway
}

// sendAway answers a waiting GET and has its connection closed.
func (s *Socket) sendAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != 0 || s.polls.waiting == nil {
		return false
	}
	s.polls.waiting.leave = true
	s.releaseLocked()
	return true
}
