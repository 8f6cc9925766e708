package engineio

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// poller reads from plain TCP connections without a goroutine for each: their descriptors wait in
// epoll sets, one for each loop.
type poller struct {
	mu    sync.Mutex // guards the following fields
	loops []*loop
	next  int
	err   error
	ended bool
	done  sync.WaitGroup // the loops; stop waits
}

// loop is one epoll set and the goroutine that serves it.
type loop struct {
	epfd int
	// file parks the loop in Go's own poller while nothing is ready, for an epoll set is
	// readable when one of its members is: no thread waits here.
	file *os.File

	mu    sync.Mutex // guards the following fields
	pipes []*epollPipe
	free  []int32 // unused indexes of pipes
	gen   int32
}

// epollPipe carries a descriptor of which Go knows nothing.
type epollPipe struct {
	conn *conn
	loop *loop
	tls  *sealed // nil: plain
	fd   int32
	slot int32  // in loop.pipes
	gen  int32  // tells it from an earlier one in the same slot
	mask uint32 // what epoll looks for; guarded by conn.sock.mu, like the registration
}

// sealed is TLS on a descriptor.
type sealed struct {
	conn    *tls.Conn
	carrier *Carrier
}

// wrapped is how a listener that wraps its connections hands out the TCP connection, nil if it
// has to see the bytes itself.
type wrapped interface{ TCPConn() *net.TCPConn }

// secured is the same for a connection on which TLS is spoken.
type secured interface{ TLSConn() (*tls.Conn, *Carrier) }

// adopt takes the descriptor of a hijacked connection over and closes nc. It returns nil if nc is
// neither plain TCP nor TLS over a Carrier of that. ahead is what TLS has read already.
func (p *poller) adopt(c *conn, nc net.Conn) (_ pipe, ahead []byte, _ error) {
	tcp, ok := nc.(*net.TCPConn)
	if w, is := nc.(wrapped); is && !ok {
		tcp = w.TCPConn()
	}
	var seal *sealed
	if w, is := nc.(secured); is && tcp == nil {
		if conn, carrier := w.TLSConn(); conn != nil {
			seal = &sealed{conn, carrier}
			tcp, _ = carrier.Conn.(*net.TCPConn)
			if w, is := carrier.Conn.(wrapped); is {
				tcp = w.TCPConn()
			}
		}
	}
	if tcp == nil {
		return nil, nil, nil
	}
	l, err := p.pick()
	if err != nil {
		return nil, nil, err
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return nil, nil, err
	}
	e := &epollPipe{conn: c, loop: l, fd: fd, slot: -1}
	if seal == nil {
		nc.Close()
		return e, nil, nil
	}
	e.tls = seal
	tcp.Close() // not nc, which would say goodbye
	seal.carrier.Conn, seal.carrier.fd = nil, fd
	// What TLS has read of the network is not readable any more, as far as epoll can tell.
	var buf scratch
	defer buf.free()
	n, err := e.read(buf.get(), 0)
	if err != nil {
		syscall.Shutdown(int(fd), syscall.SHUT_RD) // the end is readable, and the loop finds it
	}
	return e, append([]byte(nil), buf.get()[:n]...), nil
}

// duplicate returns another descriptor for the connection, of which Go knows nothing.
func duplicate(tcp *net.TCPConn) (int32, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	cerr := raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			err = os.NewSyscallError("dup", errno)
			return
		}
		fd = int(n) // shares the flags of the old one, O_NONBLOCK among them
	})
	return int32(fd), errors.Join(cerr, err)
}

func (p *poller) pick() (*loop, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loops == nil && p.err == nil {
		for range runtime.GOMAXPROCS(0) {
			l, err := newLoop()
			if err != nil {
				p.err = err
				break
			}
			p.loops = append(p.loops, l)
			p.done.Go(l.run)
		}
	}
	if len(p.loops) == 0 || p.ended {
		return nil, errors.Join(p.err, errors.New("no poller"))
	}
	p.next = (p.next + 1) % len(p.loops)
	return p.loops[p.next], nil
}

// stop ends the loops, once all their connections are gone.
func (p *poller) stop() {
	p.mu.Lock()
	p.ended = true
	for _, l := range p.loops {
		l.file.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}

func newLoop() (*loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(epfd, true); err != nil { // or os.NewFile would not park
		syscall.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &loop{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll")}, nil
}

// run serves the loop until its file is closed.
func (l *loop) run() {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	var events [128]syscall.EpollEvent
	var ready [len(events)]*epollPipe
	buf := make([]byte, 64<<10)
	n := 0
	// Park only after epoll_wait found nothing: Go's poller reports changes, not states.
	poll := func(uintptr) bool {
		n = epollWait(l.epfd, events[:])
		return n != 0
	}
	for {
		if err := raw.Read(poll); err != nil || n < 0 {
			return
		}
		l.mu.Lock()
		for i := range events[:n] {
			if p := l.pipes[events[i].Fd]; p != nil && p.gen == events[i].Pad {
				ready[i] = p
			}
		}
		l.mu.Unlock()
		for i := range events[:n] {
			if p := ready[i]; p != nil {
				ready[i] = nil
				p.handle(events[i].Events, buf)
			}
		}
	}
}

// startLocked registers the pipe; from now on what arrives is handled.
func (e *epollPipe) startLocked() {
	l := e.loop
	l.mu.Lock()
	l.gen++
	e.gen = l.gen
	if n := len(l.free); n > 0 {
		e.slot, l.free = l.free[n-1], l.free[:n-1]
		l.pipes[e.slot] = e
	} else {
		e.slot = int32(len(l.pipes))
		l.pipes = append(l.pipes, e)
	}
	l.mu.Unlock()
	e.mask |= syscall.EPOLLIN
	e.control(syscall.EPOLL_CTL_ADD)
}

func (e *epollPipe) control(op int) {
	ev := syscall.EpollEvent{Events: e.mask, Fd: e.slot, Pad: e.gen}
	if err := syscall.EpollCtl(e.loop.epfd, op, int(e.fd), &ev); err != nil {
		e.conn.lostLocked(TransportError)
	}
}

// lookLocked changes what epoll looks for.
func (e *epollPipe) lookLocked(mask uint32) {
	if e.mask == mask {
		return
	}
	e.mask = mask
	if e.slot >= 0 {
		e.control(syscall.EPOLL_CTL_MOD)
	}
}

// handle does what epoll found. buf is the loop's.
func (e *epollPipe) handle(events uint32, buf []byte) {
	c := e.conn
	s := c.sock
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.mu.Lock()
	if c.dead {
		s.mu.Unlock()
		return
	}
	if events&syscall.EPOLLOUT != 0 {
		c.blocked = false
		e.flushLocked()
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) == 0 {
		s.mu.Unlock()
		return
	}
	if s.stop.Load()&^stopClosed != 0 && !c.probing {
		// Reading is paused. Found out now, not by Pause, so that a short pause costs nothing.
		if events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			c.lostLocked(TransportError)
		} else {
			e.lookLocked(e.mask &^ syscall.EPOLLIN)
		}
		s.mu.Unlock()
		return
	}
	c.enterLocked()
	deaf := c.broken
	s.mu.Unlock()

	n, err := e.read(buf, tlsTurn)
	if n > 0 && !deaf {
		c.feed(buf[:n])
	}
	var lost Reason
	switch err {
	case nil:
	case io.EOF:
		lost = TransportClose
	default:
		lost = TransportError
	}
	c.settle(lost)
}

// tlsTurn is how much of the network a TLS connection may read in one turn. What its records hold
// fits into the buffer of a loop together with the one record that may be there from before, so
// that nothing readable is ever left where epoll does not see it.
const tlsTurn = 40 << 10

// read takes what has arrived, up to one buffer, without waiting. Of TLS it reads no more than
// budget from the network.
func (e *epollPipe) read(buf []byte, budget int) (n int, err error) {
	if e.tls == nil {
		n, err = readNow(e.fd, buf)
		if err == nil && n == 0 {
			err = io.EOF
		}
	} else {
		e.tls.carrier.budget = budget
		for err == nil {
			var k int
			k, err = e.tls.conn.Read(buf[n:])
			n += k
		}
	}
	if err == errNotNow {
		err = nil
	}
	return n, err
}

func (e *epollPipe) flushLocked() {
	if e.tls != nil {
		e.flushTLSLocked()
		return
	}
	c := e.conn
	if c.blocked || c.doomed {
		return
	}
	var buf scratch
	defer buf.free()
	for progress := false; ; progress = true {
		out := c.gatherLocked(buf.get)
		if out == nil {
			e.lookLocked(e.mask &^ syscall.EPOLLOUT)
			c.drainedLocked()
			return
		}
		n, errno := rawWrite(e.fd, out)
		if errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR {
			c.lostLocked(TransportError)
			return
		}
		if errno != 0 {
			n = 0
		}
		c.wroteLocked(n, true)
		if n < len(out) && errno != syscall.EINTR {
			c.blocked = true
			e.lookLocked(e.mask | syscall.EPOLLOUT)
			c.stalledLocked(progress || n > 0)
			return
		}
	}
}

// tlsWrite is how much is encrypted at once: with what TLS adds to it, it fits into a scratch.
const tlsWrite = 32 << 10

func (e *epollPipe) flushTLSLocked() {
	c := e.conn
	if c.blocked || c.doomed {
		return
	}
	var plain, wire scratch
	defer plain.free()
	defer wire.free()
	for progress := false; ; {
		out := c.gatherLocked(plain.get)
		if out != nil {
			out = out[:min(len(out), tlsWrite)]
			e.tls.carrier.collect(wire.get)
			if _, err := e.tls.conn.Write(out); err != nil {
				c.lostLocked(TransportError)
				e.tls.carrier.send() // the alert that says why
				return
			}
			c.wroteLocked(len(out), true)
		}
		sent, all, err := e.tls.carrier.send()
		switch {
		case err != nil:
			c.lostLocked(TransportError)
			return
		case !all:
			c.blocked = true
			e.lookLocked(e.mask | syscall.EPOLLOUT)
			c.stalledLocked(progress || sent > 0)
			return
		case out == nil:
			e.lookLocked(e.mask &^ syscall.EPOLLOUT)
			c.drainedLocked()
			return
		}
		progress = true
	}
}

func (e *epollPipe) resumeLocked() {
	c := e.conn
	e.lookLocked(e.mask | syscall.EPOLLIN)
	if c.holds && !c.doomed {
		c.holds = false
		c.sock.server.tasks.Add(1)
		go e.catchUp()
	}
}

// catchUp handles what was held while reading was paused.
func (e *epollPipe) catchUp() {
	s := e.conn.sock
	defer s.server.tasks.Done() // Server.Close waits
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.mu.Lock()
	e.conn.enterLocked()
	s.mu.Unlock()
	e.conn.settle(0)
}

func (e *epollPipe) finishLocked() {
	if e.tls != nil {
		e.tls.conn.CloseWrite()
		e.tls.carrier.send() // if there is no room for it, the client sees an end without a goodbye
	}
	syscall.Shutdown(int(e.fd), syscall.SHUT_WR)
}

func (e *epollPipe) destroyLocked() {
	// Closing the only descriptor takes it out of the epoll set. Nobody reads from it, since
	// recvMu is held, nor writes to it, since mu is.
	syscall.Close(int(e.fd))
	if e.slot < 0 {
		return
	}
	l := e.loop
	l.mu.Lock()
	l.pipes[e.slot] = nil
	l.free = append(l.free, e.slot)
	l.mu.Unlock()
}

// The calls below never block, so that the scheduler need not be told about them.

// readNow is read(2); errNotNow if there is nothing.
func readNow(fd int32, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EAGAIN, syscall.EINTR:
		return 0, errNotNow
	}
	return 0, errno
}

// writeNow is write(2); errNotNow if there is no room.
func writeNow(fd int32, b []byte) (int, error) {
	for {
		n, errno := rawWrite(fd, b)
		switch errno {
		case 0:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, errNotNow
		}
		return 0, errno
	}
}

func rawWrite(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

// epollWait returns how many events are ready, without waiting for any; -1 if the set is gone.
func epollWait(epfd int, events []syscall.EpollEvent) int {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd),
			uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
			continue
		}
		return -1
	}
}
