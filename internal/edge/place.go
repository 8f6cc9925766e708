package edge

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
)

// place is what an accepted connection takes up while HTTP is spoken on it: its turn until it begins
// to be served, and then its part of the bounds and of the budget.
type place struct {
	// Static after listener.admit.
	listener *listener
	addr     netip.Addr // of the peer, if somebody asks for it
	counts   bool       // with listener.addresses
	proxied  bool       // the peer is a trusted proxy
	cost     int        // what the budget is charged

	begun atomic.Bool
	known atomic.Bool // it has asked for a session that is there; written with mu held

	mu   sync.Mutex // guards the following field
	left bool
}

// begin notes that the connection does not wait for a processor any more.
func (p *place) begin() {
	if !p.begun.Load() && p.begun.CompareAndSwap(false, true) {
		<-p.listener.turns
	}
}

// leave gives everything back: the connection is closed or taken over. Leaving again does nothing.
func (p *place) leave() {
	p.begin()
	p.mu.Lock()
	left, kind := p.left, budget.Strangers
	p.left = true
	if p.known.Load() {
		kind = budget.Clients
	}
	p.mu.Unlock()
	if left {
		return
	}
	l := p.listener
	l.open.Add(-1)
	l.budget.Free(kind, p.cost)
	l.budget.Free(budget.Kernel, kernelBytes)
	if p.counts {
		l.addresses.Disconnect(p.addr)
	}
}

// identify counts the connection among those of clients.
func (p *place) identify() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.left && !p.known.Load() {
		p.known.Store(true)
		p.listener.budget.Move(budget.Strangers, budget.Clients, p.cost)
	}
}

// connKey is where the context of a request has its connection.
type connKey struct{}

// seated is a connection that HTTP is spoken on: a *conn, or an *arrival.
type seated interface{ seat() *place }

func withConn(ctx context.Context, c seated) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// placeOf returns the place of a request's connection, nil if there is none.
func placeOf(r *http.Request) *place {
	if c, ok := r.Context().Value(connKey{}).(seated); ok {
		return c.seat()
	}
	return nil
}

// Proxied reports whether a request came over a connection of a trusted proxy.
func Proxied(r *http.Request) bool {
	p := placeOf(r)
	return p != nil && p.proxied
}
