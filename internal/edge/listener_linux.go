package edge

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unsent bounds what the kernel takes for a client beyond what is on its way there. More would only
// hide from us that a client does not read: it then waits in our queue, where it is counted.
const unsent = 128 << 10

// prepareSocket sets what connections inherit from their listener.
func prepareSocket(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) // without it all works as well
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)            // as package net sets it later
	})
}

// rawSource is a source of descriptors.
type rawSource struct {
	addr net.Addr
	file *os.File // the listening socket
	raw  syscall.RawConn
}

// newRawSource takes l over.
func newRawSource(l *net.TCPListener) (source, error) {
	file, err := l.File()
	if err != nil {
		return nil, err
	}
	l.Close() // file is another descriptor for the same socket
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &rawSource{l.Addr(), file, raw}, nil
}

func (s *rawSource) accept() (c caller, err error) {
	waitErr := s.raw.Read(func(fd uintptr) bool {
		for {
			var from unix.RawSockaddrInet6 // room for an IPv4 one as well
			size := uint32(unsafe.Sizeof(from))
			// It never blocks, so that the scheduler need not be told about it.
			n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)),
				unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
			switch e {
			case 0:
				c.fd, c.remote = int32(n), peer(&from)
				return true
			case unix.EAGAIN:
				return false
			case unix.EINTR:
			case unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
				// What happened to the connection before we had it (accept(2), "Error handling").
			default:
				err = os.NewSyscallError("accept4", e)
				return true
			}
		}
	})
	if waitErr != nil {
		return caller{}, net.ErrClosed // there is no other reason
	}
	return c, err
}

// peer is an address as package net would show it.
func peer(a *unix.RawSockaddrInet6) netip.AddrPort {
	if a.Family == unix.AF_INET {
		a4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(a4.Addr), bigEndian(a4.Port))
	}
	ip := netip.AddrFrom16(a.Addr).Unmap()
	if a.Scope_id != 0 && ip.Is6() {
		zone := strconv.Itoa(int(a.Scope_id))
		if i, err := net.InterfaceByIndex(int(a.Scope_id)); err == nil {
			zone = i.Name
		}
		ip = ip.WithZone(zone)
	}
	return netip.AddrPortFrom(ip, bigEndian(a.Port))
}

func bigEndian(port uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, port))
}

func (s *rawSource) resize(n int)   { resize(s.raw, n) }
func (s *rawSource) Addr() net.Addr { return s.addr }
func (s *rawSource) Close() error   { return s.file.Close() }

func (s netSource) resize(n int) {
	if tcp, ok := s.Listener.(*net.TCPListener); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			resize(raw, n)
		}
	}
}

// resize is listen(2), which on a listener changes the length of the queue alone.
func resize(raw syscall.RawConn, n int) { raw.Control(func(fd uintptr) { unix.Listen(int(fd), n) }) }

// control calls f with the caller's descriptor, unless it has none.
func (c caller) control(f func(fd int)) {
	if c.Conn == nil {
		f(int(c.fd))
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { f(int(fd)) })
		}
	}
}

// waited is how long ago the client sent something that we have not begun to read, which for a new
// connection is how long it has waited for us, and whether it has gone since.
func (c caller) waited() (age time.Duration, gone bool) {
	c.control(func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			age = time.Duration(info.Last_data_recv) * time.Millisecond
			gone = info.State != unix.BPF_TCP_ESTABLISHED
		}
	})
	return age, gone
}

// turnAway answers and closes. What the client has sent is read first: closing with bytes unread
// would make the kernel take the answer back.
func (c caller) turnAway(answer []byte) {
	if len(answer) > 0 {
		c.control(func(fd int) { // neither call blocks
			var head [4096]byte
			unix.Read(fd, head[:])
			unix.Write(fd, answer)
		})
	}
	if c.Conn == nil {
		unix.Close(int(c.fd))
		return
	}
	c.Close()
}
