// Command epoll is the limit of a server in Go: connections are upgraded by net/http and then
// handled by one bare epoll loop, without a goroutine, a buffer or a limit of their own.
package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/bench/peers/faked"
)

// loop owns all connections once they are upgraded.
type loop struct {
	epfd  int
	ping  time.Duration
	fresh chan int // upgraded, handed over
	conns map[int32]*conn
	in    []byte
	out   []byte
}

// conn is what has been read of a frame or could not be written yet.
type conn struct{ in, out []byte }

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address for clients")
	ping := flag.Duration("ping-interval", 25*time.Second, "time between heartbeats")
	flag.Parse()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		log.Fatal(err)
	}
	l := &loop{epfd: epfd, ping: *ping, fresh: make(chan int, 1024), conns: make(map[int32]*conn), in: make([]byte, 64<<10)}
	go l.run() // until the process ends
	log.Fatal(http.ListenAndServe(*listen, l))
}

func (l *loop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nc, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer nc.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	hello := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	if _, err := nc.Write(appendFrame(hello, faked.Handshake(l.ping))); err != nil {
		return
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(s uintptr) {
		if fd, err := unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			l.fresh <- fd
		}
	})
}

func (l *loop) run() {
	events := make([]unix.EpollEvent, 512)
	next := time.Now().Add(l.ping)
	for {
		n, _ := unix.EpollWait(l.epfd, events, 2)
		for _, ev := range events[:max(n, 0)] {
			l.ready(ev.Fd, ev.Events)
		}
		for len(l.fresh) > 0 {
			fd := <-l.fresh
			l.conns[int32(fd)] = new(conn)
			unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		}
		if time.Now().After(next) {
			next = next.Add(l.ping)
			l.everyone(appendFrame(nil, faked.Ping))
		}
	}
}

func (l *loop) ready(fd int32, events uint32) {
	c := l.conns[fd]
	if c == nil {
		return
	}
	if events&unix.EPOLLOUT != 0 {
		waiting := c.out
		c.out = nil
		l.write(fd, c, waiting)
		unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: interest(c), Fd: fd})
	}
	if events&^uint32(unix.EPOLLOUT) == 0 {
		return
	}
	n, err := unix.Read(int(fd), l.in)
	if n <= 0 {
		if err != unix.EAGAIN {
			l.drop(fd)
		}
		return
	}
	b := l.in[:n]
	if c.in != nil {
		b = append(c.in, b...)
	}
	l.out = l.out[:0]
	var rest []byte
	for {
		packet, after, closed := frame(b)
		if closed {
			l.drop(fd)
			return
		}
		if packet == nil {
			rest = b
			break
		}
		b = after
		answer, everyone := faked.Answer(nil, packet)
		if everyone != nil {
			l.everyone(appendFrame(nil, everyone))
		}
		if answer != nil {
			l.out = appendFrame(l.out, answer)
		}
	}
	c.in = nil
	if len(rest) > 0 {
		c.in = append(c.in, rest...)
	}
	l.write(fd, c, l.out)
}

func (l *loop) everyone(frame []byte) {
	for fd, c := range l.conns {
		l.write(fd, c, frame)
	}
}

func (l *loop) write(fd int32, c *conn, b []byte) {
	if len(b) == 0 {
		return
	}
	if c.out != nil {
		c.out = append(c.out, b...)
		return
	}
	n, _ := unix.Write(int(fd), b)
	if n = max(n, 0); n < len(b) {
		c.out = append(c.out, b[n:]...)
		unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: interest(c), Fd: fd})
	}
}

func interest(c *conn) uint32 {
	if c.out != nil {
		return unix.EPOLLIN | unix.EPOLLOUT
	}
	return unix.EPOLLIN
}

func (l *loop) drop(fd int32) {
	delete(l.conns, fd)
	unix.Close(int(fd))
}

// frame takes a client's frame off b and unmasks it. packet is nil while it is not complete.
func frame(b []byte) (packet, rest []byte, closed bool) {
	if len(b) < 6 {
		return nil, b, false
	}
	size, head := int(b[1]&0x7f), 2
	switch size {
	case 126:
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		return nil, b, true // larger than anything that the generator sends here
	}
	if len(b) < head+4+size {
		return nil, b, false
	}
	mask, packet := b[head:head+4], b[head+4:head+4+size]
	for i := range packet {
		packet[i] ^= mask[i&3]
	}
	return packet, b[head+4+size:], b[0]&0xf == 8
}

func appendFrame(dst, packet []byte) []byte {
	dst = append(dst, 0x81)
	if len(packet) < 126 {
		dst = append(dst, byte(len(packet)))
	} else {
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(len(packet)))
	}
	return append(dst, packet...)
}
