package edge

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/deadline"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// lingerTime is how long a client that was refused may take to close, lingerBytes what it may send
// meanwhile: closing with bytes unread would make the kernel take the answer back.
const (
	lingerTime  = 300 * time.Millisecond
	lingerBytes = 256 << 10
)

// arrival is a connection that stands at the door.
type arrival struct {
	// Static after door.arrive.
	door   *door
	place  *place
	remote netip.AddrPort

	mu       sync.Mutex // guards the following fields
	desc     loop.Descriptor
	wait     deadline.Deadline // for the head, then for the end
	held     []byte            // the head, as far as it is here, if that is not all of it
	head     head
	serving  bool // its request is being answered: whoever does that has it
	answered bool // it was refused, and the client may close
	sent     int  // by the client since
	over     bool // closed, taken over or passed on
}

func (a *arrival) seat() *place { return a.place }

// Seen implements loop.Arrival.
func (a *arrival) Seen() { a.place.begin() }

// Ready implements loop.Handler.
func (a *arrival) Ready(_ loop.Events, buf []byte) {
	a.place.begin()
	b, size := a.receive(buf)
	switch {
	case b == nil:
	case size == 0 || !a.answer(b[:size], b[size:]):
		a.pass(b)
	}
}

// receive takes what has come. Once a request head is here, or what cannot become one, it returns
// all that has come: the first size bytes are a head for us, or it is 0 and net/http has to see them.
func (a *arrival) receive(buf []byte) (b []byte, size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.serving {
		return nil, 0 // closed since the loop looked
	}
	n, err := a.desc.Read(buf)
	switch {
	case err == loop.ErrNotNow:
		return nil, 0
	case err != nil || n == 0:
		a.closeLocked()
		return nil, 0
	case a.answered:
		if a.sent += n; a.sent > lingerBytes {
			a.closeLocked()
		}
		return nil, 0
	}
	b = buf[:n]
	if a.held != nil {
		a.held = append(a.held, b...)
		b = a.held
	}
	size, f := a.head.scan(b, &a.door.listener.head)
	if size == 0 && f == nil {
		if a.held == nil {
			a.held = bytes.Clone(b)
		}
		return nil, 0
	}
	a.held = nil
	a.serving = true
	a.wait.Remove()
	if !a.isUpgrade(b[:size]) || len(b)-size > maxEarly {
		size = 0
	}
	return b, size
}

// isUpgrade says whether a checked head asks for a WebSocket, in a way that leaves nothing to net/http.
func (a *arrival) isUpgrade(b []byte) bool {
	h := &a.head
	target, get := bytes.CutPrefix(b, []byte("GET "))
	return get && h.upgrade && !h.chunked && h.length == 0 && !h.oldVersion && !h.underscored && bytes.HasPrefix(target, a.door.path)
}

// answer serves a request, of which ahead is what came behind it. It returns false if it does not.
func (a *arrival) answer(request, ahead []byte) bool {
	r, err := a.door.request(request)
	if err != nil {
		return false
	}
	r.RemoteAddr = a.remote.String()
	if a.place.proxied { // the only thing that is asked of it: the place is given up in a moment
		r = r.WithContext(withConn(r.Context(), a))
	}
	w := &reply{arrival: a, ahead: ahead, header: make(http.Header)}
	a.handle(w, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serving = false
	switch {
	case a.over:
		if a.desc.Started() {
			a.desc.Close() // taken over, and handed to nobody
		}
	case w.status == 0: // it panicked
		a.closeLocked()
	default:
		b := w.bytes()
		// Nothing was sent before: there is room for it unless the client is hostile.
		if n, err := a.desc.Write(b); err != nil || n < len(b) || a.door.isClosed() {
			a.closeLocked()
			return true
		}
		a.desc.CloseWrite()
		a.answered = true
		a.door.goodbyes.Add(&a.wait, a)
	}
	return true
}

// handle calls the handler as net/http would: a panic ends the connection, not the process.
func (a *arrival) handle(w *reply, r *http.Request) {
	defer func() {
		err := recover()
		if err == nil {
			return
		}
		w.status = 0
		if err != http.ErrAbortHandler {
			a.door.listener.log.Error("a request panicked", "err", fmt.Sprint(err), "stack", string(debug.Stack()))
		}
	}()
	a.door.handler(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// pass makes net/http serve the connection, which has sent b.
func (a *arrival) pass(b []byte) {
	a.mu.Lock()
	a.over = true
	fd := a.desc.Release()
	a.mu.Unlock()
	a.door.leave(a)
	f := os.NewFile(uintptr(fd), "client")
	nc, err := net.FileConn(f) // has a descriptor of its own
	f.Close()
	if err != nil { // for want of descriptors, most likely
		a.door.listener.refused("tcp", noResources)
		a.place.leave()
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetKeepAlive(false) // which FileConn turns on, see listenTCP
	}
	c := newConn(nc, a.place)
	c.held = bytes.Clone(b)
	a.door.pass(c)
}

// Expired implements deadline.Owner.
func (a *arrival) Expired(l *deadline.List) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && a.wait.Passed(l) {
		a.closeLocked()
	}
}

// end closes the connection, unless its request is being answered.
func (a *arrival) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.serving {
		a.closeLocked()
	}
}

func (a *arrival) closeLocked() {
	if a.over {
		return
	}
	a.over = true
	a.held = nil
	a.wait.Remove()
	a.desc.Close()
	a.door.leave(a)
	a.place.leave()
}

// taken is an arrival that a handler has taken over: a net.Conn of which nothing waits. An engine uses
// the Descriptor instead.
type taken struct{ a *arrival }

// Descriptor returns what watches the connection, which is to be handed over before the handler
// returns.
func (t taken) Descriptor() *loop.Descriptor { return &t.a.desc }

// Read implements net.Conn, with loop.ErrNotNow while there is nothing.
func (t taken) Read(b []byte) (int, error) {
	n, err := t.a.desc.Read(b)
	if err == nil && n == 0 && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn, with loop.ErrNotNow while there is no room. It may take a part.
func (t taken) Write(b []byte) (int, error) { return t.a.desc.Write(b) }

// Close implements net.Conn.
func (t taken) Close() error { t.a.desc.Close(); return nil }

// LocalAddr implements net.Conn.
func (t taken) LocalAddr() net.Addr { return t.a.door.listener.Addr() }

// RemoteAddr implements net.Conn.
func (t taken) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(t.a.remote) }

// SetDeadline implements net.Conn: there is nothing to bound, and so with the two below.
func (t taken) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t taken) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t taken) SetWriteDeadline(time.Time) error { return nil }
