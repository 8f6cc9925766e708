package engineio

import (
	"crypto/tls"
	"errors"
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
	fd   int32
	slot int32  // in loop.pipes
	gen  int32  // tells it from an earlier one in the same slot
	mask uint32 // what epoll looks for; guarded by conn.sock.mu, like the registration
}

// wrapped is how a listener that wraps its connections hands out the TCP connection, nil if it
// has to see the bytes itself.
type wrapped interface{ TCPConn() *net.TCPConn }

// adopt takes the descriptor of a hijacked connection over and closes nc. It returns nil if nc is
// not plain TCP.
func (p *poller) adopt(c *conn, nc net.Conn) (pipe, error) {
	if _, ok := nc.(*tls.Conn); ok {
		return nil, nil
	}
	tcp, ok := nc.(*net.TCPConn)
	if w, is := nc.(wrapped); is && !ok {
		tcp = w.TCPConn()
	}
	if tcp == nil {
		return nil, nil
	}
	l, err := p.pick()
	if err != nil {
		return nil, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
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
	if err := errors.Join(cerr, err); err != nil {
		return nil, err
	}
	nc.Close()
	return &epollPipe{conn: c, loop: l, fd: int32(fd), slot: -1}, nil
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

	n, errno := rawRead(e.fd, buf)
	var lost Reason
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
	case errno != 0:
		lost = TransportError
	case n == 0:
		lost = TransportClose
	case !deaf:
		c.feed(buf[:n])
	}
	c.settle(lost)
}

func (e *epollPipe) flushLocked() {
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

func (e *epollPipe) finishLocked() { syscall.Shutdown(int(e.fd), syscall.SHUT_WR) }

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

func rawRead(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
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
