package engineio

import (
	"cmp"
	"slices"
)

// Slow is a Socket that holds something up.
type Slow struct {
	Socket         *Socket
	Transport      string
	Bytes, Packets int  // that wait for the client
	Paused         bool // it is not read
}

// Slowest returns up to n Sockets for which something waits or that are paused, those for which
// most waits first. It goes through all Sockets.
func (s *Server) Slowest(n int) []Slow {
	var all []Slow
	for _, sock := range s.sockets() {
		sock.mu.Lock()
		if q := sock.out; sock.reason == 0 && (q != nil || sock.deafLocked()) {
			found := Slow{Socket: sock, Transport: Polling, Paused: sock.deafLocked()}
			if sock.conn != nil {
				found.Transport = WebSocket
			}
			if q != nil {
				found.Bytes, found.Packets = q.bytes, q.packets
			}
			all = append(all, found)
		}
		sock.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Slow) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return all[:min(len(all), n)]
}

// QueueLimits are what may wait for one Socket.
func (s *Server) QueueLimits() (bytes, packets int) {
	return s.config.MaxQueuedBytes, s.config.MaxQueuedPackets
}
