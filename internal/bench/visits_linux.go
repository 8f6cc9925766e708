package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/internal/nonblock"
)

// visits are clients that join "/" over WebSocket and leave, as often as they can, over plain TCP. One
// goroutine and one epoll set serve them all: they have to cost less than what any server does
// for them.
type visits struct {
	t       Target
	to      unix.Sockaddr
	family  int
	epfd    int
	clients []visit
	buf     []byte
	next    []int // clients that come next
	failed  []int // and those that come a little later
	present int   // clients that have not left

	request, join, leave []byte
	done                 func(took time.Duration, err error)
}

// visit is one client.
type visit struct {
	fd    int
	began time.Time
	await await
	in    []byte // of what came, if that is not complete
}

// await is what a visit waits for.
type await uint8

const (
	connection await = iota
	switching
	opening
	joining
)

// measureConnects is measureVisits for visits of WebSockets without TLS.
func measureConnects(ctx context.Context, t Target, s Scenario, o Options) (Result, error) {
	r := Result{Scenario: s.String(), Connections: s.A}
	begin, end := time.Now().Add(o.For/5), time.Now().Add(o.For*6/5)
	var cpu float64
	var start time.Time
	var latencies []time.Duration
	var first error
	v, err := newVisits(t, s.A, func(took time.Duration, err error) {
		if start.IsZero() && time.Now().After(begin) {
			cpu, start, r.Done, latencies = cpuTime(t.PID), time.Now(), 0, nil
		}
		if err != nil {
			r.Lost++
			first = err
			return
		}
		r.Done++
		latencies = append(latencies, took)
	})
	if err != nil {
		return r, err
	}
	defer unix.Close(v.epfd)
	if err := v.run(ctx, end); err != nil {
		return r, err
	}
	if first != nil && r.Done == 0 {
		return r, first
	}
	r.count(time.Since(start).Seconds(), cpuTime(t.PID)-cpu, latencies)
	return r, ctx.Err()
}

func newVisits(t Target, n int, done func(time.Duration, error)) (*visits, error) {
	addr, err := net.ResolveTCPAddr("tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	v := &visits{t: t, clients: make([]visit, n), buf: make([]byte, 16<<10), done: done,
		request: upgradeRequest(t, ""), join: appendFrame(nil, opText, []byte("40"+t.Auth)),
		leave: appendFrame(appendFrame(nil, opText, []byte("41")), opClose, nil)}
	if ip := addr.IP.To4(); ip != nil {
		v.family, v.to = unix.AF_INET, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	} else {
		v.family, v.to = unix.AF_INET6, &unix.SockaddrInet6{Port: addr.Port, Addr: [16]byte(addr.IP.To16())}
	}
	if v.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return v, nil
}

// run has the clients come and go until end, and waits for those who are there then.
func (v *visits) run(ctx context.Context, end time.Time) error {
	for i := range v.clients {
		v.next = append(v.next, i)
	}
	events := make([]unix.EpollEvent, 256)
	for looked := time.Now(); v.present+len(v.next)+len(v.failed) > 0; {
		for _, i := range v.next {
			v.come(i)
		}
		v.next = v.next[:0]
		n, err := epollWait(v.epfd, events, 100*time.Millisecond)
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			i := int(ev.Fd)
			if over, err := v.ready(i); over || err != nil {
				v.part(i, err)
			}
		}
		now := time.Now()
		if now.Sub(looked) >= 100*time.Millisecond {
			looked = now
			v.next, v.failed = append(v.next, v.failed...), v.failed[:0]
			for i := range v.clients {
				if c := &v.clients[i]; c.fd >= 0 && (now.Sub(c.began) > patience || ctx.Err() != nil) {
					v.part(i, fmt.Errorf("no answer within %v", patience))
				}
			}
		}
		if now.After(end) || ctx.Err() != nil {
			v.next, v.failed = nil, nil
		}
	}
	return nil
}

// come begins a visit.
func (v *visits) come(i int) {
	c := &v.clients[i]
	*c = visit{fd: -1, began: time.Now(), in: c.in[:0]}
	v.present++
	fd, err := unix.Socket(v.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		v.part(i, os.NewSyscallError("socket", err))
		return
	}
	c.fd = fd
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	mask := uint32(unix.EPOLLIN)
	switch err := unix.Connect(fd, v.to); {
	case err == nil:
		if err := v.write(c, v.request, switching); err != nil {
			v.part(i, err)
			return
		}
	case errors.Is(err, unix.EINPROGRESS):
		mask = unix.EPOLLOUT
	default:
		v.part(i, os.NewSyscallError("connect", err))
		return
	}
	if err := unix.EpollCtl(v.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: mask, Fd: int32(i)}); err != nil {
		v.part(i, os.NewSyscallError("epoll_ctl", err))
	}
}

// part ends a visit.
func (v *visits) part(i int, err error) {
	c := &v.clients[i]
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
	v.present--
	v.done(time.Since(c.began), err)
	if err == nil {
		v.next = append(v.next, i)
	} else {
		v.failed = append(v.failed, i)
	}
}

func (v *visits) write(c *visit, b []byte, then await) error {
	n, errno := nonblock.Send(c.fd, b, 0)
	if errno != 0 || n < len(b) { // so little fits at once, or something is wrong
		return fmt.Errorf("write: %d of %d bytes, %w", n, len(b), errno)
	}
	c.await = then
	return nil
}

// ready goes on with a visit of which something has come, and says whether it is over.
func (v *visits) ready(i int) (over bool, err error) {
	c := &v.clients[i]
	if c.await == connection {
		if errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
			return false, fmt.Errorf("connect: %w", unix.Errno(errno))
		}
		if err := unix.EpollCtl(v.epfd, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return false, os.NewSyscallError("epoll_ctl", err)
		}
		return false, v.write(c, v.request, switching)
	}
	n, errno := nonblock.Recv(c.fd, v.buf)
	switch {
	case errno == unix.EAGAIN:
		return false, nil
	case errno != 0:
		return false, os.NewSyscallError("recvfrom", errno)
	case n == 0:
		return false, io.ErrUnexpectedEOF
	}
	b := v.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	for {
		used, over, err := v.step(c, b)
		if err != nil || over {
			return over, err
		}
		if used == 0 {
			c.in = append(c.in[:0], b...)
			return false, nil
		}
		b = b[used:]
	}
}

// step handles the first thing in b, and returns how much that was, 0 if it is not complete,
// and whether the visit is over.
func (v *visits) step(c *visit, b []byte) (used int, over bool, err error) {
	if c.await == switching {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return 0, false, nil
		}
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
			return 0, false, fmt.Errorf("open websocket: %.100q", b)
		}
		c.await = opening
		return end + 4, false, nil
	}
	op, payload, n := parseFrame(b)
	if n == 0 {
		return 0, false, nil
	}
	want := "0{"
	if c.await == joining {
		want = "40"
	}
	switch {
	case op != opText || !bytes.HasPrefix(payload, []byte(want)):
		return 0, false, fmt.Errorf("await %s: got %.100q", want, payload)
	case c.await == opening:
		return n, false, v.write(c, v.join, joining)
	}
	return n, true, v.write(c, v.leave, joining)
}
