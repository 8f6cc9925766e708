package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// What a connection gets that is turned away: it costs a few system calls and no goroutine, and
// comes before any handshake of TLS. A stock client takes it for trouble with the network.
var (
	overloaded = []byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	tooEager   = []byte("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
)

// httpBytes is what a connection that HTTP is spoken on costs us: its goroutine, the buffers of
// net/http, and a request head that comes in part. tlsBytes is what TLS adds to that, kernelBytes
// about what it costs the system.
const (
	httpBytes   = 16 << 10
	tlsBytes    = 24 << 10
	kernelBytes = 4 << 10
)

// listener decides which connections come in, and outlives a lack of descriptors.
//
// When more of them come than can be served the rest wait in the kernel: a connection is accepted
// once those before it have begun to be served. The kernel's queue is made as short as what is
// served in a quarter of Config.AcceptWait, or everyone would wait until nobody wants the answer any
// more; what is beyond it the kernel drops, which costs us nothing, and the client's kernel tries
// again. One that has waited for longer than AcceptWait all the same is refused, but no more than one
// for each that is served: on a plain connection refusing costs a quarter of serving. One whose client
// did not wait is closed.
type listener struct {
	// Static after newListener.
	source
	tls           *tls.Config // nil: plain
	proxyHeader   bool        // who comes has to be a trusted proxy, and to begin with a PROXY header
	headerTimeout time.Duration
	head          headLimits
	waitLimit     time.Duration
	proxies       []netip.Prefix
	addresses     *limit.Addresses
	budget        *budget.Budget
	refused       func(layer, reason string)
	log           *slog.Logger
	closed        chan struct{} // closed by Close
	turns         chan struct{} // one for each connection that has not begun to be served
	hurry         func()        // called when a turn is waited for, to have those looked at that have one

	limit     atomic.Int64
	open      atomic.Int64
	waited    atomic.Uint64 // times that accepting had to wait for a turn
	closeOnce sync.Once

	// Owned by Accept, of which there is one at a time.
	rate   limit.Rate
	bucket limit.Bucket
	start  time.Time
	spared bool // the last one was refused for having waited too long
	queue  queue
}

// turnsEach is how many connections may wait for each processor to begin to serve them.
const turnsEach = 32

// listenTCP listens for clients. Nobody needs TCP's own keep-alive: requests and heartbeats have
// their time.
func listenTCP(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: prepareSocket}
	return lc.Listen(context.Background(), "tcp", addr)
}

func newListener(from source, cfg Config, log *slog.Logger) *listener {
	own := &listener{
		source: from, headerTimeout: cfg.HeaderTimeout, head: cfg.headLimits(), waitLimit: cfg.AcceptWait,
		proxyHeader: cfg.ProxyProtocol, proxies: cfg.TrustedProxies,
		addresses: cfg.Addresses, budget: cfg.Budget, rate: cfg.ConnectionRate, start: time.Now(),
		refused: cfg.Refused, log: log, closed: make(chan struct{}),
		turns: make(chan struct{}, turnsEach*runtime.GOMAXPROCS(0)),
		hurry: func() {},
		queue: queue{length: longestQueue, wait: cfg.AcceptWait},
	}
	own.limit.Store(int64(cfg.MaxConnections))
	return own
}

// Accept implements net.Listener for net/http, with a *conn for each connection that may come in.
func (l *listener) Accept() (net.Conn, error) {
	c, p, err := l.next()
	if err != nil {
		return nil, err
	}
	if l.proxyHeader {
		c.Conn = &proxied{Conn: c.Conn, refused: l.refused}
	}
	return newConn(c.Conn, p), nil
}

// next returns the next connection that may come in, and its place.
func (l *listener) next() (caller, *place, error) {
	var wait time.Duration
	busy := false // this one, or those that it is accepted in place of, had to wait for a turn
	for {
		waits, err := l.turn()
		if err != nil {
			return caller{}, nil, err
		}
		busy = busy || waits
		if n := l.queue.next(time.Now(), waits); n > 0 {
			l.resize(n)
		}
		c, err := l.accept()
		if err != nil {
			<-l.turns
		}
		if exhausted(err) {
			if wait == 0 {
				l.log.Warn("clients are kept waiting: no resources for another connection; those connected are not affected", "err", err)
			}
			l.refused("tcp", noResources)
			wait = min(max(5*time.Millisecond, 2*wait), time.Second)
			select {
			case <-time.After(wait):
				continue
			case <-l.closed:
				return caller{}, nil, net.ErrClosed
			}
		}
		if err != nil {
			return caller{}, nil, err // as it is: net/http tries again if that can help
		}
		if wait != 0 {
			l.log.Info("clients are accepted again")
			wait = 0
		}
		p, reason, answer := l.admit(c, busy)
		if p != nil {
			l.queue.served++
			return c, p, nil
		}
		<-l.turns
		l.refused("tcp", reason)
		if l.tls != nil {
			answer = nil // nobody would read it
		}
		c.turnAway(answer)
	}
}

// turn waits until it is the next connection's turn, and says whether it had to.
func (l *listener) turn() (busy bool, err error) {
	select {
	case l.turns <- struct{}{}:
		return false, nil
	default:
	}
	l.waited.Add(1)
	l.hurry()
	select {
	case l.turns <- struct{}{}:
		return true, nil
	case <-l.closed:
		return true, net.ErrClosed
	}
}

// admit gives a connection that may come in its place. For any other it says why not, and what its
// client is told.
func (l *listener) admit(c caller, busy bool) (p *place, reason string, answer []byte) {
	if busy {
		age, gone := c.waited()
		switch {
		case gone:
			return nil, gaveUp, nil
		case age > l.waitLimit && !l.spared:
			l.spared = true
			return nil, waitedTooLong, overloaded
		}
	}
	l.spared = false
	if l.rate.On() && !l.bucket.Take(int64(time.Since(l.start)), l.rate) {
		return nil, tooManyArrivals, overloaded
	}
	if l.open.Add(1) > l.limit.Load() {
		l.open.Add(-1)
		return nil, tooManyConnections, overloaded
	}
	var addr netip.Addr // stays invalid if nobody counts
	trusted := false
	if l.addresses != nil || len(l.proxies) > 0 {
		addr = c.addr()
		trusted = contains(l.proxies, addr)
	}
	if l.proxyHeader && !trusted {
		l.open.Add(-1)
		return nil, proxyUnknown, nil
	}
	p = &place{listener: l, addr: addr, counts: l.addresses != nil && !trusted, proxied: trusted, cost: httpBytes}
	if p.counts {
		switch l.addresses.Connect(addr) {
		case limit.TooMany:
			l.open.Add(-1)
			return nil, addressTooMany, tooEager
		case limit.TooOften:
			l.open.Add(-1)
			return nil, addressTooOften, tooEager
		}
	}
	if l.tls != nil {
		p.cost += tlsBytes
	}
	if l.budget.Level() >= budget.Short || !l.budget.Take(budget.Strangers, p.cost) {
		l.open.Add(-1)
		if p.counts {
			l.addresses.Disconnect(addr)
		}
		return nil, noMemory, overloaded
	}
	l.budget.Add(budget.Kernel, kernelBytes)
	return p, "", nil
}

// exhausted reports whether accepting failed for a reason that passes.
func exhausted(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close implements net.Listener. Closing again does nothing: the drain does so first, net/http after.
func (l *listener) Close() error {
	var err error
	l.closeOnce.Do(func() {
		close(l.closed)
		err = l.source.Close()
	})
	return err
}
