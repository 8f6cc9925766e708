package engineio

import "net/netip"

// Binding says from where a session may be used.
type Binding uint8

const (
	BindNothing Binding = iota // from anywhere: a phone changes networks
	BindAddress                // from the address that opened it
	BindPrefix                 // from its network: /24 of IPv4, /48 of IPv6
)

// Holds reports whether two remote addresses, with ports, may use the same session. What is no
// address is bound to nothing but itself.
func (b Binding) Holds(opened, now string) bool {
	if b == BindNothing || opened == now {
		return true
	}
	from, err := netip.ParseAddrPort(opened)
	to, err2 := netip.ParseAddrPort(now)
	if err != nil || err2 != nil {
		return false
	}
	a, c := from.Addr().Unmap(), to.Addr().Unmap()
	if b == BindAddress {
		return a == c
	}
	return networkOf(a) == networkOf(c)
}

func networkOf(a netip.Addr) netip.Prefix {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // fails for no address only, which compares like any other
	return p
}

// met notes from where a request for the session comes.
func (s *Socket) met(remote string) {
	opened := s.Handshake.RemoteAddr
	if opened == remote || BindAddress.Holds(opened, remote) {
		return
	}
	s.mu.Lock()
	first := !s.strayed
	s.strayed = true
	s.mu.Unlock()
	if first {
		s.server.config.Strayed(opened, remote)
	}
}
