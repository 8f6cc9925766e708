package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// The heartbeat of the edge under test: slow enough for a machine that has other work too.
const (
	pingInterval = 10 * time.Second
	pingTimeout  = 15 * time.Second
)

// pool is all clients.
type pool struct {
	// Static after construction.
	plan    *plan
	addr    string
	log     *history
	clients []*client

	running sync.WaitGroup
	quiet   chan struct{} // closed when clients stop emitting
}

func newPool(p *plan, addr string, log *history) *pool {
	all := &pool{plan: p, addr: addr, log: log, quiet: make(chan struct{})}
	for id := range p.Clients {
		all.clients = append(all.clients, &client{pool: all, id: id, gone: make(chan struct{})})
	}
	return all
}

// start brings the clients up, a few at a time.
func (all *pool) start() {
	for i, c := range all.clients {
		all.running.Go(func() { c.live(0) })
		all.running.Go(func() { all.talk(c) })
		if i%20 == 19 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// talk makes one client emit at its share of the rate.
func (all *pool) talk(c *client) {
	mean := time.Duration(float64(time.Second) * float64(all.plan.Clients) / float64(max(all.plan.Up, 1)))
	for {
		select {
		case <-time.After(time.Duration(float64(mean) * 2 * rand.Float64())):
			c.emit(rand.IntN(2) == 0)
		case <-all.quiet:
			return
		}
	}
}

// connected is how many clients have their session.
func (all *pool) connected() int {
	n := 0
	for _, c := range all.clients {
		c.mu.Lock()
		if c.joined {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// waiting is how many events wait for their acknowledgement.
func (all *pool) waiting() int {
	n := 0
	for _, c := range all.clients {
		c.mu.Lock()
		if c.joined {
			n += len(c.waits)
		}
		c.mu.Unlock()
	}
	return n
}

// some calls f for a random share of the clients.
func (all *pool) some(rng *rand.Rand, share float64, f func(*client)) int {
	n := 0
	for _, c := range all.clients {
		if rng.Float64() < share {
			n++
			f(c)
		}
	}
	return n
}

// goodbye ends all sessions that are there and waits for the clients.
func (all *pool) goodbye() {
	for _, c := range all.clients {
		c.bye()
	}
	for _, c := range all.clients {
		select {
		case <-c.gone:
		default: // away to the end: the checker will see it
			close(c.gone)
			c.cut()
		}
	}
	all.running.Wait()
}
