package socketio

import (
	"cmp"
	"slices"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
)

// Shorten lets go of the oldest packets of the largest logs until about so many bytes are free.
// Clients that may miss one of them get to know it when they are back.
func (s *Server) Shorten(bytes int64) {
	type sized struct {
		n     *Namespace
		bytes int64
	}
	var all []sized
	for _, n := range s.namespaces() {
		n.mu.Lock()
		all = append(all, sized{n, int64(n.log.bytes)})
		n.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b sized) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, l := range all {
		if bytes <= 0 || l.bytes == 0 {
			return
		}
		bytes -= l.bytes
		l.n.shorten(min(l.bytes, l.bytes+bytes))
	}
}

func (n *Namespace) shorten(bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, cut := n.log.first(), n.log.cut
	n.srv.cfg.Budget.Shed(budget.ShedPacket, n.log.shorten(bytes))
	if n.srv.store != nil && n.recovery {
		n.trimmedLocked(first, cut)
	}
}
