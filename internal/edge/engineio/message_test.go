package engineio

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestMessage(t *testing.T) {
	for _, n := range []int{0, 1, 124, 125, 126, 65534, 65535, 65536} {
		text := strings.Repeat("x", n)
		attachments := [][]byte{{1, 2, 3}, {}, bytes.Repeat([]byte{7}, n)}
		want := frameBytes(finText, []byte("4"+text))
		for _, a := range attachments {
			want = append(want, frameBytes(finBinary, a)...)
		}
		for name, m := range map[string]*Message{
			"NewMessage":     NewMessage([]byte(text), attachments),
			"NewMessageFunc": NewMessageFunc(func(dst []byte) []byte { return append(dst, text...) }, attachments),
		} {
			if !bytes.Equal(m.frames, want) || m.Size() != len(want) || m.packets() != 4 {
				t.Errorf("%s of %d bytes: %.40q, want %.40q", name, n, m.frames, want)
			}
			payload := string(m.appendPayload([]byte("6")))
			if w := "6\x1e4" + text + "\x1ebAQID\x1eb\x1eb" + base64.StdEncoding.EncodeToString(attachments[2]); payload != w {
				t.Errorf("%s of %d bytes: payload %.40q, want %.40q", name, n, payload, w)
			}
			if len(payload) > 1+m.payloadSize() {
				t.Errorf("%s of %d bytes: payload of %d bytes, announced %d", name, n, len(payload), m.payloadSize())
			}
		}
	}
}

func frameBytes(first byte, payload []byte) []byte {
	return append(appendFrameHeader(nil, first, len(payload)), payload...)
}

func TestBinaryMessage(t *testing.T) {
	m := NewBinaryMessage([]byte{1, 2, 3})
	if string(m.frames) != "\x82\x03\x01\x02\x03" || string(m.appendPayload(nil)) != "bAQID" || m.packets() != 1 {
		t.Errorf("%q %q", m.frames, m.appendPayload(nil))
	}
}

func TestReasons(t *testing.T) { // the words that clients know
	for r, want := range map[Reason]string{
		TransportClose: "transport close", TransportError: "transport error", ForcedClose: "forced close",
		PingTimeout: "ping timeout", ParseError: "parse error", ServerShutdown: "server shutting down",
		SlowConsumer: "forced close", Stalled: "forced close",
	} {
		if r.String() != want {
			t.Errorf("%d: %s", r, r)
		}
	}
}
