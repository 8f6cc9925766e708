package limit

import (
	"net/netip"
	"sync"
	"time"
)

// PerAddress is what one address may do. The zero value is no bound.
type PerAddress struct {
	Open     int  // sessions at a time, and twice as many connections beside them
	Arrivals Rate // of connections, or of clients behind a proxy
	Failures Rate // to show who it is; above it no session begins
}

// Addresses counts what single addresses have open, how often they come and how often they fail to
// show who they are. IPv6 counts by /64: that is what one customer gets. All methods may be called
// concurrently.
type Addresses struct {
	// Static after NewAddresses.
	PerAddress
	start time.Time

	mu    sync.Mutex // guards the following
	table map[netip.Addr]*address
	sweep int // size at which the table is looked through
}

// address is what one of them does.
type address struct {
	connections int // that HTTP is spoken on
	sessions    int
	came        Bucket
	failed      Bucket
}

// NewAddresses returns nil, which bounds nothing, without any bound.
func NewAddresses(p PerAddress) *Addresses {
	if p.Open <= 0 && !p.Arrivals.On() && !p.Failures.On() {
		return nil
	}
	return &Addresses{PerAddress: p, start: time.Now(), table: make(map[netip.Addr]*address), sweep: 1024}
}

// Verdict is what becomes of an arrival.
type Verdict uint8

// The verdicts.
const (
	Welcome Verdict = iota
	TooMany         // open at a time
	TooOften
	TooManyFailures
)

// Connect counts a connection. Only one that is Welcome is to be taken back with Disconnect.
func (a *Addresses) Connect(addr netip.Addr) Verdict {
	if a == nil {
		return Welcome
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entryLocked(addr)
	switch now := a.now(); {
	case a.Open > 0 && e.connections >= 2*a.Open:
		return TooMany
	case a.Arrivals.On() && !e.came.Take(now, a.Arrivals):
		return TooOften
	}
	e.connections++
	return Welcome
}

// Disconnect is the end of a connection.
func (a *Addresses) Disconnect(addr netip.Addr) { a.end(addr, func(e *address) { e.connections-- }) }

// Begin counts a session. came says that the arrival itself is not counted yet, because its
// connection is that of a proxy. Only one that is Welcome is to be taken back with End.
func (a *Addresses) Begin(addr netip.Addr, came bool) Verdict {
	if a == nil {
		return Welcome
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entryLocked(addr)
	switch now := a.now(); {
	case a.Open > 0 && e.sessions >= a.Open:
		return TooMany
	case a.Failures.On() && e.failed.Empty(now, a.Failures):
		return TooManyFailures
	case came && a.Arrivals.On() && !e.came.Take(now, a.Arrivals):
		return TooOften
	}
	e.sessions++
	return Welcome
}

// Fail counts a failure.
func (a *Addresses) Fail(addr netip.Addr) {
	if a == nil || !a.Failures.On() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entryLocked(addr).failed.Take(a.now(), a.Failures)
}

// End is the end of a session.
func (a *Addresses) End(addr netip.Addr) { a.end(addr, func(e *address) { e.sessions-- }) }

func (a *Addresses) end(addr netip.Addr, count func(*address)) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	addr = customer(addr)
	e := a.table[addr]
	if e == nil {
		return // not reached: what is ended was begun
	}
	count(e)
	if e.idle(a.now()) {
		delete(a.table, addr)
	}
}

// Known is how many addresses are remembered.
func (a *Addresses) Known() int {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.table)
}

func (a *Addresses) now() int64 { return int64(time.Since(a.start)) }

// idle says whether there is nothing to remember.
func (e *address) idle(now int64) bool {
	return e.connections <= 0 && e.sessions <= 0 && int64(max(e.came, e.failed)) <= now
}

func (a *Addresses) entryLocked(addr netip.Addr) *address {
	addr = customer(addr)
	e := a.table[addr]
	if e == nil {
		if len(a.table) >= a.sweep {
			now := a.now()
			for k, e := range a.table {
				if e.idle(now) {
					delete(a.table, k)
				}
			}
			a.sweep = max(1024, 2*len(a.table))
		}
		e = &address{}
		a.table[addr] = e
	}
	return e
}

// customer is the address, or the /64 that it is in.
func customer(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		p, _ := addr.Prefix(64) // cannot fail
		return p.Addr()
	}
	return addr
}
