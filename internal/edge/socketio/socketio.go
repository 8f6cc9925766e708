// Package socketio speaks Socket.IO 5 with the clients of an edge: namespaces, sockets, rooms,
// acknowledgements and recovery.
//
// What clients do goes up as an [Event] through [Backend]; what backends want comes down as a
// [Command] through [Server.Apply]. Arguments are raw JSON bytes on the whole way; nothing here
// builds values from them.
//
// Locks, in the order in which they may be taken: Socket.mu (one session's state and the order
// of its events), client.mu (which sessions a connection carries), Namespace.mu (membership,
// the packet log and the order of what is queued to its clients). Backend.Deliver is called
// under Socket.mu, an [AckSink] under Namespace.mu; neither may call back. No I/O happens under
// any of them: writes go through a [Flush] that the caller runs afterwards.
package socketio

import (
	"log/slog"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
	"github.com/sio-edge/sio-edge/internal/trace"
)

// Config is what a Server is told. The zero value of a field means its default.
type Config struct {
	// ConnectTimeout closes a connection that has joined no namespace by then, and one whose
	// CONNECT nobody decided by then. Default 10 s.
	ConnectTimeout time.Duration
	// RecoveryWindow is how long a session waits for its client. 0 switches recovery off: then
	// every byte is what the reference server without recovery sends.
	RecoveryWindow time.Duration
	// Heartbeat is the longest a lost connection can go unnoticed: ping interval and timeout
	// together. Default 45 s.
	Heartbeat time.Duration
	// Clock tells a time that outlives the process. Zero: the wall clock has to do.
	Clock Clock
	// NoRecovery names namespaces, or patterns with *, that are not recovered.
	NoRecovery []string
	// LogPackets and LogBytes bound the packet log of one namespace. Defaults 100,000 and 64 MiB.
	LogPackets int
	LogBytes   int
	// FirstOffset is where packet logs begin to count: above where any log of an edge with these
	// clients ended, also one that was lost.
	FirstOffset uint64
	// ReplayPackets and ReplayBytes bound what one client is sent again. A client that missed
	// more keeps its session but sees recovered === false. Defaults 1,000 and 768 KiB, which
	// the queue of a connection must be able to hold.
	ReplayPackets int
	ReplayBytes   int
	// Limits bounds what one packet may hold. Default sio.DefaultLimits().
	Limits *sio.Limits
	// NamespacesPerClient is how many namespaces one connection may join. Default 16.
	NamespacesPerClient int
	// RoomsPerSocket is how many rooms one session may be in. Default 256.
	RoomsPerSocket int
	// AttributeBytes bounds the attributes of one session. Default 64 KiB.
	AttributeBytes int
	// RoomName bounds the names of rooms, sids and user ids, in bytes. Default 256.
	RoomName int
	// RefusedConnects is how many CONNECTs to namespaces that are not there a connection may send
	// before it is closed. Default 10.
	RefusedConnects int
	// Budget is charged for the packet logs and for what arrives in parts, and says when to refuse.
	// Default nil: there is room for everything.
	Budget *budget.Budget
	// Counts gives what the namespace is counted in, when it comes into being. Namespaces may
	// share one. Default: one for each.
	Counts func(namespace string) *Counts
	// Refused is told why a client was turned away: one of Refusals. It must only count.
	Refused func(reason string)

	// Entries says who decides about which namespaces: the first that matches counts. Default: as
	// groups want it.
	Entries []EntryRule
	// Tokens verifies what clients show: auth.token, or else Handshake.Token. Entries with a
	// token need it.
	Tokens Tokens
	// NoAuthToken makes Handshake.Token the only one that counts.
	NoAuthToken bool
	// KeepTokens leaves auth.token in what groups get.
	KeepTokens bool
	// OnExpiry is what happens when the token of a connected client expires. Default: its
	// connection is closed.
	OnExpiry OnExpiry
	// Binding says from where a session may be resumed. Default: from anywhere.
	Binding engineio.Binding
	// Audit is told of sessions that go from one connection or address to another, or are refused
	// to. Default: nobody is.
	Audit *slog.Logger
	// Unproven is told of every token that was not good. It is called often under attack.
	Unproven func(namespace, remoteAddr string, err error)
	// Rejected is told of every client that was not let in, by its token or by a group. It is called
	// often under attack.
	Rejected func(remoteAddr string)
	// Trace follows some of the client events; nil: none.
	Trace *trace.Tracer
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 45 * time.Second
	}
	if c.Limits == nil {
		l := sio.DefaultLimits()
		c.Limits = &l
	}
	if c.Counts == nil {
		c.Counts = func(string) *Counts { return new(Counts) }
	}
	if c.Audit == nil {
		c.Audit = slog.New(slog.DiscardHandler)
	}
	if c.Unproven == nil {
		c.Unproven = func(string, string, error) {}
	}
	if c.Rejected == nil {
		c.Rejected = func(string) {}
	}
	if c.Refused == nil {
		c.Refused = func(string) {}
	}
	set(&c.LogPackets, 100_000)
	set(&c.LogBytes, 64<<20)
	set(&c.ReplayPackets, 1000)
	set(&c.ReplayBytes, 768<<10)
	set(&c.NamespacesPerClient, 16)
	set(&c.RoomsPerSocket, 256)
	set(&c.AttributeBytes, 64<<10)
	set(&c.RoomName, 256)
	set(&c.RefusedConnects, 10)
	return c
}

// Reason says why a connection was lost or a session ended, in the words of Socket.IO servers.
type Reason string

// The reasons of a Socket.IO server, and the two that only an edge has.
const (
	ClientDisconnect  Reason = "client namespace disconnect"
	ServerDisconnect  Reason = "server namespace disconnect"
	TransportClose    Reason = "transport close"
	TransportError    Reason = "transport error"
	PingTimeout       Reason = "ping timeout"
	ParseError        Reason = "parse error"
	ForcedClose       Reason = "forced close"
	ForcedServerClose Reason = "forced server close"
	ServerShutdown    Reason = "server shutting down"
	SlowConsumer      Reason = "slow consumer"
	EdgeRestart       Reason = "edge restart"
)

// recoverable says whether a client that was lost so may come back to its session
// (the reference's table: a parse error and both kinds of namespace disconnect are final).
func (r Reason) recoverable() bool {
	switch r {
	case ClientDisconnect, ServerDisconnect, ParseError:
		return false
	}
	return true
}

// Session is a copy of a session's state. Maps and slices in it are its own.
type Session struct {
	SID        string
	Namespace  string
	Connection string // shared by the sessions of one client; empty while suspended
	UserID     string
	Attributes map[string]string
	Rooms      []string
	State      State
	OpenedAt   time.Time
	Revision   uint64
	Transport  string              // empty while suspended
	Recovered  bool                // resumed on its current connection with nothing missed
	Handshake  *engineio.Handshake // of the current connection; nil while suspended
	Auth       string              // given on the current connection, without pid and offset; only from Server.Session
}

// State is where a session is in its life.
type State uint8

// The states of a session.
const (
	Connecting State = iota // asked for, not decided
	Open
	Away // lost its connection, waits for its client
	Ended
)

// Error is why a command was refused. Reason is one of a closed list, for programs.
type Error struct {
	Reason string
	Text   string
}

// The reasons of an Error.
const (
	TargetEmpty      = "TARGET_EMPTY"      // the target names nobody
	TargetInvalid    = "TARGET_INVALID"    // a room or sid that cannot be
	NamespaceUnknown = "NAMESPACE_UNKNOWN" // clients cannot join this namespace
	SessionGone      = "SESSION_GONE"      // no such session, or it has ended
	PayloadInvalid   = "PAYLOAD_INVALID"   // arguments that a client would refuse
	EventInvalid     = "EVENT_INVALID"     // a reserved or overlong event name
	LimitExceeded    = "LIMIT_EXCEEDED"    // rooms or attributes of a session
	RevisionMismatch = "REVISION_MISMATCH" // UpdateSession.if_revision
	StoreFull        = "STORE_FULL"        // the disk has no room for what must be kept
	MemoryShort      = "MEMORY_SHORT"      // memory has no room for what must be kept
	DeliverySettled  = "DELIVERY_SETTLED"  // answered before, or by another
)

// Error returns the sentence for people.
func (e *Error) Error() string { return e.Text }

// Flush collects the connections that a run of commands queued something on, so that each is
// written once, after the locks are released. The zero value is ready; it is reused after Do.
type Flush = engineio.Flush
