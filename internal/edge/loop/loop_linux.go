package loop

import (
	"encoding/binary"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// loop is one epoll set and the goroutine that serves it.
type loop struct {
	epfd int
	// file parks the loop in Go's own poller while nothing is ready, for an epoll set is
	// readable when one of its members is: no thread waits here.
	file *os.File
	// bell is an eventfd in the set, for whom the loop has nothing else to do.
	bell int

	mu     sync.Mutex // guards the following fields
	places []place
	free   []int32 // unused indexes of places
	gen    int32
	round  int     // of looking what is ready
	fresh  []fresh // in order of time
}

// fresh is an arrival that the loop has not looked at.
type fresh struct {
	arrival Arrival
	round   int
}

// place is one of a loop's descriptors; the zero value is none.
type place struct {
	handler Handler
	gen     int32
}

// roundSize is how much of what is ready is handled before looking again.
const roundSize = 128

// longRun is how many rounds may follow each other before others have to be thought of: a few
// milliseconds of full ones.
const longRun = 8

// bellSlot is what the set has in place of a slot for the bell.
const bellSlot = -1

func newLoop() (*loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(epfd, true); err != nil { // or os.NewFile would not park
		syscall.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		syscall.Close(epfd)
		return nil, os.NewSyscallError("eventfd2", err)
	}
	err = syscall.EpollCtl(epfd, syscall.EPOLL_CTL_ADD, bell, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: bellSlot})
	if err != nil {
		syscall.Close(bell)
		syscall.Close(epfd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return &loop{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), bell: bell}, nil
}

// stop ends run. The bell outlives it: Loops.Stop closes it.
func (l *loop) stop() { l.file.Close() }

// Hurry makes every loop look soon for what connections that arrived have sent, although nothing
// may have happened on any: whoever accepts waits for that.
func (s *Loops) Hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	for _, l := range s.all {
		l.mu.Lock()
		waits := len(l.fresh) > 0
		l.mu.Unlock()
		if waits {
			syscall.Write(l.bell, one) // if it is full it rings already
		}
	}
}

// run serves the loop until its file is closed.
func (l *loop) run() {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	var events [roundSize]syscall.EpollEvent
	var ready [roundSize]Handler
	buf := make([]byte, 64<<10)
	n, rounds := 0, 0
	// Park only after epoll_wait found nothing: Go's poller reports changes, not states.
	wait := func(uintptr) bool {
		l.mu.Lock()
		l.round++
		l.mu.Unlock()
		n = epollWait(l.epfd, events[:])
		if n == 0 {
			rounds = 0
			l.see(true)
		}
		return n != 0
	}
	for {
		if err := raw.Read(wait); err != nil || n < 0 {
			return
		}
		l.mu.Lock()
		for i := range events[:n] {
			switch slot := events[i].Fd; {
			case slot == bellSlot:
				var count [8]byte
				syscall.Read(l.bell, count[:])
			case l.places[slot].gen == events[i].Pad:
				ready[i] = l.places[slot].handler
			}
		}
		l.mu.Unlock()
		for i := range events[:n] {
			if h := ready[i]; h != nil {
				ready[i] = nil
				h.Ready(Events(events[i].Events), buf)
			}
		}
		l.see(n < roundSize)
		if rounds++; rounds%longRun == 0 {
			nonblock.Rouse() // or nobody else may get this processor
		}
	}
}

// see tells arrivals that they were looked at: those that came before this round if it found all
// that was ready. If there may be more, what became ready first is found first, and nobody has to
// wait for longer than all of the others take.
func (l *loop) see(all bool) {
	l.mu.Lock()
	rounds := 0
	if !all {
		rounds = len(l.places)/roundSize + 1
	}
	n := 0
	for n < len(l.fresh) && l.fresh[n].round+rounds < l.round {
		n++
	}
	seen := l.fresh[:n:n]
	if l.fresh = l.fresh[n:]; len(l.fresh) == 0 {
		l.fresh = nil
	}
	l.mu.Unlock()
	for i := range seen {
		seen[i].arrival.Seen()
	}
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
