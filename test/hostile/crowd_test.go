package hostile

import (
	"os"
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

// since takes the answers that have come since it was asked last.
func (c *crowd) since() spread {
	c.mu.Lock()
	defer c.mu.Unlock()
	answers := c.answers
	c.answers = nil
	return answers
}

// TestRowsBesideGoodClients has all rows played in random order, several at a time. Those who mean well
// are answered at most twice as late as without, and afterwards the edge holds what it held before.
func TestRowsBesideGoodClients(t *testing.T) {
	if os.Getenv(attackEnv) != "" {
		attack(t)
		return
	}
	e := target(t)
	c := e.crowd(t)
	time.Sleep(2 * time.Second)
	before, was := e.footprint(t), e.refusals(t)
	c.since()
	var alone, among spread
	rows := e.attacked(t, func(phase string) { // called when the phase has ended
		if phase == resting {
			alone = append(alone, c.since()...)
		} else {
			among = append(among, c.since()...)
		}
	})
	refused := since(was, e.refusals(t))
	t.Logf("%d rows; p50 %v alone, %v among them; p99 %v alone, %v among them; refused: %s", rows, alone.at(50), among.at(50), alone.at(99), among.at(99), refused)
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
