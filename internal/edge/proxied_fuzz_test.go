package edge

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// sent is a connection whose client sends these bytes and no more.
type sent struct {
	io.Reader
	net.Conn
}

func (s sent) Read(b []byte) (int, error)      { return s.Reader.Read(b) }
func (s sent) SetReadDeadline(time.Time) error { return nil }
func (s sent) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// FuzzProxyHeader: a header is taken whole or not at all, of at most 4 KiB, and what is behind it is
// handed on.
func FuzzProxyHeader(f *testing.F) {
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	for _, seed := range []string{"", "PROXY TCP4 192.0.2.7 192.0.2.2 5 80\r\nGET /", "PROXY UNKNOWN\r\n", "PROXY TCP6 2001:db8::7 ::1 5 80\r\n", "PROXY TCP4 a b c d\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 99999 80\r\n", "GET / HTTP/1.1\r\n",
		v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x02\x00\x05\x00\x50GET /", v2 + "\x20\x00\x00\x00", v2 + "\x21\x11\xff\xff", v2 + "\x21\x31\x00\xd8" + strings.Repeat("a", 216), v2, "PROXY " + strings.Repeat("x", 5000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &proxied{Conn: sent{Reader: bytes.NewReader(b)}, refused: func(string, string) {}}
		if p.RemoteAddr() == nil {
			t.Error("nobody's address")
		}
		rest, err := io.ReadAll(p)
		if err != nil {
			if p.client != nil || len(rest) > 0 {
				t.Errorf("%q: %v, and yet %v and %q", b, err, p.client, rest)
			}
			return
		}
		if !bytes.HasSuffix(b, rest) || len(rest) == len(b) || len(b)-len(rest) > maxProxy {
			t.Errorf("%q: %q is handed on", b, rest)
		}
	})
}
