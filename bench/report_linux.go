package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sio-edge/sio-edge/internal/bench"
)

func (r *report) find(scenario, peer string) []bench.Result {
	for _, s := range r.Series {
		if s.Scenario == scenario && s.Peer == peer {
			return s.Runs
		}
	}
	return nil
}

// scenarios is those that were run, and the peers of each, in order.
func (r *report) scenarios() (names []string, peersOf map[string][]string) {
	peersOf = make(map[string][]string)
	for _, s := range r.Series {
		if peersOf[s.Scenario] == nil {
			names = append(names, s.Scenario)
		}
		peersOf[s.Scenario] = append(peersOf[s.Scenario], s.Peer)
	}
	return names, peersOf
}

// ratio is the edge's figure over the peer's, round by round: both were run one after the other.
func ratio(f bench.Figure, edge, peer []bench.Result) bench.Spread {
	var ratios []float64
	for i := range min(len(edge), len(peer)) {
		if below := f.Of(peer[i]); below > 0 {
			ratios = append(ratios, f.Of(edge[i])/below)
		}
	}
	return bench.SpreadOf(ratios)
}

func (r *report) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.json"), append(b, '\n'), 0o644)
}

// finish prints the table, and writes it and the plots.
func (r *report) finish(dir string, grown bool) error {
	table := r.table()
	fmt.Print(table)
	if err := os.WriteFile(filepath.Join(dir, "bench.md"), []byte(table), 0o644); err != nil {
		return err
	}
	if grown {
		return r.growthPlots(dir)
	}
	names, peersOf := r.scenarios()
	for _, name := range names {
		s, err := bench.ParseScenario(name)
		if err != nil {
			return err
		}
		f := s.Figures(true)[0]
		var bars []bar
		for _, p := range peersOf[name] {
			bars = append(bars, bar{p, f.SpreadOf(r.find(name, p))})
		}
		if len(bars) < 2 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), barPlot(name+": "+f.Name+better(f), bars), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) growthPlots(dir string) error {
	for i, g := range growth {
		var points []point
		var figure bench.Figure
		for j, name := range g.entries {
			s, err := bench.ParseScenario(name)
			if err != nil {
				return err
			}
			figure = s.Figures(true)[0]
			p := g.peer
			if g.peers != nil {
				p = g.peers[j]
			}
			if runs := r.find(name, p); runs != nil {
				points = append(points, point{g.at[j], figure.SpreadOf(runs)})
			}
		}
		if len(points) < 2 {
			continue
		}
		file := fmt.Sprintf("growth-%d-%s.svg", i+1, strings.ReplaceAll(g.x, " ", "-"))
		if err := os.WriteFile(filepath.Join(dir, file), linePlot(g.title+": "+figure.Name+better(figure), g.x, points), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func better(f bench.Figure) string {
	if f.Lower {
		return ", less is better"
	}
	return ", more is better"
}

// telling is how many figures of a scenario say something about the server: those of the clock on
// the wall say more about the generator that shares the machine.
func telling(s bench.Scenario) int {
	if s.Kind == "idle" || s.Rate > 0 {
		return 2
	}
	return 1
}

// table has one row for every telling figure of every peer.
func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. Median (lowest–highest).\n\n", r.At.Format("2006-01-02"), r.Machine)
	fmt.Fprintln(&b, "| scenario | what | peer | figure | edge ÷ peer | goal |")
	fmt.Fprintln(&b, "| --- | --- | --- | --- | --- | --- |")
	names, peersOf := r.scenarios()
	clean, runs := 0, 0
	for _, name := range names {
		s, err := bench.ParseScenario(name)
		if err != nil {
			continue
		}
		edge := r.find(name, base)
		for i, f := range s.Figures(true)[:telling(s)] {
			for _, p := range peersOf[name] {
				its := r.find(name, p)
				q := ratio(f, edge, its)
				divided := q.String()
				if p == base || len(edge) == 0 {
					divided = ""
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name, f.Name, p, f.SpreadOf(its), divided,
					judge(name, i, p, f.SpreadOf(edge), f.SpreadOf(its), q.Median))
			}
		}
		for _, p := range peersOf[name] {
			for _, run := range r.find(name, p) {
				runs++
				if run.Clean() {
					clean++
				}
			}
		}
	}
	fmt.Fprintf(&b, "\n%d of %d runs lost, reordered and mistook nothing.\n", clean, runs)
	return b.String()
}

func judge(scenario string, figure int, peer string, edge, its bench.Spread, ratio float64) string {
	var words []string
	for _, g := range goals {
		if g.scenario != scenario || g.figure != figure || g.peer != peer {
			continue
		}
		says, met := g.how(edge, its, ratio)
		if met {
			says += ": met"
		} else {
			says += ": **missed**"
		}
		words = append(words, says)
	}
	return strings.Join(words, ", ")
}
