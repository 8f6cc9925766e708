package eio

import "strconv"

// Handshake is what a server says in the open packet.
type Handshake struct {
	SID          string
	Upgrades     []string
	PingInterval int64 // in milliseconds
	PingTimeout  int64 // in milliseconds
	MaxPayload   int   // in bytes
}

// AppendHandshake appends the open packet: its type and an object with exactly the five keys of
// the protocol. SID and Upgrades are of letters, digits, '-' and '_', and are not escaped.
func AppendHandshake(dst []byte, h Handshake) []byte {
	dst = append(dst, byte(Open))
	dst = append(dst, `{"sid":"`...)
	dst = append(dst, h.SID...)
	dst = append(dst, `","upgrades":[`...)
	for i, u := range h.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, u...)
		dst = append(dst, '"')
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, h.PingInterval, 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, h.PingTimeout, 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, int64(h.MaxPayload), 10)
	return append(dst, '}')
}
