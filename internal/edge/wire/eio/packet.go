// Package eio turns bytes into Engine.IO packets and back (engine.io-protocol, version 4).
//
// It is pure: it knows no connection, no clock and no goroutine. It expects text that is valid
// UTF-8; whoever reads from the network checks that.
package eio

import (
	"bytes"
	"encoding/base64"
)

// Type is what an Engine.IO packet is for: the first character of its text form.
type Type byte

// The packet types of protocol version 4.
const (
	Open    Type = '0'
	Close   Type = '1'
	Ping    Type = '2'
	Pong    Type = '3'
	Message Type = '4'
	Upgrade Type = '5'
	Noop    Type = '6'
)

// binaryMark stands in place of a type before a base64 encoded binary message.
const binaryMark = 'b'

// Packet is one Engine.IO packet.
type Packet struct {
	Type   Type
	Binary bool   // Data is a binary message; Type is Message
	Data   []byte // without the type
}

// Error says why bytes are not an Engine.IO packet. There is a fixed set of them, so that a
// Reason can label a metric. It is never changed.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

var (
	errEmpty     = &Error{"empty packet"}
	errType      = &Error{"unknown packet type"}
	errBase64    = &Error{"invalid base64"}
	errSeparator = &Error{"separator in a packet"}
)

// strict refuses padding bits that are not zero, so that a message has one encoding only.
var strict = base64.StdEncoding.Strict()

// ParseText parses one WebSocket text frame, or one element of a polling payload. It takes
// ownership of b: Data is a part of it, and base64 is decoded in place.
func ParseText(b []byte) (Packet, error) {
	// Nothing that is legal here holds a separator, and what came through a WebSocket may have
	// to go out again in a payload.
	if bytes.IndexByte(b, Separator) >= 0 {
		return Packet{}, errSeparator
	}
	return parse(b)
}

func parse(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, errEmpty
	}
	// The capacity ends with the packet: the next one may follow in the same buffer.
	data := b[1:len(b):len(b)]
	switch c := b[0]; {
	case '0' <= c && c <= '6':
		return Packet{Type: Type(c), Data: data}, nil
	case c == binaryMark:
		// The standard decoder skips line breaks, even when strict.
		if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
			return Packet{}, errBase64
		}
		// What is decoded is shorter than what was read, so that writing never overtakes reading.
		n, err := strict.Decode(data, data)
		if err != nil {
			return Packet{}, errBase64
		}
		return Packet{Type: Message, Binary: true, Data: data[:n:n]}, nil
	}
	return Packet{}, errType
}

// AppendText appends the text form of p to dst. A binary message becomes base64.
func AppendText(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = append(dst, binaryMark)
		return base64.StdEncoding.AppendEncode(dst, p.Data)
	}
	dst = append(dst, byte(p.Type))
	return append(dst, p.Data...)
}
