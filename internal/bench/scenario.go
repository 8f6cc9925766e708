package bench

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Target is the server to measure.
type Target struct {
	Addr string      // host:port of the Engine.IO server
	Path string      // "/socket.io/"
	Auth string      // JSON object for CONNECT, or empty
	PID  int         // of the server process, for its CPU time and memory; 0 if it is elsewhere
	TLS  *tls.Config // nil: none is spoken
}

// Options is how long the runs are.
type Options struct {
	For    time.Duration // one run, after a fifth of it to warm up
	Hold   time.Duration // a run of idle, which should see a heartbeat of every client
	Settle time.Duration // what has not come back so long after the last question is lost; default 5 s
}

// Scenario is something for clients to do: a kind and its numbers. The text form is kind-AxB@R,
// such as echo-100x10, broadcast-5000@3 or churn-64.
type Scenario struct {
	Kind string
	A, B int     // what they count depends on the kind
	Rate float64 // a second over all connections; 0: as fast as answers come
}

// kinds says what the numbers of each kind are, and what is counted.
var kinds = map[string]struct{ numbers, unit string }{
	"idle":      {"connections", "heartbeats"},
	"echo":      {"connections x events outstanding on each", "acks"},
	"binary":    {"connections x events of 10 KB outstanding on each", "acks"},
	"broadcast": {"connections", "deliveries"},
	"rooms":     {"rooms x sessions in each", "deliveries"},
	"churn":     {"connects at once", "connects"},
	"polling":   {"clients that poll, one event outstanding on each", "acks"},
	"upgrade":   {"clients at once, from polling to WebSocket", "upgrades"},
}

// ParseScenario reads the text form.
func ParseScenario(text string) (Scenario, error) {
	kind, numbers, _ := strings.Cut(text, "-")
	s := Scenario{Kind: kind, B: 1}
	known, ok := kinds[kind]
	if !ok {
		all := make([]string, 0, len(kinds))
		for k := range kinds {
			all = append(all, k)
		}
		slices.Sort(all)
		return s, fmt.Errorf("scenario %q: the kinds are %s", text, strings.Join(all, ", "))
	}
	numbers, rate, hasRate := strings.Cut(numbers, "@")
	a, b, hasB := strings.Cut(numbers, "x")
	if _, err := fmt.Sscan(a, &s.A); err != nil || s.A < 1 {
		return s, fmt.Errorf("scenario %q: %s- needs a number: %s", text, kind, known.numbers)
	}
	if hasB {
		if _, err := fmt.Sscan(b, &s.B); err != nil || s.B < 1 {
			return s, fmt.Errorf("scenario %q: after x comes a number", text)
		}
	}
	if hasRate {
		if _, err := fmt.Sscan(rate, &s.Rate); err != nil || s.Rate <= 0 {
			return s, fmt.Errorf("scenario %q: after @ comes a rate per second", text)
		}
	}
	return s, nil
}

// String is the text form.
func (s Scenario) String() string {
	text := fmt.Sprintf("%s-%d", s.Kind, s.A)
	if s.B > 1 || s.Kind == "echo" || s.Kind == "binary" {
		text += fmt.Sprintf("x%d", s.B)
	}
	if s.Rate > 0 {
		text += fmt.Sprintf("@%g", s.Rate)
	}
	return text
}

// Unit is what the scenario counts.
func (s Scenario) Unit() string { return kinds[s.Kind].unit }

// Connections is how many connections the scenario has open.
func (s Scenario) Connections() int {
	if s.Kind == "rooms" {
		return max(1000, s.A*s.B/200) // a session may be in 256 rooms
	}
	return s.A
}

// Result is what one run of a scenario measured.
type Result struct {
	Scenario    string  `json:"scenario"`
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`
	Done        uint64  `json:"done"` // came back and was right
	PerSecond   float64 `json:"per_second"`

	Lost      uint64 `json:"lost"`      // never came back
	Wrong     uint64 `json:"wrong"`     // was not what was expected
	Reordered uint64 `json:"reordered"` // came before its turn
	Dropped   uint64 `json:"dropped"`   // connections that ended

	CPUSeconds float64 `json:"cpu_seconds,omitempty"` // of the server process
	PerCPU     float64 `json:"per_cpu_second,omitempty"`

	P50  time.Duration `json:"p50_ns,omitempty"`
	P99  time.Duration `json:"p99_ns,omitempty"`
	Last time.Duration `json:"last_receiver_p50_ns,omitempty"` // of a broadcast

	Bytes  float64 `json:"bytes_per_connection,omitempty"` // resident in the server
	Micros float64 `json:"micros_per_heartbeat,omitempty"` // of CPU time
}

// Clean reports whether nothing was lost, wrong or out of order.
func (r Result) Clean() bool {
	return r.Lost == 0 && r.Wrong == 0 && r.Reordered == 0 && r.Dropped == 0
}

// Faults says what was not right.
func (r Result) Faults() string {
	return fmt.Sprintf("%d lost, %d wrong, %d reordered, %d connections dropped", r.Lost, r.Wrong, r.Reordered, r.Dropped)
}

func (r *Result) count(seconds, cpu float64, latencies []time.Duration) {
	r.Seconds, r.CPUSeconds = seconds, cpu
	r.PerSecond = float64(r.Done) / seconds
	if cpu > 0 {
		r.PerCPU = float64(r.Done) / cpu
	}
	if len(latencies) > 0 {
		slices.Sort(latencies)
		r.P50, r.P99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	}
}
