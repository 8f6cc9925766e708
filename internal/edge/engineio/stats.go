package engineio

import (
	"sync/atomic"

	"github.com/sio-edge/sio-edge/internal/latency"
)

// Stats is what a Server carries, and what it has done since it was made.
type Stats struct {
	Polling, WebSocket int64 // Sockets now, by the transport that carries them
	Paused             int64 // Sockets that are not read

	OpenedPolling, OpenedWebSocket uint64            // handshakes, by the transport they came on
	Upgraded                       uint64            // Sockets that a WebSocket took over
	Closed                         map[string]uint64 // Sockets, by what ended them; every cause is there

	Handshake latency.Counts // from reading a request to the Socket's first message
	Flush     latency.Counts // Flush.Do, one in sampledFlushes
}

// causes are the names of Reasons for people: unlike the words for clients, no two are the same.
var causes = [...]string{
	TransportClose: "transport close",
	TransportError: "transport error",
	ForcedClose:    "forced close",
	PingTimeout:    "ping timeout",
	ParseError:     "parse error",
	ServerShutdown: "server shutting down",
	SlowConsumer:   "slow consumer",
	Stalled:        "stalled",
	TooLarge:       "too large",
	Flooding:       "flooding",
}

type counters struct {
	openedPolling, openedWebSocket, upgraded atomic.Uint64

	webSockets atomic.Int64
	paused     atomic.Int64
	closed     [len(causes)]atomic.Uint64

	handshake, flush latency.Histogram
}

// Stats counts. It costs a few loads.
func (s *Server) Stats() Stats {
	c := &s.counters
	st := Stats{
		WebSocket:       c.webSockets.Load(),
		Paused:          c.paused.Load(),
		OpenedPolling:   c.openedPolling.Load(),
		OpenedWebSocket: c.openedWebSocket.Load(),
		Upgraded:        c.upgraded.Load(),
		Handshake:       c.handshake.Counts(),
		Flush:           c.flush.Counts(),
		Closed:          make(map[string]uint64, len(causes)-1),
	}
	st.Polling = max(s.open.Load()-st.WebSocket, 0)
	for r := TransportClose; int(r) < len(causes); r++ {
		st.Closed[causes[r]] = c.closed[r].Load()
	}
	return st
}
