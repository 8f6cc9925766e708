package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// verdict is what the checker found.
type verdict struct {
	figures []figure
	broken  map[string][]string // by the name of the check
}

type figure struct{ name, value string }

func (v *verdict) ok() bool { return len(v.broken) == 0 }

func (v *verdict) breaks(check, format string, args ...any) {
	if v.broken == nil {
		v.broken = make(map[string][]string)
	}
	v.broken[check] = append(v.broken[check], fmt.Sprintf(format, args...))
}

func (v *verdict) figure(name, format string, args ...any) {
	v.figures = append(v.figures, figure{name, fmt.Sprintf(format, args...)})
}

// examples is how many breaches of each check are printed.
const examples = 5

func (v *verdict) print(out io.Writer) {
	for _, f := range v.figures {
		fmt.Fprintf(out, "  %-44s %s\n", f.name, f.value)
	}
	for _, name := range slices.Sorted(maps.Keys(v.broken)) {
		all := v.broken[name]
		fmt.Fprintf(out, "BROKEN %s: %d\n", name, len(all))
		for _, text := range all[:min(len(all), examples)] {
			fmt.Fprintf(out, "    %s\n", text)
		}
	}
	if v.ok() {
		fmt.Fprintln(out, "verdict: nothing lost, nothing twice, nothing out of order")
	} else {
		fmt.Fprintln(out, "verdict: BROKEN")
	}
}

// recheck checks the history of a former run.
func recheck(dir string) error {
	p, err := loadPlan(dir)
	if err != nil {
		return err
	}
	v, err := check(p)
	if err != nil {
		return err
	}
	v.print(os.Stdout)
	if !v.ok() {
		return fmt.Errorf("the history in %s breaks promises", dir)
	}
	return nil
}

// check reads all histories of a run and decides.
func check(p *plan) (*verdict, error) {
	s := &seen{plan: p, clients: make([]clientSeen, p.Clients), emits: make(map[emitID]*emitSeen),
		handled: make(map[eventKey][]handledSeen), wires: make(map[string][]wireSeen), lives: make(map[string]*lifeSeen), dead: make(map[int]int64)}
	for i := range s.clients {
		s.clients[i].ups = make(map[int]upSeen)
	}
	for name, f := range map[string]func(string, int64, []string) error{"faults": s.fault, "clients": s.client} {
		if err := read(filepath.Join(p.Dir, name+".log"), f); err != nil {
			return nil, err
		}
	}
	backends, err := filepath.Glob(filepath.Join(p.Dir, "backend-*.log"))
	if err != nil {
		return nil, err
	}
	for _, path := range backends {
		var instance int
		if n, _ := fmt.Sscanf(filepath.Base(path), "backend-%d.log", &instance); n != 1 {
			continue // what it wrote on its standard error
		}
		b := backendSeen{seen: s, instance: instance, rooms: make(map[int][]string)}
		if err := read(path, b.line); err != nil {
			return nil, err
		}
	}
	v := &verdict{}
	s.checkFaults(v)
	s.checkResumes(v)
	s.checkEvents(v)
	s.checkLives(v)
	s.checkBare(v)
	s.checkEmits(v)
	return v, nil
}

// checkFaults: the process itself.
func (s *seen) checkFaults(v *verdict) {
	for _, text := range s.odd {
		v.breaks("odd", "%s", text)
	}
	v.figure("SIGKILLs, SIGTERMs of the edge", "%d, %d", len(s.kills), len(s.terms)-1) // the last ends the run
	if len(s.ended) > 0 {
		slices.Sort(s.ended)
		v.figure("ended after SIGTERM p50, max", "%s, %s", quantile(s.ended, 0.5), quantile(s.ended, 1))
	}
	if len(s.healed) > 0 {
		slices.Sort(s.healed)
		v.figure("written again after faults of the disk p50, max", "%s, %s", quantile(s.healed, 0.5), quantile(s.healed, 1))
		if worst := quantile(s.healed, 1); worst > 5*time.Second {
			v.breaks("healed", "the edge took %s to write again", worst)
		}
	}
	if len(s.ready) > 0 {
		slices.Sort(s.ready)
		v.figure("ready again p50, max", "%s, %s", quantile(s.ready, 0.5), quantile(s.ready, 1))
		if s.Ready > 0 && quantile(s.ready, 1) > s.Ready {
			v.breaks("ready", "the edge took %s", quantile(s.ready, 1))
		}
	}
}

// quantile of durations in order, rounded for people.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(time.Millisecond)
}

// between counts the times t with from <= t < to.
func between(times []int64, from, to int64) int {
	n := 0
	for _, t := range times {
		if t >= from && t < to {
			n++
		}
	}
	return n
}

func seconds(ns int64) string { return fmt.Sprintf("%.3fs", float64(ns)/1e9) }

func join(fields []string) string { return strings.Join(fields, " ") }
