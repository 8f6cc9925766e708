package socketio

import (
	"sync/atomic"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/latency"
)

// Counts is what happened in one namespace, or in several that share it, since the edge started.
type Counts struct {
	Events   [ClientEvent + 1]atomic.Uint64 // by Kind
	Emits    atomic.Uint64                  // commands
	Written  atomic.Uint64                  // recipients that got an emit, or will when they are back
	Dropped  atomic.Uint64                  // recipients that will not
	Replies  atomic.Uint64                  // answers to callbacks of clients
	Replayed atomic.Uint64                  // packets sent again to clients that were back
	Gaps     atomic.Uint64                  // clients that were back and had missed what is no longer there
	Acks     [Dropped + 1]atomic.Uint64     // by Outcome
}

// Usage is what a namespace holds now.
type Usage struct {
	Open, Away  int // sessions
	Rooms       int
	LogPackets  int
	LogBytes    int
	AwaitedAcks int // emits that wait for acknowledgements
}

// Usages tells what each namespace holds. It costs the same for few sessions and for many.
func (s *Server) Usages() map[string]Usage {
	all := make(map[string]Usage)
	for _, n := range s.namespaces() {
		n.mu.Lock()
		all[n.Name] = Usage{Open: n.carried, Away: len(n.all) - n.carried, Rooms: len(n.rooms),
			LogPackets: len(n.log.packets), LogBytes: n.log.bytes, AwaitedAcks: len(n.waiters)}
		n.mu.Unlock()
	}
	return all
}

// carryLocked notes what carries the session from now on; nil: nothing.
func (n *Namespace) carryLocked(s *Socket, conn *engineio.Socket) {
	if s.conn != nil {
		n.carried--
	}
	if s.conn = conn; conn != nil {
		n.carried++
	}
}

// Connects is how long it took to let clients in, from their CONNECT to the reply: decisions and
// commits included, refusals not.
func (s *Server) Connects() latency.Counts { return s.connects.Counts() }

// The reasons that Config.Refused can be told.
const (
	refusedPacket      = "packet"                 // the client sent something that is no packet
	refusedStranger    = "not connected"          // a packet for a namespace that the client is not in
	refusedAuth        = "auth too large"         // of a CONNECT
	refusedNamespace   = "namespace"              // CONNECT to one that is not there, or to too many
	refusedTwice       = "connected already"      // CONNECT to a namespace that the client is in
	refusedByBackend   = "rejected"               // a group said no
	refusedUndecided   = "no decision"            // no group decided in time
	refusedIdle        = "no connect"             // the connection joined no namespace in time
	refusedAssembly    = "attachments timeout"    // they did not come in time
	refusedAck         = "acknowledgement"        // nobody waits for it; ignored
	refusedStrayFloods = "stray acknowledgements" // too many of those
	refusedRejects     = "rejections"             // too many
	refusedToken       = "token"                  // of a CONNECT: not good
	refusedExpired     = "token expired"          // of a client that was in
	refusedTakeover    = "takeovers"              // too many of one session
	refusedMemory      = "memory"                 // no room for attachments
)

// Refusals lists every reason that Config.Refused can be told.
func Refusals() []string {
	return []string{refusedPacket, refusedStranger, refusedAuth, refusedNamespace, refusedTwice, refusedByBackend,
		refusedUndecided, refusedIdle, refusedAssembly, refusedAck, refusedStrayFloods, refusedRejects,
		refusedToken, refusedExpired, refusedTakeover, refusedMemory}
}
