package engineio

import (
	"bytes"
	"testing"
)

// What is answered without gorilla is answered as gorilla would.
func TestUsualCloseIsWhatGorillaAnswers(t *testing.T) {
	pool := &readers{}
	mask := []byte{1, 2, 3, 4}
	usual := 0
	for code := -1; code < 5000; code++ {
		var payload []byte
		if code >= 0 {
			payload = []byte{byte(code >> 8), byte(code)}
		}
		frame := append([]byte{finClose, 0x80 | byte(len(payload))}, mask...)
		for i, b := range payload {
			frame = append(frame, b^mask[i])
		}
		answer := usualClose(frame, frameHeader{size: 6, payload: len(payload), opcode: opClose, legal: true, final: true})
		if answer == nil {
			continue
		}
		usual++
		r := pool.get()
		r.memory.in, r.memory.behind = bytes.Clone(frame), terminator
		r.message(0) // the error is the close frame
		if !bytes.Equal(answer, r.memory.out) {
			t.Errorf("code %d: answered % x, gorilla % x", code, answer, r.memory.out)
		}
	}
	if usual != 3 {
		t.Errorf("%d are answered, want empty, 1000 and 1001", usual)
	}
	long := append(append([]byte{finClose, 0x80 | 5}, mask...), 0x03^1, 0xe8^2, 'b'^3, 'y'^4, 'e'^1)
	if answer := usualClose(long, frameHeader{size: 6, payload: 5, opcode: opClose}); answer != nil {
		t.Errorf("with a reason: % x", answer)
	}
}

// Of all messages of up to two bytes the pong alone is read without gorilla.
func TestUsualPongIsWhatGorillaReads(t *testing.T) {
	pool := &readers{}
	usual := 0
	for _, first := range []byte{finText, finBinary} {
		for size := range 3 {
			for i := range 1 << (8 * size) {
				payload := []byte{byte(i), byte(i >> 8)}[:size]
				wire := frame(first, payload)
				h, ok := parseFrameHeader(wire)
				if !ok || !usualPong(wire, h) {
					continue
				}
				usual++
				r := pool.get()
				r.memory.in = bytes.Clone(wire)
				if typ, data, err := r.message(size); err != nil || typ != opText || !bytes.Equal(data, pong) {
					t.Errorf("% x: gorilla reads type %d, %q, %v", wire, typ, data, err)
				}
			}
		}
	}
	if usual != 1 {
		t.Errorf("%d messages are taken for a pong", usual)
	}
}
