package loop

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// What a descriptor can be watched for.
const (
	In  Events = syscall.EPOLLIN
	Out Events = syscall.EPOLLOUT

	hungUp = syscall.EPOLLHUP | syscall.EPOLLERR
)

// Loops has the loops. They start when the first descriptor comes. The zero value is ready to use.
// All methods may be called concurrently.
type Loops struct {
	mu    sync.Mutex // guards the following fields
	all   []*loop
	want  int // as many
	next  int
	ended bool
	done  sync.WaitGroup // the loops; Stop waits
}

// Own returns the place of a descriptor in one of the loops, in which it is not watched yet.
func (s *Loops) Own(fd int32) (Descriptor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return Descriptor{}, errStopped
	}
	if s.want == 0 {
		s.want = runtime.GOMAXPROCS(0)
	}
	for len(s.all) < s.want {
		l, err := newLoop()
		if err != nil && len(s.all) > 0 {
			break // those that there are do as well
		}
		if err != nil {
			return Descriptor{}, err
		}
		s.all = append(s.all, l)
		s.done.Go(l.run)
	}
	s.next = (s.next + 1) % len(s.all)
	return Descriptor{fd: fd, loop: s.all[s.next], slot: -1}, nil
}

// Duplicate is Own for another descriptor of a connection, of which Go knows nothing. The connection
// stays open beside it.
func (s *Loops) Duplicate(tcp *net.TCPConn) (Descriptor, error) {
	d, err := s.Own(-1)
	if err != nil {
		return d, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return d, err
	}
	cerr := raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			err = os.NewSyscallError("dup", errno)
			return
		}
		d.fd = int32(n) // shares the flags of the old one, O_NONBLOCK among them
	})
	return d, errors.Join(cerr, err)
}

// Stop ends the loops and waits for them. The descriptors have to be gone. Stopping again does
// nothing.
func (s *Loops) Stop() {
	s.mu.Lock()
	ended := s.ended
	s.ended = true
	s.mu.Unlock()
	if ended {
		return
	}
	for _, l := range s.all { // nobody changes them any more
		l.stop()
	}
	s.done.Wait()
	for _, l := range s.all {
		syscall.Close(l.bell)
	}
}

// Descriptor is a descriptor that a loop watches. Its methods are not to be called concurrently,
// except Read and Write: its Handler guards it with a lock that Ready takes, and with which Start or
// Arrive was called.
type Descriptor struct {
	loop *loop
	fd   int32
	slot int32 // in loop.places; -1: not watched
	gen  int32 // tells it from an earlier one in the same slot
	mask Events
}

// Start begins to watch.
func (d *Descriptor) Start(mask Events, h Handler) error {
	l := d.loop
	d.mask = mask
	l.mu.Lock()
	d.enterLocked(h)
	l.mu.Unlock()
	return d.control(syscall.EPOLL_CTL_ADD)
}

// Arrive is Start for a connection that was just accepted.
func (d *Descriptor) Arrive(mask Events, a Arrival) error {
	if err := d.Start(mask, a); err != nil {
		return err
	}
	l := d.loop
	l.mu.Lock()
	l.fresh = append(l.fresh, fresh{a, l.round})
	l.mu.Unlock()
	return nil
}

// Started reports whether the descriptor is watched.
func (d *Descriptor) Started() bool { return d.slot >= 0 }

// Hand makes h the Handler, and returns the place for it, which takes the place of d. It is for the
// present Handler, in its Ready.
func (d *Descriptor) Hand(h Handler) Descriptor {
	own := *d
	l := d.loop
	l.mu.Lock()
	l.places[d.slot].handler = h
	l.mu.Unlock()
	d.slot = -1
	return own
}

// Look changes what is watched for.
func (d *Descriptor) Look(mask Events) error {
	if d.mask == mask {
		return nil
	}
	d.mask = mask
	if d.slot < 0 {
		return nil
	}
	return d.control(syscall.EPOLL_CTL_MOD)
}

// Mask is what is watched for.
func (d *Descriptor) Mask() Events { return d.mask }

// Release ends watching and returns the descriptor, which the caller has to close.
func (d *Descriptor) Release() int32 {
	if d.slot >= 0 {
		d.control(syscall.EPOLL_CTL_DEL) // cannot fail: it is there
		d.leave()
	}
	return d.fd
}

// Close closes the descriptor. Events that were found before are not told of any more, but Ready may
// be running, unless it is Ready that closes.
func (d *Descriptor) Close() {
	// Closing the only descriptor takes it out of the epoll set.
	syscall.Close(int(d.fd))
	if d.slot >= 0 {
		d.leave()
	}
}

// CloseWrite tells the peer that no more will come.
func (d *Descriptor) CloseWrite() { syscall.Shutdown(int(d.fd), syscall.SHUT_WR) }

// CloseRead makes the end of what the peer sends readable now.
func (d *Descriptor) CloseRead() { syscall.Shutdown(int(d.fd), syscall.SHUT_RD) }

func (d *Descriptor) enterLocked(h Handler) {
	l := d.loop
	l.gen++
	d.gen = l.gen
	if n := len(l.free); n > 0 {
		d.slot, l.free = l.free[n-1], l.free[:n-1]
		l.places[d.slot] = place{h, d.gen}
		return
	}
	d.slot = int32(len(l.places))
	l.places = append(l.places, place{h, d.gen})
}

func (d *Descriptor) leave() {
	l := d.loop
	l.mu.Lock()
	l.places[d.slot] = place{}
	l.free = append(l.free, d.slot)
	l.mu.Unlock()
	d.slot = -1
}

func (d *Descriptor) control(op int) error {
	ev := syscall.EpollEvent{Events: uint32(d.mask), Fd: d.slot, Pad: d.gen}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(d.loop.epfd, op, int(d.fd), &ev))
}

// Read is recv(2): 0 is the end, ErrNotNow that there is nothing.
func (d *Descriptor) Read(b []byte) (int, error) {
	n, errno := nonblock.Recv(int(d.fd), b)
	return n, outcome("recvfrom", errno)
}

// Write is send(2), which may take a part; ErrNotNow if there is no room.
func (d *Descriptor) Write(b []byte) (int, error) {
	n, errno := nonblock.Send(int(d.fd), b, 0)
	return n, outcome("sendto", errno)
}

// WriteMore is Write for what more follows at once, or Close: the kernel waits for that, and sends
// both together.
func (d *Descriptor) WriteMore(b []byte) (int, error) {
	n, errno := nonblock.Send(int(d.fd), b, syscall.MSG_MORE)
	return n, outcome("sendto", errno)
}

func outcome(call string, errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case syscall.EAGAIN:
		return ErrNotNow
	}
	return os.NewSyscallError(call, errno)
}
