package edge

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/sio-edge/sio-edge/internal/edge/deadline"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// door watches plain connections until their first request head is here: none of them has a
// goroutine, a timer or a buffer of its own. A client that asks for a WebSocket, as most do,
// is answered by the loop that read its request, and stays in that loop. Any other connection is
// passed on to net/http, as if it had just been accepted.
type door struct {
	// Static after openDoor.
	listener *listener
	loops    *loop.Loops
	path     []byte // below which WebSockets are
	handler  http.HandlerFunc
	passed   chan *conn // to net/http, which takes them at once
	requests sync.Pool  // of *requestReader

	heads    deadline.List // of those whose head is awaited
	goodbyes deadline.List // of those who were answered, and are to close

	mu       sync.Mutex // guards the following fields
	arrivals map[*arrival]struct{}
	closed   bool
}

// openDoor returns a door for what l accepts.
func openDoor(l *listener, loops *loop.Loops, path string, handler http.HandlerFunc) *door {
	d := &door{listener: l, loops: loops, path: []byte(path), handler: handler, passed: make(chan *conn), arrivals: make(map[*arrival]struct{})}
	d.requests.New = func() any { return newRequestReader() }
	d.heads.Span, d.heads.Start = l.headerTimeout, l.start
	d.goodbyes.Span, d.goodbyes.Start = lingerTime, l.start
	l.hurry = loops.Hurry
	return d
}

// serve lets connections in until the listener is closed.
func (d *door) serve() error {
	for {
		c, p, err := d.listener.next()
		if err != nil {
			return err
		}
		d.arrive(c, p)
	}
}

func (d *door) arrive(c caller, p *place) {
	a := &arrival{door: d, place: p, remote: c.remote}
	desc, err := d.loops.Own(c.fd)
	if err != nil {
		d.listener.log.Warn("a connection is turned away: no loop takes it", "err", err)
		d.listener.refused("tcp", noResources)
		c.turnAway(overloaded)
		p.leave()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.desc = desc
	if !d.enter(a) || a.desc.Arrive(loop.In, a) != nil {
		a.closeLocked()
		return
	}
	d.heads.Add(&a.wait, a)
}

func (d *door) enter(a *arrival) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.arrivals[a] = struct{}{}
	}
	return !d.closed
}

func (d *door) leave(a *arrival) {
	d.mu.Lock()
	delete(d.arrivals, a)
	d.mu.Unlock()
}

func (d *door) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// close ends what still waits. The listener is closed, so that nobody comes any more.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	var all []*arrival
	for a := range d.arrivals {
		all = append(all, a)
	}
	d.mu.Unlock()
	for _, a := range all {
		a.end()
	}
	d.heads.Stop()
	d.goodbyes.Stop()
}

// passedOn is the listener that net/http has of the connections that are for it.
type passedOn struct{ *door }

// Accept implements net.Listener.
func (p passedOn) Accept() (net.Conn, error) {
	select {
	case c := <-p.passed:
		return c, nil
	case <-p.listener.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (p passedOn) Addr() net.Addr { return p.listener.Addr() }

// Close implements net.Listener.
func (p passedOn) Close() error { return p.listener.Close() }

// pass hands a connection to net/http.
func (d *door) pass(c *conn) {
	select {
	case d.passed <- c:
	case <-d.listener.closed:
		c.Close()
	}
}

// requestReader reads request heads from memory.
type requestReader struct {
	head bytes.Reader
	r    *bufio.Reader
}

func newRequestReader() *requestReader {
	r := &requestReader{}
	r.r = bufio.NewReader(&r.head)
	return r
}

var errBody = errors.New("a request that is to have no body has one")

// request parses a complete head, which head.scan has checked.
func (d *door) request(b []byte) (*http.Request, error) {
	rr := d.requests.Get().(*requestReader)
	defer d.requests.Put(rr)
	rr.head.Reset(b)
	rr.r.Reset(&rr.head)
	r, err := http.ReadRequest(rr.r)
	if err == nil && r.Body != http.NoBody {
		err = errBody // it would read on from what is given back here
	}
	return r, err
}
