package access

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/status"
)

// elsewhere is a connection of another machine.
type elsewhere struct{ net.Conn }

func (elsewhere) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7070} }
func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 50000} }

// nearby is one of this machine.
type nearby struct{ net.Conn }

func (nearby) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7070} }
func (nearby) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000} }

// Whoever could read a connection has the token that came over it, so that it is not taken, good or
// not.
func TestATokenOverPlainTextIsRefused(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	g, err := NewGuard(Config{Files: Files{Access: write(t, t.TempDir(), "access.yaml", somebody, 0o600)}, Log: log, Audit: log})
	if err != nil {
		t.Fatal(err)
	}
	const good = "test" // whose hash somebody has
	for _, c := range []struct {
		name  string
		conn  net.Conn
		tls   bool
		token string
		want  string
	}{
		{"plain, from elsewhere", elsewhere{}, false, good, errPlain.Error()},
		{"plain, from elsewhere, unknown", elsewhere{}, false, "guess", errPlain.Error()},
		{"plain, from elsewhere, none", elsewhere{}, false, "", errUnknown.Error()},
		{"TLS, from elsewhere", elsewhere{}, true, good, ""},
		{"plain, on this machine", nearby{}, false, good, ""},
		{"plain, on this machine, unknown", nearby{}, false, "guess", errUnknown.Error()},
	} {
		k, err := g.admit(g.track(c.conn, c.tls), c.token)
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want || err == nil && k.grant.Name != "a" {
			t.Errorf("%s: %+v, %v", c.name, k, status.Convert(err).Message())
		}
	}
}

// A connection that has shown nobody for long is closed; one that has stays.
func TestStrangersAreClosed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	g, err := NewGuard(Config{Files: Files{Access: write(t, t.TempDir(), "access.yaml", somebody, 0o600)}, Log: log, Audit: log})
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*conn, net.Conn) {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		return g.track(nearby{near}, false), far
	}
	known, _ := open()
	known.isKnown()
	_, far := open()
	g.recheck(time.Now().Add(patience - time.Second))
	if len(g.conns) != 2 {
		t.Fatalf("%d connections before their time", len(g.conns))
	}
	g.recheck(time.Now().Add(patience + time.Second))
	if _, there := g.conns[known]; !there || len(g.conns) != 1 {
		t.Errorf("%d connections, the known one: %v", len(g.conns), there)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the stranger is still there")
	}
}
