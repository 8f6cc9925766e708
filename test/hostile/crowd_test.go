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

// spread is how long answers took.
type spread []time.Duration

func (s spread) at(hundredth int) time.Duration {
	slices.Sort(s)
	return s[len(s)*hundredth/100]
}

// during is how long the answers take that come while f runs.
func (c *crowd) during(f func()) spread {
	c.mu.Lock()
	c.answers = nil
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.answers)
}

// batches is how many parts the rows are played in, with rests between them: what else the machine does is
// then in both.
const batches = 4

// TestRowsBesideGoodClients plays all rows in random order, several at a time. Those who mean well
// are answered at most twice as late as without, and afterwards the edge holds what it held before.
func TestRowsBesideGoodClients(t *testing.T) {
	e := target(t)
	c := e.crowd(t)
	rest := func() { time.Sleep(2 * time.Second) }
	c.during(rest)
	before, was := e.footprint(t), e.refusals(t)

	all := slices.DeleteFunc(rows(), func(r row) bool { return r.apart })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	quick := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return r.slow })
	rounds := 1
	if long() {
		rounds = 10
	}
	var alone, among spread
	for range rounds {
		var waiting sync.WaitGroup
		for _, r := range all {
			if r.slow { // and does next to nothing meanwhile
				waiting.Go(func() { t.Run(r.name(), func(t *testing.T) { r.play(t, e) }) })
			}
		}
		for batch := range slices.Chunk(quick, len(quick)/batches+1) {
			alone = append(alone, c.during(rest)...)
			among = append(among, c.during(func() { play(t, e, batch) })...)
		}
		waiting.Wait()
	}
	alone = append(alone, c.during(rest)...)

	refused := since(was, e.refusals(t))
	t.Logf("%d rows; p50 %v alone, %v among them; p99 %v alone, %v among them; refused: %s", len(all)*rounds, alone.at(50), among.at(50), alone.at(99), among.at(99), refused)
	noise := 150 * time.Millisecond // other tests run beside this one
	if long() {
		noise = 5 * time.Millisecond
	}
	if among.at(50) > 2*alone.at(50)+noise/10 || among.at(99) > 2*alone.at(99)+noise {
		t.Errorf("p50 is %v and p99 %v, alone %v and %v", among.at(50), among.at(99), alone.at(50), alone.at(99))
	}
	for _, layer := range []string{"http", "polling", "websocket", "packet", "socketio"} {
		if !strings.Contains(refused, layer+"/") {
			t.Errorf("nothing is counted for the layer %s", layer)
		}
	}
	e.settles(t, before, 32<<20)
	e.wantCleanLog(t)
}

// pace is how often a row begins: attackers, clients, backend and edge share the cores of one machine.
const pace = 20 * time.Millisecond

// play plays rows, at most two at a time.
func play(t *testing.T, e *edge, rows []row) {
	var playing sync.WaitGroup
	next := make(chan row)
	for range 2 {
		playing.Go(func() {
			for r := range next {
				t.Run(r.name(), func(t *testing.T) { r.play(t, e) })
			}
		})
	}
	begin := time.NewTicker(pace)
	defer begin.Stop()
	for _, r := range rows {
		next <- r
		<-begin.C
	}
	close(next)
	playing.Wait()
}
