package engineio

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) { // P25 W09
	f := &floor{}
	s := NewServer(Config{}, f, quiet)
	hs := httptest.NewTLSServer(s)
	defer hs.Close()
	defer s.Close(t.Context())
	nc, err := tls.Dial("tcp", hs.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc, "EIO=4&transport=websocket", nil)
	parseOpen(t, c.read())
	if !f.last().Handshake.Secure {
		t.Error("not secure")
	}
	big := "4" + strings.Repeat("x", 300_000)
	c.say(big, "4a")
	c.want(big, "4a")
	f.last().Close(ForcedClose)
	c.wantClose(1005)
}

// tcpWrapper is how a listener may wrap what it accepts and still let a loop have it.
type tcpWrapper struct {
	net.Conn
	plain *net.TCPConn
}

func (w tcpWrapper) TCPConn() *net.TCPConn { return w.plain }

func TestWrappedTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			c.Close()
		}
	}()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Config{}, nothing{}, quiet)
	defer s.Close(t.Context())
	wrapped := tcpWrapper{nc, nc.(*net.TCPConn)}
	got, _, err := s.adopt(&conn{sock: &Socket{}}, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" && got == nil {
		t.Error("not taken over")
	}
	if got != nil {
		got.destroyLocked()
	}
	if got, _, err := s.adopt(&conn{sock: &Socket{}}, tcpWrapper{Conn: nc}); got != nil || err != nil {
		t.Errorf("taken over against its will: %v %v", got, err)
	}
}

// TestAssemblyGrowth: to make us hold memory a client has to send half of it.
func TestAssemblyGrowth(t *testing.T) {
	s := NewServer(Config{}, nothing{}, quiet)
	defer s.Close(t.Context())
	sock := &Socket{server: s}
	c := &conn{sock: sock, pipe: nowhere{}}
	sock.conn = c
	f := frame(0x82, make([]byte, 900_000))
	for sent := 1; sent < len(f); sent += 1000 {
		c.feed(f[max(0, sent-1000):sent])
		if held := cap(c.in.buf); held > max(2*sent, 1024) || held > len(f) {
			t.Fatalf("%d bytes held for %d", held, sent)
		}
	}
}

// FuzzFeed: whatever arrives, in whatever pieces, is handled the same and never holds more than a
// message and its headers.
func FuzzFeed(f *testing.F) {
	f.Add(frame(0x81, []byte("4hello")), uint16(3))
	f.Add(append(frame(0x01, []byte("4he")), frame(0x80, []byte("llo"))...), uint16(1))
	f.Add(append(frame(0x01, []byte("4\xe2\x82")), append(frame(0x89, []byte("x")), frame(0x80, []byte("\xac"))...)...), uint16(2))
	f.Add(append(frame(0x82, make([]byte, 300)), frame(0x88, []byte{3, 232})...), uint16(100))
	f.Add([]byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, uint16(5))
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		run := func(step int) []string {
			h := &floor{mute: true}
			s := NewServer(Config{MaxPayload: 1000, MaxFragments: 10}, h, quiet)
			sock := &Socket{server: s, Peer: "open", SID: s.newSID()}
			c := &conn{sock: sock, pipe: nowhere{}}
			sock.conn = c
			s.tasks.Add(1) // what closing takes back
			for at := 0; at < len(b) && !c.broken; at += step {
				sock.cork()
				c.feed(b[at:min(at+step, len(b))])
				sock.uncork()
				if c.in != nil && cap(c.in.buf) > 2*(1000+10*14) {
					t.Fatalf("%d bytes held", cap(c.in.buf))
				}
			}
			sock.mu.Lock()
			if c.assembling != nil {
				c.assembling.Remove()
			}
			c.unlimitLocked()
			r := sock.reason
			sock.mu.Unlock()
			if r == 0 {
				s.tasks.Done()
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if h.faults != nil {
				t.Errorf("handler contract: %v", h.faults)
			}
			return append(h.heard(), r.String())
		}
		whole, pieces := run(len(b)+1), run(int(step)+1)
		if strings.Join(whole, "|") != strings.Join(pieces, "|") {
			t.Errorf("at once %q, in pieces %q", whole, pieces)
		}
	})
}
