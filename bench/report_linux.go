package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// name is that of the report's files.
func (r *report) name() string {
	if r.growth {
		return "growth"
	}
	return "bench"
}

func (r *report) read(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (r *report) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.name()+".json"), append(b, '\n'), 0o644)
}

// sort restores the order of the suite, which runs in place of earlier ones have left.
func (r *report) sort() {
	place := func(s *series) int {
		i := slices.IndexFunc(suite, func(e entry) bool { return e.scenario == s.Scenario })
		if i < 0 {
			return len(suite)
		}
		return i
	}
	slices.SortStableFunc(r.Series, func(a, b *series) int { return cmp.Compare(place(a), place(b)) })
}

// publish puts the table between its marks in docs/performance.md.
func (r *report) publish(table string) error {
	file := filepath.Join("docs", "performance.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+r.name()+": written by make bench -->\n", "<!-- end of "+r.name()+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: there is no %q and %q", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644)
}

// finish prints the table, and writes it and the plots.
func (r *report) finish(dir string, publish bool) error {
	r.sort()
	if err := r.write(dir); err != nil {
		return err
	}
	table := r.table()
	if r.growth {
		table = r.growthTable()
	}
	fmt.Print(table)
	if publish {
		if err := r.publish(table); err != nil {
			return err
		}
	} else if err := os.WriteFile(filepath.Join(dir, r.name()+".md"), []byte(table), 0o644); err != nil {
		return err
	}
	if r.growth {
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
	for _, g := range growth {
		var points []point
		var figure bench.Figure
		for j, name := range g.entries {
			s, err := bench.ParseScenario(name)
			if err != nil {
				return err
			}
			figure = s.Figures(true)[0]
			if runs := r.find(name, g.peerAt(j)); runs != nil {
				points = append(points, point{g.at[j], figure.SpreadOf(runs)})
			}
		}
		if len(points) < 2 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "growth-"+g.file+".svg"), linePlot(g.title+": "+figure.Name+better(figure), g.x, points), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// growthTable has a row for each line of a plot.
func (r *report) growthTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. Median (lowest–highest).\n\n", r.At.Format("2006-01-02"), r.Machine)
	for _, g := range growth {
		var heads, rules, cells []string
		figures := make(map[int][]string)
		for j, name := range g.entries {
			s, err := bench.ParseScenario(name)
			if err != nil {
				continue
			}
			runs := r.find(name, g.peerAt(j))
			heads, rules = append(heads, bench.Short(g.at[j])), append(rules, "---")
			for i, f := range s.Figures(true)[:telling(s)] {
				if j == 0 {
					cells = append(cells, g.title+", "+f.Name)
				}
				figures[i] = append(figures[i], f.SpreadOf(runs).String())
			}
		}
		fmt.Fprintf(&b, "| %s | %s |\n| --- | %s |\n", g.x, strings.Join(heads, " | "), strings.Join(rules, " | "))
		for i, head := range cells {
			fmt.Fprintf(&b, "| %s | %s |\n", head, strings.Join(figures[i], " | "))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
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
		for i, f := range s.Figures(true)[:telling(s)] {
			for _, p := range peersOf[name] {
				its, edge := r.find(name, p), r.find(name, baseOf(p))
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
