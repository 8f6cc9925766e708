// Package sio turns bytes into Socket.IO packets and back (socket.io-protocol, version 5).
//
// A packet is never parsed into a tree. One linear pass finds its header and the name of its
// event and checks the rest; what the client wrote is then passed on byte for byte.
//
// The package is pure: it knows no connection, no clock and no goroutine. It expects text that is
// valid UTF-8; whoever reads from the network checks that.
package sio

// Type is what a Socket.IO packet is for.
type Type uint8

// The packet types of protocol version 5, by their number on the wire.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	BinaryEvent
	BinaryAck
)

// Packet is one Socket.IO packet from a client.
type Packet struct {
	// Type is Connect, Disconnect, Event or Ack. An Event or Ack that came with attachments has
	// them in Attachments.
	Type      Type
	Namespace []byte // nil for "/"; else a part of the input, with its slash

	ID    uint64
	HasID bool // an Event wants to be answered with ID; an Ack without an ID has to be ignored

	Name        []byte // of an Event, without quotes and escapes
	NumericName bool   // the name is a JSON number, and Name is how it was written

	// Data is the JSON of the packet, as it was written. Connect: the auth object, or nil. Event:
	// the array without the name, so [] if there is nothing else. Ack: the array.
	Data        []byte
	Attachments [][]byte // as numbered by the placeholders in Data
}

// Limits bound what a packet may hold. A packet that is over one of them is an error.
type Limits struct {
	Attachments     int // of one packet, 1024 at most; default 10
	AttachmentBytes int // of all attachments of one packet; default 5,000,000
	Namespace       int // bytes of its name; default 128
	Name            int // bytes of the name of an event; default 128
	Args            int // arguments of an event or an ack; default 256
	Depth           int // arrays and objects inside each other, 1024 at most; default 64
	Auth            int // bytes of the auth object; default 8192
}

// DefaultLimits is what a Decoder without Limits goes by.
func DefaultLimits() Limits { return defaults }

var defaults = Limits{
	Attachments:     10,
	AttachmentBytes: 5_000_000,
	Namespace:       128,
	Name:            128,
	Args:            256,
	Depth:           64,
	Auth:            8192,
}

// orDefaults allows a nil pointer wherever Limits are asked for.
func (l *Limits) orDefaults() *Limits {
	if l == nil {
		return &defaults
	}
	return l
}

// Reserved reports whether name belongs to Socket.IO itself: neither a client nor a backend can
// emit an event of that name.
func Reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}
