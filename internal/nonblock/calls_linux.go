package nonblock

import (
	"syscall"
	"unsafe"
)

// Recv takes what has arrived on a socket with O_NONBLOCK: 0 is the end, EAGAIN that there is
// nothing. It is recv(2), which looks at less than read(2).
func Recv(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		afterRecv(fd)
		return int(n), 0
	}
}

// Send writes to a socket with O_NONBLOCK, which may take a part of it; EAGAIN if there is no room.
// flags are those of send(2). A peer that has gone is an error, and no signal.
func Send(fd int, b []byte, flags int) (int, syscall.Errno) {
	beforeSend()
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags|syscall.MSG_NOSIGNAL), 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// Rouse wakes the runtime's monitor if it sleeps. It costs a system call that does nothing, about
// 0.1 µs, and some microseconds if there was somebody to wake.
func Rouse() { syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }
