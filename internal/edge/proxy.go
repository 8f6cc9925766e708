package edge

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds the addresses read from X-Forwarded-For.
const maxHops = 32

// clientAddr is the address of the client behind proxies: the one nearest to us that is not a
// trusted proxy. What stands further to the left in forwarded was written by anyone.
func clientAddr(remote string, forwarded []string, trusted []netip.Prefix) (string, *fault) {
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	peer, err := netip.ParseAddrPort(remote)
	if err != nil || !isTrusted(peer.Addr().Unmap()) || len(forwarded) == 0 {
		return remote, nil
	}
	list := strings.Join(forwarded, ",")
	if strings.Count(list, ",") >= maxHops {
		return "", faultHops
	}
	hops := strings.Split(list, ",")
	client := peer.Addr().Unmap()
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			break
		}
		client = addr
		if !isTrusted(addr) {
			break
		}
	}
	return net.JoinHostPort(client.String(), "0"), nil
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
