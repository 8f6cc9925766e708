package access

import (
	"crypto/x509"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// conn is one connection to a listener, known to its Guard until it is closed.
type conn struct {
	net.Conn

	// Static after construction.
	guard   *Guard
	private bool // nobody else can read it: TLS, or it does not leave this machine
	since   time.Time

	mu      sync.Mutex          // guards the following
	chain   []*x509.Certificate // of the caller; set once, when the handshake is over
	byChain *Grant              // of chain, as at knew it
	at      *state
	checked *state             // that chain was found good in
	calls   map[*call]struct{} // those that last
	unknown int                // calls that nobody could be found for
	known   bool               // a call was let in, or there is no need of one
}

const (
	// maxUnknown is how many calls without a caller a connection may try. Each costs memory until
	// the connection ends.
	maxUnknown = 16
	// patience is how long a connection may take to show who it is of.
	patience = 10 * time.Second
)

func (g *Guard) track(raw net.Conn, tls bool) *conn {
	c := &conn{Conn: raw, guard: g, private: tls || loopback(raw.LocalAddr()) && loopback(raw.RemoteAddr()), since: time.Now(), calls: make(map[*call]struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = struct{}{}
	return c
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.guard.mu.Lock()
	delete(c.guard.conns, c)
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

// verified notes the certificates of the caller, which the TLS layer has checked.
func (c *conn) verified(chain []*x509.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chain == nil && len(chain) > 0 {
		c.chain, c.at = chain, nil
	}
}

// grant is what the certificate of the connection allows; nil without one, or with one of nobody.
func (c *conn) grant(st *state) *Grant {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at != st {
		c.at, c.byChain = st, nil
		if len(c.chain) > 0 && st.verify(c.chain, time.Now()) == nil {
			c.byChain = st.policy.certificate(c.chain[0])
		}
	}
	return c.byChain
}

// begin notes a call that lasts. What it returns ends the note.
func (c *conn) begin(k *call) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[k] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, k)
	}
}

// isKnown notes that the connection is of somebody, or that nobody asks.
func (c *conn) isKnown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = true
}

// stranger says whether the connection has not shown who it is of for too long.
func (c *conn) stranger(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.known && now.Sub(c.since) > patience
}

// refused counts a call without a caller, and closes the connection on which there are too many.
func (c *conn) refused() {
	c.mu.Lock()
	c.unknown++
	over := c.unknown >= maxUnknown
	c.mu.Unlock()
	if over {
		c.Close()
	}
}

// fault says why the connection may not go on in a state and whose it is; "" if it may.
func (c *conn) fault(st *state, now time.Time) (caller, why string) {
	c.mu.Lock()
	chain, fresh := c.chain, c.checked != st
	c.checked = st
	calls := slices.Collect(maps.Keys(c.calls))
	if c.byChain != nil {
		caller = c.byChain.Name
	}
	c.mu.Unlock()
	if len(chain) > 0 && (fresh || now.After(chain[0].NotAfter)) {
		if err := st.verify(chain, now); err != nil {
			return caller, "certificate: " + err.Error()
		}
	}
	for _, k := range calls {
		if !k.until.IsZero() && now.After(k.until) {
			return k.grant.Name, "the token has expired"
		}
		if k.at == st {
			continue
		}
		grant := c.grant(st)
		if k.token != "" {
			grant, _ = st.policy.bearer(k.token, now)
		}
		if !k.grant.same(grant) {
			return k.grant.Name, "its access has changed"
		}
		k.at = st
	}
	return "", ""
}
