package eio

import (
	"bytes"
	"iter"
)

// Separator stands between the packets of a polling payload (engine.io-protocol, "HTTP
// long-polling").
const Separator = 0x1e

// Packets yields the packets of a polling payload one after the other, and stops after the first
// error. A payload holds at least one packet. It takes ownership of payload, as ParseText does;
// it makes no list, so that half a million empty packets cost nothing before they are looked at.
func Packets(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for more := true; more; {
			element := payload
			if i := bytes.IndexByte(payload, Separator); i >= 0 {
				element, payload = payload[:i], payload[i+1:]
			} else {
				more = false
			}
			p, err := parse(element)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
