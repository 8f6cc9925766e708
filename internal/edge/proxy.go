package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds the addresses read from X-Forwarded-For.
const maxHops = 32

// forwarding are the headers in which a proxy says whom it speaks for.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"}

// behindProxy makes the request what it was when it reached the outermost trusted proxy: from the
// client's address, and over TLS if it was. From anyone else what forwarding says is a lie, and
// goes no further.
func behindProxy(r *http.Request, trusted []netip.Prefix) *fault {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !contains(trusted, peer.Addr().Unmap()) {
		for _, name := range forwarding {
			delete(r.Header, name)
		}
		return nil
	}
	addr, f := clientAddr(peer.Addr().Unmap(), r.Header["X-Forwarded-For"], trusted)
	if f != nil {
		return f
	}
	if addr.IsValid() {
		r.RemoteAddr = net.JoinHostPort(addr.String(), "0")
	}
	// Of several the last was written by the proxy next to us. Whoever wrote the others, they may
	// only make a request less trusted.
	if proto := strings.Join(r.Header["X-Forwarded-Proto"], ","); proto != "" {
		r.URL.Scheme = ""
		if all := strings.Split(proto, ","); strings.EqualFold(strings.TrimSpace(all[len(all)-1]), "https") {
			r.URL.Scheme = "https"
		}
	}
	return nil
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// clientAddr is the address of the client behind proxies: the one nearest to us that is not a
// trusted proxy. What stands further to the left in forwarded was written by anyone. It is not
// valid if there is nothing but the peer.
func clientAddr(peer netip.Addr, forwarded []string, trusted []netip.Prefix) (client netip.Addr, _ *fault) {
	if len(forwarded) == 0 {
		return netip.Addr{}, nil
	}
	list := strings.Join(forwarded, ",")
	if strings.Count(list, ",") >= maxHops {
		return netip.Addr{}, faultHops
	}
	client = peer
	for _, hop := range slices.Backward(strings.Split(list, ",")) {
		addr, ok := parseHop(hop)
		if !ok {
			break
		}
		client = addr
		if !contains(trusted, addr) {
			break
		}
	}
	return client, nil
}

// parseHop accepts 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:80.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}
