package engineio

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"
)

// corked collects what is written until it is sent.
type corked struct {
	net.Conn
	on  bool
	out []byte
}

func (c *corked) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	c.out = append(c.out, b...)
	return len(b), nil
}

// cork opens a TLS connection, and asks for an upgrade without sending that yet.
func (e *edge) cork() (*tls.Conn, *corked) {
	e.t.Helper()
	under, err := e.dialer()
	if err != nil {
		e.t.Fatal(err)
	}
	defer under.Close()
	raw, err := net.Dial("tcp", under.RemoteAddr().String())
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { raw.Close() })
	cork := &corked{Conn: raw}
	nc := tls.Client(cork, &tls.Config{InsecureSkipVerify: true})
	if err := nc.Handshake(); err != nil {
		e.t.Fatal(err)
	}
	cork.on = true
	fmt.Fprintf(nc, upgradeRequest, "EIO=4&transport=websocket", "edge.test", "")
	return nc, cork
}

// Records that arrive together with the upgrade are in TLS when a loop takes the connection
// over, where no descriptor tells of them.
func TestRecordsBehindTheUpgrade(t *testing.T) {
	f := &floor{}
	e := newEdgeOn(t, sealing, Config{}, f)
	nc, cork := e.cork()
	for _, text := range []string{"4one", "4two", "4three"} { // a record each
		nc.Write(frame(0x81, []byte(text)))
	}
	cork.Conn.Write(cork.out)
	c := &client{t: t, conn: nc, in: bufio.NewReader(nc)}
	var err error
	for line := ""; line != "\r\n"; {
		if line, err = c.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	parseOpen(t, c.read())
	c.want("4one", "4two", "4three")
}

// A client that says goodbye in the same breath is closed, though nothing more will arrive.
func TestGoodbyeBehindTheUpgrade(t *testing.T) {
	f := &floor{}
	e := newEdgeOn(t, sealing, Config{}, f)
	nc, cork := e.cork()
	nc.CloseWrite()
	cork.Conn.SetWriteDeadline(time.Time{}) // CloseWrite has set one
	cork.Conn.Write(cork.out)
	f.wantClosed(t, TransportClose)
}
