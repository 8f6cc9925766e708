package engineio

import (
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// textCheck checks the text of a message that arrives in parts, so that a bad one ends with the
// part that makes it bad (RFC 6455, section 8.1).
type textCheck struct {
	on   bool
	rest [utf8.UTFMax - 1]byte // an incomplete character at the end of the last part
	n    int
}

// add checks more of the payload of a frame, which the key masks. from is where in the frame's payload
// that begins.
func (t *textCheck) add(key, payload []byte, from int) bool {
	if !t.on {
		return true
	}
	var buf [512]byte
	for at := 0; at < len(payload); {
		text := append(buf[:0], t.rest[:t.n]...)
		for at < len(payload) && len(text) < cap(buf[:]) {
			text = append(text, payload[at]^key[(from+at)&3])
			at++
		}
		whole := len(text)
		for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
			if b := text[len(text)-i]; utf8.RuneStart(b) {
				if !utf8.FullRune(text[len(text)-i:]) {
					whole -= i
				}
				break
			}
		}
		if !utf8.Valid(text[:whole]) {
			return false
		}
		t.n = copy(t.rest[:], text[whole:])
	}
	return true
}

// invalidText ends the connection. It returns false.
func (c *conn) invalidText() bool {
	return c.fail("utf-8", closeFrame(websocket.CloseInvalidFramePayloadData, "invalid UTF-8"), TransportError)
}
