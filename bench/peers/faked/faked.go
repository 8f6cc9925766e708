// Package faked is as much of the protocols as the limits of the benchmark need: no JSON, no
// sessions, no rooms, no limits. It shows what a Go server without all of that could do.
package faked

import (
	"bytes"
	"fmt"
	"time"
)

// Handshake is the OPEN packet of every connection.
func Handshake(ping time.Duration) []byte {
	return fmt.Appendf(nil, `0{"sid":"faked","upgrades":[],"pingInterval":%d,"pingTimeout":20000,"maxPayload":1000000}`, ping.Milliseconds())
}

// Ping is a heartbeat.
var Ping = []byte("2")

// Answer appends the answer to a packet to dst, if it has one. Of a broadcast it returns what all
// clients get instead.
func Answer(dst, packet []byte) (answer, everyone []byte) {
	switch {
	case bytes.HasPrefix(packet, []byte("40")):
		return append(dst, `40{"sid":"faked"}`...), nil
	case bytes.HasPrefix(packet, []byte(`42["bcast"`)):
		return dst, packet
	case bytes.HasPrefix(packet, []byte("42")):
		i := bytes.Index(packet, []byte(`["echo",`))
		if i < 0 {
			return dst, nil
		}
		dst = append(append(dst, "43"...), packet[2:i]...)
		return append(append(dst, '['), packet[i+len(`["echo",`):]...), nil
	}
	return dst, nil
}
