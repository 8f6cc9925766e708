package edge

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unsent bounds what the kernel takes for a client beyond what is on its way there. More would only
// hide from us that a client does not read: it then waits in our queue, where it is counted.
const unsent = 128 << 10

// prepareSocket sets what connections inherit from their listener.
func prepareSocket(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) // without it all works as well
	})
}

// waited is how long ago the client sent something that we have not begun to read, which for a new
// connection is how long it has waited for us, and whether it has gone since.
func waited(c net.Conn) (age time.Duration, gone bool) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			age = time.Duration(info.Last_data_recv) * time.Millisecond
			gone = info.State != unix.BPF_TCP_ESTABLISHED
		}
	})
	return age, gone
}

// resizeQueue says how many connections the kernel may keep for us to accept.
func resizeQueue(l net.Listener, n int) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Listen(int(fd), n) }) // on a listener it changes the length alone
	}
}

// turnAway answers and closes. What the client has sent is read first: closing with bytes unread
// would make the kernel take the answer back.
func turnAway(c net.Conn, answer []byte) {
	defer c.Close()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		c.Write(answer)
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	if len(answer) == 0 {
		return
	}
	raw.Control(func(fd uintptr) { // neither call blocks
		var head [4096]byte
		unix.Read(int(fd), head[:])
		unix.Write(int(fd), answer)
	})
}
