package socketio

import (
	"container/heap"
	"sync"
	"time"
)

// OnExpiry is what happens to a client whose token expires while it is connected.
type OnExpiry uint8

const (
	ExpiryCloses   OnExpiry = iota // its connection is closed; a stock client comes back with a new token, or is refused
	ExpiryNotifies                 // it gets the event "auth_expired", and stays
	ExpiryIgnored                  // nothing
)

// expiredEvent is what a client gets with ExpiryNotifies.
const expiredEvent = "auth_expired"

// expiries calls fire for each session whose token expires. Unlike deadlines these come in any
// order, and leave early: a client that keeps coming back must not leave one behind each time.
type expiries struct {
	fire func(*expiry) // static

	mu      sync.Mutex // guards the following; no other lock is taken with it held
	waiting expiryHeap
	timer   *time.Timer
	closed  bool
	firing  sync.WaitGroup
}

// expiry is one token that will expire.
type expiry struct {
	socket *Socket
	at     time.Time
	index  int // in the heap; -1: not there
}

// expiryPause bounds how long the clock of the machine is trusted to go on as it does.
const expiryPause = 30 * time.Second

func (x *expiries) add(s *Socket, at time.Time) *expiry {
	e := &expiry{socket: s, at: at}
	x.mu.Lock()
	defer x.mu.Unlock()
	heap.Push(&x.waiting, e)
	if e.index == 0 {
		x.armLocked()
	}
	return e
}

func (x *expiries) remove(e *expiry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.index >= 0 {
		heap.Remove(&x.waiting, e.index)
	}
}

func (x *expiries) armLocked() {
	if x.closed || len(x.waiting) == 0 {
		return
	}
	wait := min(max(0, time.Until(x.waiting[0].at)), expiryPause)
	if x.timer == nil {
		x.timer = time.AfterFunc(wait, x.run)
		return
	}
	x.timer.Reset(wait)
}

func (x *expiries) run() {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return
	}
	var due []*expiry
	for now := time.Now(); len(x.waiting) > 0 && !x.waiting[0].at.After(now); {
		due = append(due, heap.Pop(&x.waiting).(*expiry))
	}
	x.armLocked()
	x.firing.Add(1)
	x.mu.Unlock()
	defer x.firing.Done()
	for _, e := range due {
		x.fire(e)
	}
}

// close stops the timer and waits for what is firing.
func (x *expiries) close() {
	x.mu.Lock()
	x.closed = true
	if x.timer != nil {
		x.timer.Stop()
	}
	x.mu.Unlock()
	x.firing.Wait()
}

// expired ends what the token allowed, unless the session has shown another since.
func (s *Server) expired(e *expiry) {
	k := e.socket
	k.mu.Lock()
	c := k.client
	k.Nsp.mu.Lock()
	current := k.proof != nil && k.proof.expiry == e
	if current {
		k.proof.expiry = nil
	}
	k.Nsp.mu.Unlock()
	k.mu.Unlock()
	if !current || c == nil {
		return
	}
	s.cfg.Refused(refusedExpired)
	if s.cfg.OnExpiry == ExpiryCloses {
		c.fail(ForcedServerClose)
		return
	}
	var f Flush
	// If the session has ended meanwhile, nobody is left to be told.
	s.Apply(&Emit{Target: Target{Namespace: k.Nsp.Name, SIDs: []string{k.SID}}, Event: expiredEvent, Args: []byte("[]"), Volatile: true}, &f)
	f.Do()
}

// expiryHeap is a heap.Interface: the first expires next.
type expiryHeap []*expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *expiryHeap) Push(e any) {
	e.(*expiry).index = len(*h)
	*h = append(*h, e.(*expiry))
}

// Pop implements heap.Interface.
func (h *expiryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	e.index = -1
	*h = old[:len(old)-1]
	return e
}
