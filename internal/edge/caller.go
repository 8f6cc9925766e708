package edge

import (
	"net"
	"net/netip"
)

// source is where connections come from.
type source interface {
	// accept waits for the next one. Its errors are those of the system.
	accept() (caller, error)
	// resize says how many connections the kernel may keep for us to accept.
	resize(n int)
	Addr() net.Addr
	Close() error
}

// caller is a connection that was accepted and not admitted yet: one of package net, or a
// descriptor of which Go knows nothing.
type caller struct {
	net.Conn                // nil: what follows counts
	fd       int32          // does not block
	remote   netip.AddrPort // its peer
}

// addr is whose connection it is, invalid if that is no IP address.
func (c caller) addr() netip.Addr {
	if c.Conn == nil {
		return c.remote.Addr().Unmap()
	}
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// netSource is a source of connections of package net.
type netSource struct{ net.Listener }

func (s netSource) accept() (caller, error) {
	c, err := s.Listener.Accept()
	return caller{Conn: c}, err
}
