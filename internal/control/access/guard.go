// Package access decides who may do what on the listeners of backends and operators: who a caller
// is, by certificate or token, and what its roles allow.
//
// The tables of [Methods], [Operations] and [Pages] say which role it takes; what is not in them is
// denied. A [Guard] lets a call in before any of it is read, with a [Grant] in its context that the
// services ask when they know which namespace it is about. Where there is no Guard everybody may do
// everything: that is for loopback only, and the configuration sees to it.
package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sio-edge/sio-edge/internal/control/convert"
)

// Config is what a Guard is told.
type Config struct {
	Files Files
	Log   *slog.Logger
	// Audit gets denials, what operators do and changes of who may do what. Never a token.
	Audit *slog.Logger
	// Refused counts denials: a layer and one of its reasons, see Refusals. Default: nobody does.
	Refused func(layer, reason string)
	// Every is how often the files are looked at. Default 5 s.
	Every time.Duration
}

// Guard lets callers in. What it knows comes from files, which it reads again when they change;
// if they are faulty then, the former ones stay in force. Its methods may be called concurrently.
type Guard struct {
	// Static after construction.
	cfg     Config
	denials denials

	now   atomic.Pointer[state]
	stale atomic.Bool // the files are faulty

	mu    sync.Mutex // guards the following
	conns map[*conn]struct{}
}

// The reasons for which callers are turned away.
const (
	Handshake  = "handshake"  // the TLS layer would not have them
	Credential = "credential" // no certificate or token, or one of nobody
	Role       = "role"       // a method, group, namespace or page that their roles do not allow
	Withdrawn  = "withdrawn"  // connections closed because what they came with is not good any more
)

// Refusals lists every layer and its reasons that Config.Refused can be told.
func Refusals() map[string][]string {
	return map[string][]string{"control": {Handshake, Credential, Role, Withdrawn}}
}

// NewGuard reads the files. The error joins all that is wrong with them: a Guard is whole or
// not there.
func NewGuard(cfg Config) (*Guard, error) {
	if cfg.Refused == nil {
		cfg.Refused = func(string, string) {}
	}
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	st, faults := cfg.Files.load()
	if err := joined(faults); err != nil {
		return nil, err
	}
	g := &Guard{cfg: cfg, conns: make(map[*conn]struct{})}
	g.denials.audit = cfg.Audit
	g.now.Store(st)
	return g, nil
}

func joined(faults map[string]error) error {
	var all []error
	for _, path := range slices.Sorted(maps.Keys(faults)) {
		all = append(all, fmt.Errorf("read %s: %w", path, faults[path]))
	}
	return errors.Join(all...)
}

// Secure says whether the listeners speak TLS.
func (g *Guard) Secure() bool { return g.cfg.Files.Cert != "" }

// Stale says whether the files have become faulty, so that former ones are in force.
func (g *Guard) Stale() bool { return g.stale.Load() }

// Expires is when the certificate of the listeners ends; zero without one.
func (g *Guard) Expires() time.Time {
	if cert := g.now.Load().cert; cert != nil {
		return cert.Leaf.NotAfter
	}
	return time.Time{}
}

// tls is the configuration of a listener that speaks these protocols. Each handshake uses what the
// files hold then. There is no resumption: it would skip the check of the caller's certificate.
func (g *Guard) tls(must bool, protocols ...string) *tls.Config {
	current := func() *tls.Config {
		st := g.now.Load()
		c := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, NextProtos: protocols,
			Certificates: []tls.Certificate{*st.cert}}
		if st.roots != nil {
			c.ClientCAs, c.ClientAuth = st.roots, tls.VerifyClientCertIfGiven
			if must && !st.policy.bearers() {
				c.ClientAuth = tls.RequireAndVerifyClientCert
			}
		}
		return c
	}
	c := current()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return current(), nil }
	return c
}

// call is one call that was let in.
type call struct {
	grant *Grant
	token string    // that it came with; empty: the certificate of its connection
	until time.Time // when the token ends; zero: never

	at *state // in which it was found good; owned by Guard.Watch once the call has begun
}

var errUnknown = convert.Failure(codes.Unauthenticated, "CREDENTIAL_UNKNOWN",
	"no certificate and no token of a caller that this edge knows").Err()

var errPlain = convert.Failure(codes.Unauthenticated, "TOKEN_EXPOSED",
	"a token came over a connection that anybody can read: it must be replaced").Err()

// admit says who makes a call on c with this token, which may be empty. A token alone counts if
// there is one. The error is a status that reveals nothing.
func (g *Guard) admit(c *conn, token string) (call, error) {
	st := g.now.Load()
	switch {
	case token == "":
		if grant := c.grant(st); grant != nil {
			return call{grant: grant, at: st}, nil
		}
	case !c.private:
		return call{}, errPlain
	default:
		if grant, until := st.policy.bearer(token, time.Now()); grant != nil {
			return call{grant, token, until, st}, nil
		}
	}
	return call{}, errUnknown
}

// bearerOf returns the token of an authorization header.
func bearerOf(headers []string) string {
	if len(headers) != 1 {
		return "" // none, or no telling which
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Watch looks at the files and at who is connected until ctx ends. A connection whose certificate
// or token is not good any more, or may do something else now, is closed.
func (g *Guard) Watch(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Every)
	defer tick.Stop()
	fault := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st, faults := g.cfg.Files.load()
		g.stale.Store(st == nil)
		if err := joined(faults); err != nil {
			if err.Error() != fault { // once, not every 5 s
				g.cfg.Log.Error("access files are faulty, the former ones stay in force", "error", err)
			}
			fault = err.Error()
		} else {
			fault = ""
		}
		if st != nil && st.sum != g.now.Load().sum {
			g.now.Store(st)
			g.cfg.Audit.Info("access changed", "callers", strings.Join(slices.Sorted(maps.Keys(st.policy.callers)), ", "))
		}
		g.recheck(time.Now())
	}
}

// recheck closes the connections that would not be let in now.
func (g *Guard) recheck(now time.Time) {
	st := g.now.Load()
	g.mu.Lock()
	conns := slices.Collect(maps.Keys(g.conns))
	g.mu.Unlock()
	for _, c := range conns {
		if c.stranger(now) {
			g.cfg.Refused("control", Credential)
			g.denials.note("nobody came in", "", "peer", hostOf(c.RemoteAddr()))
			c.Close()
			continue
		}
		caller, why := c.fault(st, now)
		if why == "" {
			continue
		}
		g.cfg.Refused("control", Withdrawn)
		g.cfg.Audit.Warn("access withdrawn, connection closed", "caller", caller, "peer", c.RemoteAddr().String(), "why", why)
		c.Close()
	}
}

// verify checks the certificates of a caller as the TLS layer did.
func (st *state) verify(chain []*x509.Certificate, now time.Time) error {
	if st.roots == nil {
		return errors.New("no certificates are taken")
	}
	o := x509.VerifyOptions{Roots: st.roots, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(o)
	return err
}

// loopback says whether what arrives at an address comes from this machine.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
