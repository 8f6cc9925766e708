package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// doing is what the clients of a load do. All calls come from one goroutine.
type doing interface {
	start(context.Context, *load) error // all are connected
	message(*load, *conn, byte, []byte) // one came
	tick(l *load, now time.Time)        // every millisecond or so, unless the load is ending
	outstanding(*load) uint64           // what has not come back
}

// load is some clients and what they do.
type load struct {
	target Target
	doing  doing
	epfd   int
	conns  []*conn
	buf    []byte
	dirty  []*conn // have something to write
	ending bool    // nothing new is to be asked

	// Results.
	done, wrong, reordered, dropped, heartbeats uint64

	measuring bool
	latencies []time.Duration
	last      []time.Duration // of broadcasts, at the last receiver
}

func newLoad(t Target, d doing) (*load, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	return &load{target: t, doing: d, epfd: epfd, buf: make([]byte, 256<<10)}, nil
}

// connect opens n connections, several at a time.
func (l *load) connect(ctx context.Context, n int) error {
	type opened struct {
		fd   int
		tls  *sealed
		rest []byte
		err  error
	}
	const atOnce = 32
	results := make(chan opened, atOnce)
	jobs := make(chan struct{}, n)
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for range jobs {
				if ctx.Err() != nil {
					return
				}
				var o opened
				c, r, err := dial(l.target)
				if o.err = err; err == nil {
					o.fd, o.tls, o.rest, o.err = take(c, r)
				}
				results <- o
			}
		})
	}
	go func() { wg.Wait(); close(results) }() // the loop below waits for it
	var first error
	failed := 0
	for r := range results {
		if r.err == nil {
			unix.SetNonblock(r.fd, true)
			c := &conn{fd: r.fd, id: len(l.conns), in: r.rest, tls: r.tls}
			l.conns = append(l.conns, c)
			r.err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.id)}))
			for r.err == nil && c.tls != nil { // what TLS has read already is not readable any more
				var n int
				n, r.err = c.tls.Read(l.buf)
				c.in = append(c.in, l.buf[:n]...)
			}
			if r.err == errNotNow {
				r.err = nil
			}
		}
		if r.err != nil {
			failed++
			if first == nil {
				first = r.err
			}
		}
	}
	if first != nil {
		return fmt.Errorf("connect: %d of %d clients failed, first: %w", failed, n, first)
	}
	return ctx.Err()
}

// send queues a text packet; it leaves when the connection is flushed.
func (l *load) send(c *conn, packet []byte) { l.sendFrame(c, opText, packet) }

func (l *load) sendFrame(c *conn, op byte, payload []byte) {
	if len(c.out) == 0 {
		l.dirty = append(l.dirty, c)
	}
	c.out = appendFrame(c.out, op, payload)
}

// run moves messages until the time is over or, if until is not nil, it says so.
func (l *load) run(ctx context.Context, d time.Duration, until func() bool) error {
	end := time.Now().Add(d)
	events := make([]unix.EpollEvent, 512)
	for {
		now := time.Now()
		if now.After(end) || ctx.Err() != nil || until != nil && until() {
			return ctx.Err()
		}
		if !l.ending {
			l.doing.tick(l, now)
		}
		for _, c := range l.dirty {
			if err := l.flush(c); err != nil {
				l.drop(c)
			}
		}
		l.dirty = l.dirty[:0]
		n, err := epollWait(l.epfd, events, time.Millisecond)
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			c := l.conns[ev.Fd]
			if c.closed {
				continue
			}
			if err := l.read(c); err != nil {
				l.drop(c)
			}
		}
	}
}

// drop notes a connection that the server or the network ended.
func (l *load) drop(c *conn) {
	if !c.closed {
		c.closed = true
		l.dropped++
		unix.Close(c.fd)
	}
}

func (l *load) close() {
	for _, c := range l.conns {
		if !c.closed {
			c.closed = true
			unix.Close(c.fd)
		}
	}
	unix.Close(l.epfd)
}

// measure connects, warms up, measures, and then waits for what is still to come.
func measure(ctx context.Context, t Target, s Scenario, d doing, o Options) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoad(t, d)
	if err != nil {
		return Result{}, err
	}
	defer l.close()
	if err := l.connect(ctx, s.Connections()); err != nil {
		return Result{}, err
	}
	if err := d.start(ctx, l); err != nil {
		return Result{}, err
	}
	if err := l.run(ctx, o.For/5, nil); err != nil {
		return Result{}, err
	}
	l.measuring, l.done = true, 0
	cpu, start := cpuTime(t.PID), time.Now()
	if err := l.run(ctx, o.For, nil); err != nil {
		return Result{}, err
	}
	took, cpu := time.Since(start).Seconds(), cpuTime(t.PID)-cpu
	r := Result{Scenario: s.String(), Connections: len(l.conns), Done: l.done}
	r.count(took, cpu, l.latencies)
	if len(l.last) > 0 {
		var broadcast Result
		broadcast.count(1, 0, l.last)
		r.Last = broadcast.P50
	}
	l.measuring, l.ending = false, true
	if o.Settle == 0 {
		o.Settle = 5 * time.Second
	}
	if err := l.run(ctx, o.Settle, func() bool { return d.outstanding(l) == 0 }); err != nil {
		return Result{}, err
	}
	r.Lost, r.Wrong, r.Reordered, r.Dropped = d.outstanding(l), l.wrong, l.reordered, l.dropped
	return r, nil
}
