package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/store"
	"github.com/sio-edge/sio-edge/internal/latency"
)

// collector asks the floors. It is a prometheus.Collector.
type collector struct {
	m *Metrics
	s Sources
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range families {
		ch <- f.desc
	}
}

// scrape is one look.
type scrape chan<- prometheus.Metric

func (ch scrape) put(f *family, v float64, labels ...string) {
	t := prometheus.GaugeValue
	if f.typ == "counter" {
		t = prometheus.CounterValue
	}
	ch <- prometheus.MustNewConstMetric(f.desc, t, v, labels...)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ch := scrape(out)
	ch.put(info, 1, c.s.Version, c.s.Identity.EdgeID)
	ch.put(epoch, float64(c.s.Identity.Epoch))
	for _, option := range c.s.Insecure() {
		ch.put(insecure, 1, option)
	}
	if at := c.s.CertificateExpires(); !at.IsZero() {
		ch.put(certificate, float64(at.Unix()))
	}
	for r, n := range c.m.refused {
		ch.put(refused, float64(n.n.Load()), r.layer, r.reason)
	}
	c.engine(ch)
	c.limits(ch)
	c.namespaces(ch)
	for _, g := range c.s.Groups.Figures() {
		ch.group(&g)
	}
	ch.put(overQuota, float64(c.s.RefusedCommands()))
	ch.put(panics, float64(c.s.Panics()))
	stale := 0.0
	if guard := c.s.Access; guard != nil {
		if guard.Stale() {
			stale = 1
		}
		if at := guard.Expires(); !at.IsZero() {
			ch.put(callersUntil, float64(at.Unix()))
		}
	}
	ch.put(accessStale, stale)
	if c.s.Store != nil {
		ch.store(c.s.Store.Stats())
	}
}

func (c *collector) engine(ch scrape) {
	st := c.s.Engine.Stats()
	ch.put(connections, float64(st.Polling), engineio.Polling)
	ch.put(connections, float64(st.WebSocket), engineio.WebSocket)
	ch.put(connectionsLimit, float64(c.s.MaxConnections()))
	ch.put(connectionsHeld, float64(st.Paused))
	ch.put(handshakes, float64(st.OpenedPolling), engineio.Polling)
	ch.put(handshakes, float64(st.OpenedWebSocket), engineio.WebSocket)
	ch.histogram(handshakeTime, &st.Handshake)
	ch.histogram(flushTime, &st.Flush)
	connects := c.s.Sockets.Connects()
	ch.histogram(connectTime, &connects)
	ch.put(upgrades, float64(st.Upgraded))
	for cause, n := range st.Closed {
		ch.put(closed, float64(n), cause)
	}
}

func (c *collector) limits(ch scrape) {
	for key, n := range c.s.Limits() {
		ch.put(limits, n, key)
	}
	ch.put(httpOpen, float64(c.s.Front.Open()))
	ch.put(acceptWaits, float64(c.s.Front.Waited()))
	ch.put(addressesKnown, float64(c.s.Addresses.Known()))
	b := c.s.Budget
	if b == nil {
		return
	}
	for _, k := range budget.Kinds() {
		ch.put(memoryUsed, float64(b.Used(k)), k.String())
		if share := b.Share(k); share > 0 {
			ch.put(memoryShare, float64(share), k.String())
		}
	}
	ch.put(memoryUsed, float64(b.Overhead()), other)
	ch.put(memoryShare, float64(b.Limit()), "all")
	for _, l := range budget.Levels() {
		is := 0.0
		if b.Level() == l {
			is = 1
		}
		ch.put(memoryLevel, is, l.String())
		if l != budget.Roomy {
			ch.put(memoryRaised, float64(b.Raised(l)), l.String())
		}
	}
	for _, what := range budget.Sheds() {
		ch.put(shed, float64(b.WasShed(what)), what.String())
	}
}

var kinds = [...]string{
	socketio.ConnectRequested: "connect_requested",
	socketio.Opened:           "opened",
	socketio.Suspended:        "suspended",
	socketio.Resumed:          "resumed",
	socketio.Closed:           "closed",
	socketio.ClientEvent:      "client_event",
}

var outcomes = [...]string{
	socketio.Acked:        "acked",
	socketio.TimedOut:     "timed_out",
	socketio.Disconnected: "disconnected",
	socketio.Dropped:      "dropped",
}

// namespaces tells the totals of each label, and what its namespaces hold together.
func (c *collector) namespaces(ch scrape) {
	usages := c.s.Sockets.Usages()
	held := make(map[string]socketio.Usage)
	c.m.mu.Lock()
	counts := make(map[string]*socketio.Counts, len(c.m.counts))
	for label, n := range c.m.counts {
		counts[label] = n
	}
	for name, u := range usages {
		label := name
		if c.m.counts[label] == nil {
			label = other // also if somebody has declared it since
		}
		sum := held[label]
		sum.Open += u.Open
		sum.Away += u.Away
		sum.Rooms += u.Rooms
		sum.LogPackets += u.LogPackets
		sum.LogBytes += u.LogBytes
		sum.AwaitedAcks += u.AwaitedAcks
		held[label] = sum
	}
	c.m.mu.Unlock()
	for label, n := range counts {
		for k, name := range kinds {
			if name != "" {
				ch.put(events, float64(n.Events[k].Load()), label, name)
			}
		}
		for k, name := range outcomes {
			if name != "" {
				ch.put(clientAcks, float64(n.Acks[k].Load()), label, name)
			}
		}
		ch.put(emits, float64(n.Emits.Load()), label)
		ch.put(recipients, float64(n.Written.Load()), label, "written")
		ch.put(recipients, float64(n.Dropped.Load()), label, "dropped")
		ch.put(replies, float64(n.Replies.Load()), label)
		ch.put(replayed, float64(n.Replayed.Load()), label)
		ch.put(gaps, float64(n.Gaps.Load()), label)
		u := held[label]
		ch.put(sessions, float64(u.Open), label, "open")
		ch.put(sessions, float64(u.Away), label, "suspended")
		ch.put(rooms, float64(u.Rooms), label)
		ch.put(logPackets, float64(u.LogPackets), label)
		ch.put(logBytes, float64(u.LogBytes), label)
		ch.put(awaitedAcks, float64(u.AwaitedAcks), label)
	}
}

func (ch scrape) group(g *group.Info) {
	attached := 0
	for _, m := range g.Members {
		if m.Attached {
			attached++
		}
	}
	ch.put(groupMembers, float64(attached), g.Name, "attached")
	ch.put(groupMembers, float64(len(g.Members)-attached), g.Name, "away")
	ch.put(backlog, float64(g.Events), g.Name)
	ch.put(backlogLimit, float64(g.Spec.MaxBacklogEvents), g.Name)
	ch.put(backlogBytes, float64(g.Bytes), g.Name)
	age := 0.0
	if !g.Oldest.IsZero() {
		age = time.Since(g.Oldest).Seconds()
	}
	ch.put(backlogAge, age, g.Name)
	ch.put(inFlight, float64(g.InFlight), g.Name)
	ch.put(paused, float64(g.Paused), g.Name)
	ch.put(deliveries, float64(g.Delivered), g.Name)
	ch.put(redeliveries, float64(g.Redelivered), g.Name)
	ch.put(settled, float64(g.Settled), g.Name, "done")
	ch.put(settled, float64(g.Nacked), g.Name, "nacked")
	ch.put(settled, float64(g.Late), g.Name, "late")
	ch.put(dropped, float64(g.Dropped), g.Name)
	ch.put(deadLetters, float64(g.DeadLetters), g.Name)

	ch.histogram(total, &g.Total, g.Name)
	ch.histogram(wait, &g.Wait, g.Name)
	ch.histogram(handle, &g.Handle, g.Name)
}

func (ch scrape) histogram(f *family, c *latency.Counts, labels ...string) {
	buckets := make(map[float64]uint64, len(c.Buckets))
	n := uint64(0)
	for i, count := range c.Buckets {
		n += count
		if i+1 < len(c.Buckets) {
			buckets[round(latency.Bound(i).Seconds())] = n
		}
	}
	ch <- prometheus.MustNewConstHistogram(f.desc, n, c.Sum.Seconds(), buckets, labels...)
}

// round keeps the bounds of buckets readable: 0.000064, not 6.400000000000001e-05.
func round(seconds float64) float64 { return math.Round(seconds*1e6) / 1e6 }

var states = [...]string{store.Healthy: "healthy", store.Full: "full", store.Broken: "broken"}

func (ch scrape) store(st store.Stats) {
	ch.put(commits, float64(st.Commits))
	ch.put(records, float64(st.Records))
	ch.put(failures, float64(st.Failures))
	ch.histogram(commitTime, &st.Took)
	ch.put(rewrites, float64(st.Rewrites))
	ch.put(replaced, float64(st.Replaced))
	ch.put(storeBytes, float64(st.FileBytes))
	for state, name := range states {
		v := 0.0
		if st.State == store.State(state) {
			v = 1
		}
		ch.put(storeHealthy, v, name)
	}
}
