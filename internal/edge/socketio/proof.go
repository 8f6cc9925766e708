package socketio

import (
	"log/slog"
	"net"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// proof is what is known of whoever is behind a session. Most sessions have none: it is made when
// there is something to know. Nsp.mu guards it.
type proof struct {
	subject string  // of the token; empty without one
	expiry  *expiry // of the token, while the client is there
	expires int64   // of the token that was shown last, in Unix seconds; 0: never
	from    string  // the host that the client was last seen at, while it is away

	takeovers *takeovers // nil: none yet
}

// takeovers is when a session went from one living connection to another.
type takeovers struct {
	at   [maxTakeovers]time.Duration // of the Server's life
	next int                         // the oldest
}

// maxTakeovers is how often a session may go from one living connection to another in a minute.
const maxTakeovers = 5

func (s *Socket) proofLocked() *proof {
	if s.proof == nil {
		s.proof = &proof{}
	}
	return s.proof
}

func (s *Socket) subjectLocked() string {
	if s.proof == nil {
		return ""
	}
	return s.proof.subject
}

// proveLocked notes whom the token of the request proves, and when that ends.
func (s *Socket) proveLocked(r *request) {
	if r.identity == nil {
		return
	}
	p := s.proofLocked()
	p.subject, p.expires = r.identity.Subject, 0
	s.unproveLocked()
	at := r.identity.Expires
	if at.IsZero() {
		return
	}
	p.expires = at.Unix() // a token's time is that of the wall clock
	if s.Nsp.srv.cfg.OnExpiry != ExpiryIgnored {
		p.expiry = s.Nsp.srv.expiries.add(s, at)
	}
}

// unproveLocked forgets when the proof ends: the client is gone, and shows another when it is back.
func (s *Socket) unproveLocked() {
	if s.proof != nil && s.proof.expiry != nil {
		s.Nsp.srv.expiries.remove(s.proof.expiry)
		s.proof.expiry = nil
	}
}

// leftLocked notes from where the client was connected, for when it is back.
func (s *Socket) leftLocked(h *engineio.Handshake) {
	if host := hostOf(h); host != "" {
		s.proofLocked().from = string(append([]byte(nil), host...)) // keeps nothing else of the handshake
	}
}

// arrivedLocked forgets from where the client was connected: it is here.
func (s *Socket) arrivedLocked() {
	if p := s.proof; p != nil {
		if p.from = ""; *p == (proof{}) {
			s.proof = nil
		}
	}
}

// movesLocked decides whether a session may go to the connection of the request: not to another subject
// or user, not out of the network that it is bound to, and not from one living connection to
// another for ever. s.mu and Nsp.mu are held.
func (s *Socket) movesLocked(r *request, a *Accept) bool {
	subject := ""
	if r.identity != nil {
		subject = r.identity.Subject
	}
	if a.UserID != s.userID || subject != s.subjectLocked() {
		r.note("session not resumed", slog.String("why", "of another subject"))
		return false
	}
	before, now := "", hostOf(r.c.conn.Handshake)
	switch {
	case s.client != nil:
		before = hostOf(s.client.conn.Handshake)
	case s.proof != nil:
		before = s.proof.from
	}
	cfg := &s.Nsp.srv.cfg
	if before != "" && before != now {
		if !cfg.Binding.Holds(net.JoinHostPort(before, "0"), net.JoinHostPort(now, "0")) {
			r.note("session not resumed", slog.String("why", "bound to another network"), slog.String("before", before))
			return false
		}
		r.note("session resumed from another address", slog.String("before", before))
	}
	if s.client == nil {
		return true
	}
	p, age := s.proofLocked(), s.Nsp.srv.age()
	if p.takeovers == nil {
		p.takeovers = &takeovers{}
	}
	t := p.takeovers
	if oldest := t.at[t.next]; oldest != 0 && age-oldest < time.Minute {
		cfg.Refused(refusedTakeover)
		r.note("session not resumed", slog.String("why", "taken over too often"), slog.String("before", before))
		return false
	}
	t.at[t.next] = max(age, 1)
	t.next = (t.next + 1) % maxTakeovers
	r.note("session taken over from a connection that was open", slog.String("before", before))
	return true
}
