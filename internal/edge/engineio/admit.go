package engineio

import (
	"net/http"
	"net/netip"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// admit decides whether there is room for one more session. If not it answers in a way that a
// stock client takes for trouble with the network, and comes back after. What it counts is taken
// back by dismiss, or by dismissed if no Socket came of it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) bool {
	if s.config.Handshakes.On() {
		s.handshakes.Lock()
		ok := s.handshakes.bucket.Take(s.now(), s.config.Handshakes)
		s.handshakes.Unlock()
		if !ok {
			s.refused("http", "too many handshakes")
			s.turnAway(w, http.StatusServiceUnavailable)
			return false
		}
	}
	if s.config.Addresses != nil {
		switch s.config.Addresses.Begin(addressOf(r.RemoteAddr), s.config.Proxied(r)) {
		case limit.TooMany:
			s.refused("http", "address: too many")
			s.turnAway(w, http.StatusTooManyRequests)
			return false
		case limit.TooOften:
			s.refused("http", "address: too often")
			s.turnAway(w, http.StatusTooManyRequests)
			return false
		case limit.TooManyFailures:
			s.refused("http", "address: failures")
			s.turnAway(w, http.StatusTooManyRequests)
			return false
		}
	}
	if !s.config.Budget.Take(budget.Strangers, socketBytes) {
		s.config.Addresses.End(addressOf(r.RemoteAddr))
		s.refused("http", "memory")
		s.turnAway(w, http.StatusServiceUnavailable)
		return false
	}
	return true
}

// dismissed is dismiss for a request that was admitted in vain.
func (s *Server) dismissed(r *http.Request) {
	s.config.Budget.Free(budget.Strangers, socketBytes)
	if s.config.Addresses != nil {
		s.config.Addresses.End(addressOf(r.RemoteAddr))
	}
}

// dismiss takes back what admit counted for a Socket.
func (s *Server) dismiss(sock *Socket) {
	sock.mu.Lock()
	kind := budget.Strangers
	if sock.joined {
		kind = budget.Clients
	}
	sock.mu.Unlock()
	s.config.Budget.Free(kind, socketBytes)
	if s.config.Addresses != nil {
		s.config.Addresses.End(addressOf(sock.Handshake.RemoteAddr))
	}
}

// addressOf is the address of a client; one that cannot be read is like any other such.
func addressOf(remote string) netip.Addr {
	ap, _ := netip.ParseAddrPort(remote)
	return ap.Addr()
}

// mayAsk counts a request of a polling session, and says whether it may be served.
func (s *Socket) mayAsk() bool {
	if !s.server.config.Requests.On() || s.polls == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls.asked.Take(s.server.now(), s.server.config.Requests)
}

// turnAway answers a client that is to come again later, without a body.
func (s *Server) turnAway(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Retry-After", "5")
	h.Set("Content-Length", "0")
	w.WriteHeader(status)
}
