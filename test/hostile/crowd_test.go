package hostile

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// good is how many clients mean well.
const good = 500

// crowd is clients that mean well: each asks the backend something once a second.
type crowd struct {
	stop    chan struct{}
	asking  sync.WaitGroup
	mu      sync.Mutex // guards the following
	answers []time.Duration
}

// crowd lets the clients in. They ask until the test ends.
func (e *edge) crowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{stop: make(chan struct{})}
	for i := range good {
		l := e.webSocket(t, true)
		l.SetDeadline(time.Time{})
		c.asking.Go(func() {
			pace := time.NewTimer(time.Duration(i) * time.Second / good)
			defer pace.Stop()
			for {
				select {
				case <-c.stop:
					return
				case <-pace.C:
				}
				began := time.Now()
				if _, err := l.Write([]byte(frame(text, `421["echo","hello"]`))); err != nil {
					t.Errorf("one who means well cannot ask: %v", err)
					return
				}
				for packet := ""; packet != `431["hello"]`; {
					first, payload, err := l.frame()
					if err != nil || first == closing {
						t.Errorf("one who means well was closed: %q %v", payload, err)
						return
					}
					if packet = payload; packet == "2" {
						l.Write([]byte(frame(text, "3")))
					}
				}
				took := time.Since(began)
				c.mu.Lock()
				c.answers = append(c.answers, took)
				c.mu.Unlock()
				pace.Reset(max(0, time.Second-took))
			}
		})
	}
	t.Cleanup(func() { // before they are closed
		close(c.stop)
		c.asking.Wait()
	})
	return c
}

// p99 is the slowest but one in a hundred while f runs.
func (c *crowd) p99(f func()) (p50, p99 time.Duration) {
	c.mu.Lock()
	c.answers = nil
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.answers)
	return c.answers[len(c.answers)/2], c.answers[len(c.answers)*99/100]
}

// TestRowsBesideGoodClients plays all rows in random order, several at a time. Those who mean well
// are answered at most twice as late as without, and afterwards the edge holds what it held before.
func TestRowsBesideGoodClients(t *testing.T) {
	e := target(t)
	c := e.crowd(t)
	c.p99(func() { time.Sleep(time.Second) })
	alone50, alone := c.p99(func() { time.Sleep(4 * time.Second) })
	before, was := e.footprint(t), e.refusals(t)

	all := slices.DeleteFunc(rows(), func(r row) bool { return r.apart })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	rounds := 1
	if long() {
		rounds = 10
	}
	among50, among := c.p99(func() {
		for range rounds {
			c.play(t, e, all)
		}
	})
	after50, after := c.p99(func() { time.Sleep(2 * time.Second) })

	refused := since(was, e.refusals(t))
	t.Logf("%d rows; p99 %v before, %v among, %v after (p50 %v, %v, %v); refused: %s", len(all)*rounds, alone, among, after, alone50, among50, after50, refused)
	noise := 100 * time.Millisecond // other tests run beside this one
	if long() {
		noise = 5 * time.Millisecond
	}
	if base := max(alone, after); among > 2*base+noise {
		t.Errorf("p99 is %v, was %v", among, base)
	}
	for _, layer := range []string{"http", "polling", "websocket", "packet", "socketio"} {
		if !strings.Contains(refused, layer+"/") {
			t.Errorf("nothing is counted for the layer %s", layer)
		}
	}
	e.settles(t, before, 32<<20)
	e.wantCleanLog(t)
}

// play plays the rows: those that wait at once, the others in turn.
func (c *crowd) play(t *testing.T, e *edge, all []row) {
	var playing sync.WaitGroup
	quick := make(chan row)
	for range 2 {
		playing.Go(func() {
			for r := range quick {
				t.Run(r.name(), func(t *testing.T) { r.play(t, e) })
			}
		})
	}
	for _, r := range all {
		if r.slow {
			playing.Go(func() { t.Run(r.name(), func(t *testing.T) { r.play(t, e) }) })
			continue
		}
		quick <- r
	}
	close(quick)
	playing.Wait()
}
