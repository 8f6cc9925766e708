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

// waited is how long ago the client sent something that we have not begun to read. Of a new
// connection that is how long it has waited for us.
func waited(c net.Conn) time.Duration {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	var age time.Duration
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			age = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return age
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
	raw.Control(func(fd uintptr) { // neither call blocks
		var head [4096]byte
		unix.Read(int(fd), head[:])
		unix.Write(int(fd), answer)
	})
}
