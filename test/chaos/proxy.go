package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between the backends and the edge, to break or stall their streams.
type proxy struct {
	to      string
	l       net.Listener
	running sync.WaitGroup
	stalled atomic.Bool

	mu    sync.Mutex // guards the following
	conns map[net.Conn]struct{}
	over  bool
}

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &proxy{to: to, l: l, conns: make(map[net.Conn]struct{})}
	x.running.Go(x.accept)
	return x, nil
}

func (x *proxy) accept() {
	for {
		in, err := x.l.Accept()
		if err != nil {
			return
		}
		x.running.Go(func() { x.join(in) })
	}
}

func (x *proxy) join(in net.Conn) {
	defer x.forget(in)
	out, err := net.Dial("tcp", x.to)
	if err != nil {
		return
	}
	defer x.forget(out)
	if !x.remember(in, out) {
		return
	}
	x.running.Go(func() { x.pipe(in, out) })
	x.pipe(out, in)
}

// pipe copies until either side ends, then closes both: a killed process resets its connections.
func (x *proxy) pipe(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		for x.stalled.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err == io.EOF {
				to.(*net.TCPConn).CloseWrite()
			}
			return
		}
	}
}

func (x *proxy) remember(conns ...net.Conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range conns {
		x.conns[c] = struct{}{}
	}
	return !x.over
}

func (x *proxy) forget(c net.Conn) {
	c.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.conns, c)
}

// reset breaks every stream.
func (x *proxy) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

// stall forwards nothing for a while, in both directions.
func (x *proxy) stall(d time.Duration) {
	x.stalled.Store(true)
	time.Sleep(d)
	x.stalled.Store(false)
}

func (x *proxy) close() {
	x.mu.Lock()
	x.over = true
	x.mu.Unlock()
	x.l.Close()
	x.reset()
	x.running.Wait()
}
