package bench

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Spread is a figure of several runs.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// SpreadOf sums up figures.
func SpreadOf(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return Spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// String is the median with the lowest and the highest figure behind it.
func (s Spread) String() string {
	if s.Low == s.High {
		return Short(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", Short(s.Median), Short(s.Low), Short(s.High))
}

// Short is a number with three digits that count: 1.23, 45.6, 789, 12.3k.
func Short(f float64) string {
	switch a := math.Abs(f); {
	case a >= 999.5e3:
		return fmt.Sprintf("%.3gM", f/1e6)
	case a >= 999.5:
		return fmt.Sprintf("%.3gk", f/1e3)
	case a >= 99.5:
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
}

// Figure is one number to compare servers by.
type Figure struct {
	Name  string
	Lower bool // is better
	Of    func(Result) float64
}

// Figures are those of the scenario, the telling one first. Without the server's process all that
// is left is what a clock on the wall shows.
func (s Scenario) Figures(process bool) []Figure {
	perCPU := Figure{s.Unit() + " per CPU second", false, func(r Result) float64 { return r.PerCPU }}
	perSecond := Figure{s.Unit() + " per second", false, func(r Result) float64 { return r.PerSecond }}
	p50 := Figure{"p50 µs", true, func(r Result) float64 { return float64(r.P50) / float64(time.Microsecond) }}
	p99 := Figure{"p99 µs", true, func(r Result) float64 { return float64(r.P99) / float64(time.Microsecond) }}
	last := Figure{"last receiver p50 µs", true, func(r Result) float64 { return float64(r.Last) / float64(time.Microsecond) }}
	var figures []Figure
	switch {
	case s.Kind == "idle" && process:
		return []Figure{
			{"bytes resident per session", true, func(r Result) float64 { return r.Bytes }},
			{"CPU µs per heartbeat", true, func(r Result) float64 { return r.Micros }},
		}
	case s.Rate > 0 && process:
		figures = []Figure{p50, p99, perCPU}
	case s.Rate > 0:
		figures = []Figure{p50, p99}
	case process:
		figures = []Figure{perCPU, perSecond, p50, p99}
	default:
		figures = []Figure{perSecond, p50, p99}
	}
	if s.Kind == "broadcast" {
		figures = append(figures, last)
	}
	return figures
}

// SpreadOf is the figure over several runs.
func (f Figure) SpreadOf(runs []Result) Spread {
	figures := make([]float64, len(runs))
	for i, r := range runs {
		figures[i] = f.Of(r)
	}
	return SpreadOf(figures)
}
