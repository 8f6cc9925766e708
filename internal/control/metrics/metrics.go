// Package metrics tells Prometheus how an edge fares.
//
// The floors count where things happen, with an atomic or under a lock that they hold anyway;
// this package asks them when somebody looks. Labels are bounded: reasons come from closed lists,
// groups are bounded by the edge, and of the namespaces only those that configuration or a group
// declares by name have a label of their own. The others share "other", because clients make up
// names that match a pattern.
package metrics

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/store"
)

// other is the label of namespaces that nobody declared.
const other = "other"

// maxUndeclared is how many namespaces that are restored before any group is known get a label
// all the same.
const maxUndeclared = 64

// Metrics counts what has no other place, and collects the rest. Counts, Refused and
// RefusedConnect go into the configuration of the floors; Watch is called once they are there.
type Metrics struct {
	registry *prometheus.Registry
	refused  map[refusal]*tally // static after New

	mu         sync.Mutex // guards the following
	declared   func() []string
	counts     map[string]*socketio.Counts // by label
	undeclared int
}

type refusal struct{ layer, reason string }

// tally is how often something happened, and when last, in Unix nanoseconds.
type tally struct {
	n    atomic.Uint64
	last atomic.Int64
}

// New returns Metrics of which nothing can be seen yet but the runtime.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), refused: make(map[refusal]*tally),
		counts: map[string]*socketio.Counts{other: new(socketio.Counts)}}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, all := range []map[string][]string{edge.Refusals(), engineio.Refusals(), {"socketio": socketio.Refusals()}, access.Refusals()} {
		for layer, reasons := range all {
			for _, reason := range reasons {
				m.refused[refusal{layer, reason}] = new(tally)
			}
		}
	}
	// What a list forgot must not be lost.
	m.refused[refusal{other, other}] = new(tally)
	return m
}

// Refused counts what the front door and the Engine.IO floor turn away.
func (m *Metrics) Refused(layer, reason string) {
	t := m.refused[refusal{layer, reason}]
	if t == nil {
		t = m.refused[refusal{other, other}]
	}
	t.n.Add(1)
	t.last.Store(time.Now().UnixNano())
}

// Refusals calls f with what was turned away so far, by layer and reason.
func (m *Metrics) Refusals(f func(layer, reason string, n uint64, last time.Time)) {
	all := slices.SortedFunc(maps.Keys(m.refused), func(a, b refusal) int {
		return cmp.Or(strings.Compare(a.layer, b.layer), strings.Compare(a.reason, b.reason))
	})
	for _, r := range all {
		if t := m.refused[r]; t.n.Load() > 0 {
			f(r.layer, r.reason, t.n.Load(), time.Unix(0, t.last.Load()))
		}
	}
}

// RefusedClient counts what the Socket.IO floor turns away.
func (m *Metrics) RefusedClient(reason string) { m.Refused("socketio", reason) }

// Counts returns what a namespace is counted in.
func (m *Metrics) Counts(namespace string) *socketio.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	label := m.labelLocked(namespace)
	if label == other && m.declared == nil && m.undeclared < maxUndeclared {
		m.undeclared++
		label = namespace
	}
	c := m.counts[label]
	if c == nil {
		c = new(socketio.Counts)
		m.counts[label] = c
	}
	return c
}

// labelLocked is the label of a namespace: a name that has one keeps it.
func (m *Metrics) labelLocked(namespace string) string {
	if m.counts[namespace] != nil {
		return namespace
	}
	if m.declared != nil && !strings.Contains(namespace, "*") && slices.Contains(m.declared(), namespace) {
		return namespace
	}
	return other
}

// Sources is whom to ask. Store may be nil.
type Sources struct {
	Version        string
	Identity       store.Identity
	MaxConnections func() int
	Limits         func() map[string]float64 // by key
	Budget         *budget.Budget            // may be nil
	Addresses      *limit.Addresses          // may be nil
	Front          *edge.Server
	Insecure       func() []string // options
	// CertificateExpires is when the certificate for clients expires; zero if that is nobody's business.
	CertificateExpires func() time.Time
	Engine             *engineio.Server
	Sockets            *socketio.Server
	Groups             *group.Groups
	Store              *store.Store
	// RefusedCommands counts commands above the quota of their stream.
	RefusedCommands func() uint64
	// Panics counts calls that a bug ended.
	Panics func() uint64
	// Access decides who may do what; nil if everybody may do everything.
	Access *access.Guard
}

// Watch begins to collect from the floors.
func (m *Metrics) Watch(s Sources) {
	m.mu.Lock()
	m.declared = s.Groups.Namespaces
	m.mu.Unlock()
	m.registry.MustRegister(&collector{m, s})
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
