package edge

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// overloaded is what a connection above the limit gets: it costs one write and no goroutine.
const overloaded = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// listener bounds the connections that it has handed out and outlives a lack of descriptors.
type listener struct {
	net.Listener
	tls           *tls.Config    // nil: plain
	proxies       []netip.Prefix // who has to begin with a PROXY header; nil: nobody
	limit         atomic.Int64
	headerTimeout time.Duration
	refused       func(layer, reason string)
	log           *slog.Logger
	open          atomic.Int64
	closeOnce     sync.Once
	closed        chan struct{} // closed by Close
}

func newListener(l net.Listener, cfg Config, log *slog.Logger) *listener {
	own := &listener{
		Listener: l, headerTimeout: cfg.HeaderTimeout,
		refused: cfg.Refused, log: log, closed: make(chan struct{}),
	}
	if cfg.ProxyProtocol {
		own.proxies = cfg.TrustedProxies
	}
	own.limit.Store(int64(cfg.MaxConnections))
	return own
}

// Accept returns the next connection within the limit, as a *conn.
func (l *listener) Accept() (net.Conn, error) {
	var wait time.Duration
	for {
		c, err := l.Listener.Accept()
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
				return nil, net.ErrClosed
			}
		}
		if err != nil {
			return nil, err // as it is: net/http tries again if that can help
		}
		if wait != 0 {
			l.log.Info("clients are accepted again")
			wait = 0
		}
		if l.open.Add(1) > l.limit.Load() {
			l.open.Add(-1)
			l.refused("tcp", tooManyConnections)
			c.SetWriteDeadline(time.Now().Add(time.Second)) // never reached: the buffer is empty
			c.Write([]byte(overloaded))
			c.Close()
			continue
		}
		if l.proxies != nil {
			peer, ok := c.RemoteAddr().(*net.TCPAddr)
			if !ok || !contains(l.proxies, peer.AddrPort().Addr().Unmap()) {
				l.open.Add(-1)
				l.refused("tcp", proxyUnknown)
				c.Close()
				continue
			}
			c = &proxied{Conn: c, refused: l.refused}
		}
		return newConn(c, l.tls, l.headerTimeout, l.refused, func() { l.open.Add(-1) }), nil
	}
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
		err = l.Listener.Close()
	})
	return err
}
