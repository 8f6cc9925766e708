package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	var ts unix.Timespec
	clock := int32(^p.Process.Pid)<<3 | 2 // the process's clock, see clock_getcpuclockid(3)
	unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano())
}

// count is the value of a metric, which is there.
func (p *process) count(t *testing.T, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(metric(p.get(t, p.ops+"/metrics"), name), 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// TestP15_EverybodyIsBack: all clients lose their connections at once, by a cut of the network and by
// a kill of the edge. With the stock client's back-off all are back in 15 s, over TLS in 25 s, all in
// their sessions, and backends hear of no new one.
func TestP15_EverybodyIsBack(t *testing.T) {
	n, rounds := 500, 2
	if long() {
		n, rounds = 8000, 5
	}
	t.Run("plain", func(t *testing.T) { storm(t, n, rounds, 15*time.Second) })
	t.Run("TLS", func(t *testing.T) {
		storm(t, n, rounds-1, 25*time.Second, certify(t, t.TempDir(), "edge.test")...)
	})
}

// storm is so many cuts and kills.
func storm(t *testing.T, n, rounds int, within time.Duration, more ...string) {
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	data := t.TempDir()
	args := append(more, "--data-dir", data, "--listen", free(), "--control-listen", free(), "--ops-listen", free())
	p := startEdge(t, args...)
	var edge *sioedge.Edge
	p.member(t, p.control, "one", func(e *sioedge.Edge) {
		edge = e
		e.OnConnect(func(ctx context.Context, s *sioedge.Socket) error { return nil })
	})
	h := p.newHerd(t, n)
	eventually(t, "all have opened", func() bool { return p.count(t, `sioedge_events_total{kind="opened",namespace="/"}`) == float64(n) })
	for round := range rounds {
		h.refused.Store(0)
		h.failed.Store(0)
		h.slowest.Store(0)
		var at time.Time
		what := "cut"
		resumedBefore, openedBefore := p.count(t, `sioedge_events_total{kind="resumed",namespace="/"}`), p.count(t, `sioedge_events_total{kind="opened",namespace="/"}`)
		if round%2 == 0 {
			at = h.cut()
		} else {
			what = "kill"
			at = time.Now()
			p.Process.Kill()
			p.Wait()
			p = startEdge(t, args...)
			resumedBefore, openedBefore = 0, 0
		}
		if err := edge.Emit(t.Context(), "news", round, strings.Repeat("x", 100)); err != nil {
			t.Fatal(err)
		}
		half, last, resumed := h.await(t, at, 60*time.Second)
		t.Logf("%s: %d clients, half back after %v, the last after %v, %d resumed; %d times refused, the slowest answer %v; %d other failures",
			what, n, half, last, resumed, h.refused.Load(), time.Duration(h.slowest.Load()), h.failed.Load())
		if resumed != n {
			t.Errorf("%d of %d resumed", resumed, n)
		}
		if last > within {
			t.Errorf("the last was back after %v", last)
		}
		if got := p.count(t, `sioedge_events_total{kind="resumed",namespace="/"}`) - resumedBefore; got != float64(n) {
			t.Errorf("the backend heard of %v resumes", got)
		}
		if got := p.count(t, `sioedge_events_total{kind="opened",namespace="/"}`) - openedBefore; got != 0 {
			t.Errorf("the backend heard of %v new sessions", got)
		}
	}
}

// TestP15_RefusalsAreCheap: whoever is turned away costs less than a tenth of a millisecond, by
// whatever limit.
func TestP15_RefusalsAreCheap(t *testing.T) {
	n := 2000
	if long() {
		n = 20_000
	}
	for name, args := range map[string][]string{
		"of all":        {"--connections-per-second", "1"},
		"of an address": {"--address-connections-per-second", "1"},
		"in memory":     {"--stranger-memory", "1MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startEdge(t, args...)
			if name == "in memory" {
				for range 64 { // as many as have room
					c, err := net.Dial("tcp", strings.TrimPrefix(p.clients, "http://"))
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
				}
			}
			for range 4 { // uses up what may come at once
				if c, _, err := dialSocket(p.clients, 0, 10*time.Second); err == nil {
					defer c.Close()
				}
			}
			begin, used := time.Now(), p.cpu()
			var refused, other atomic.Int64
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range n / 4 {
						c, _, err := dialSocket(p.clients, 0, 10*time.Second)
						switch {
						case err == nil:
							c.Close()
							other.Add(1)
						case err == errTurnedAway, strings.Contains(err.Error(), " 429 "):
							refused.Add(1)
						default:
							other.Add(1)
						}
					}
				})
			}
			all.Wait()
			used = p.cpu() - used
			each := used / time.Duration(n)
			t.Logf("%d refused, %d others in %v: %v of a processor each", refused.Load(), other.Load(), time.Since(begin), each)
			if refused.Load() < int64(n*9/10) {
				t.Errorf("%d of %d were refused", refused.Load(), n)
			}
			if each > 100*time.Microsecond {
				t.Errorf("a refusal costs %v", each)
			}
		})
	}
}

// visits counts clients that come, join and go, as many a second as rate says, or as many as there
// are workers.
type visits struct {
	mu                             sync.Mutex
	good, refused, failed, offered int
	took, refusedTook              []time.Duration
	began                          time.Time
	length                         time.Duration
	processor                      time.Duration // of the edge
}

func (v *visits) perSecond() float64 { return float64(v.good) / v.length.Seconds() }

// perProcessorSecond does not depend on what else runs on the machine.
func (v *visits) perProcessorSecond() float64 { return float64(v.good) / v.processor.Seconds() }

func (v *visits) String() string {
	s := fmt.Sprintf("%.0f good, %.0f refused, %.0f failed a second", v.perSecond(), float64(v.refused)/v.length.Seconds(), float64(v.failed)/v.length.Seconds())
	if len(v.took) > 0 {
		t := sorted(v.took)
		s += fmt.Sprintf("; good after %v, p99 %v", t[len(t)/2].Round(time.Millisecond), t[len(t)*99/100].Round(time.Millisecond))
	}
	if len(v.refusedTook) > 0 {
		t := sorted(v.refusedTook)
		s += fmt.Sprintf("; refused after %v, p99 %v", t[len(t)/2].Round(time.Millisecond), t[len(t)*99/100].Round(time.Millisecond))
	}
	return s
}

// visit is one client that comes, joins and goes.
func (v *visits) visit(url string, id int, patience time.Duration) {
	began := time.Now()
	conn, r, err := dialSocket(url, id, patience)
	if err == nil {
		conn.SetDeadline(began.Add(patience))
		if err = sendFrame(conn, "40"); err == nil {
			for packet := ""; err == nil && !strings.HasPrefix(packet, "40{"); {
				packet, err = readFrame(r)
			}
		}
		sendFrame(conn, "41")
		conn.Close()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.began) > v.length {
		return
	}
	switch {
	case err == nil:
		v.good++
		v.took = append(v.took, time.Since(began))
	case err == errTurnedAway:
		v.refused++
		v.refusedTook = append(v.refusedTook, time.Since(began))
	default:
		v.failed++
	}
}

// closed lets workers visit one after the other.
func (p *process) closedLoop(workers int, length time.Duration) *visits {
	v := &visits{began: time.Now(), length: length}
	used := p.cpu()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; time.Since(v.began) < length; i += workers {
				v.visit(p.clients, i, 20*time.Second)
			}
		})
	}
	time.Sleep(length)
	v.processor = p.cpu() - used
	all.Wait()
	return v
}

// openLoop lets so many come a second, however many of those before are still there. They give up
// when their patience is over.
func (p *process) openLoop(rate float64, length, patience time.Duration) *visits {
	v := &visits{began: time.Now(), length: length}
	used := p.cpu()
	var all sync.WaitGroup
	var there atomic.Int64
	for i := 0; time.Since(v.began) < length; {
		due := int(time.Since(v.began).Seconds() * rate)
		for ; i < due && there.Load() < 16_000; i++ {
			id := i // the loop goes on with its own
			there.Add(1)
			v.offered++
			all.Go(func() {
				defer there.Add(-1)
				v.visit(p.clients, id, patience)
			})
		}
		time.Sleep(time.Millisecond)
	}
	v.processor = p.cpu() - used
	all.Wait()
	return v
}

// TestP15_GoodputStaysUpUnderOverload: when five times as many come as can be served, nine tenths of
// the most that can be served are. The edge gets a part of a processor only, so that the clients
// have the rest: with a quarter of one they could not offer five times as much, and read late what
// they were sent in time.
func TestP15_GoodputStaysUpUnderOverload(t *testing.T) {
	// The short form runs beside other tests and with the race detector: the edge gets so little that
	// the clients can always keep it busy, and what counts is what it makes of that.
	period, quota := "50000", "2000" // microseconds
	length, steps, least, goodput := 3*time.Second, []float64{5}, 0.5, (*visits).perProcessorSecond
	if long() {
		period, quota = "10000", "1250"
		length, steps, least, goodput = 20*time.Second, []float64{1, 2, 5}, 0.9, (*visits).perSecond
	}
	const patience = 2 * time.Second // a stock client has 20 s; then nothing would be done in vain
	var as []string
	if dir := cgroup(t, "cpu", map[string]string{"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}); dir != "" {
		as = within(dir)
	} else {
		t.Log("no control group for the processor here: the edge has one processor (GOMAXPROCS=1)")
		as = []string{"/usr/bin/env", "GOMAXPROCS=1"}
	}
	p := startEdgeAs(t, as)
	peak, best := 0.0, 0.0
	for _, workers := range []int{8, 32, 64} {
		v := p.closedLoop(workers, length/2)
		t.Logf("%d at a time: %v; the edge used %v", workers, v, v.processor)
		peak, best = max(peak, v.perSecond()), max(best, goodput(v))
	}
	for _, times := range steps {
		v := p.openLoop(times*peak, length, patience)
		t.Logf("%.0f times %.0f: %.0f offered, %v; the edge used %v; it waited %.0f times; %s", times, peak, float64(v.offered)/length.Seconds(), v, v.processor,
			p.count(t, "sioedge_accept_waits_total"), p.refusals(t))
		if times == 5 && goodput(v) < least*best {
			t.Errorf("%.0f a second of at most %.0f when five times as many come", goodput(v), best)
		}
	}
}
