package engineio

import (
	"log/slog"
	"time"
)

// Handler is the floor above. Calls for one Socket never overlap. Closed is the last of them,
// comes exactly once, and never on the stack of Queue, Flush, Close, Pause or Unpause.
// A Handler may call any method of the Socket. It must not wait for anything slow: other Sockets
// are read on the same goroutine.
type Handler interface {
	// Open is called after the handshake and before any Message. It may set s.Peer.
	Open(s *Socket)
	// Message hands over what the client sent. data belongs to the Handler from now on.
	Message(s *Socket, binary bool, data []byte)
	// Upgraded is called when a WebSocket has taken the session over from polling.
	Upgraded(s *Socket)
	// Closed is called when the session is over, whatever ended it.
	Closed(s *Socket, r Reason)
}

// Reason is why a Socket closed.
type Reason uint8

// The reasons, in the words that Socket.IO clients already know.
const (
	TransportClose Reason = iota + 1 // the client closed it
	TransportError                   // the connection broke, or the client broke the protocol
	ForcedClose                      // the floor above closed it
	PingTimeout                      // the client did not answer a ping
	ParseError                       // the client sent something that is no packet
	ServerShutdown                   // Server.Close
	SlowConsumer                     // the client read too slowly
	Stalled                          // reading was paused for too long
	TooLarge                         // the floor above closed it: the client sent more than it takes
	Flooding                         // the client sent more than Config.Messages for too long
)

func (r Reason) String() string {
	switch r {
	case TransportClose:
		return "transport close"
	case ForcedClose, SlowConsumer, Stalled, TooLarge, Flooding:
		return "forced close"
	case PingTimeout:
		return "ping timeout"
	case ParseError:
		return "parse error"
	case ServerShutdown:
		return "server shutting down"
	}
	return "transport error"
}

// LogValue keeps the query and the headers out of logs: they hold tokens and cookies.
func (h *Handshake) LogValue() slog.Value {
	return slog.GroupValue(slog.String("remote", h.RemoteAddr), slog.String("transport", h.Transport), slog.Time("at", h.At))
}

// Handshake is the request that opened a Socket. It is kept for the life of the connection.
type Handshake struct {
	RemoteAddr string
	Path       string
	RawQuery   string
	Headers    []string // name, value, name, value, …; names lower-case, repeated ones joined with ", "
	Token      *string  // a credential that is in none of the above, see Config.Token; nil: none
	Transport  string   // "polling" or "websocket"
	Secure     bool     // came over TLS
	At         time.Time
}
