// Command check runs the benchmarks of every step of an event's path and compares them with the
// figures kept in bench/baseline.json. Run it as "make bench-check".
//
// Figures are kept as ratios to calibration loops that are measured in the same minutes, so that
// they hold on a slower or busier machine; of several rounds the fastest counts, for disturbances
// only ever add. They do not hold from one kind of processor to another, so each has its own; on
// one that nobody has measured the slowest of the others counts. Allocations are compared as they
// are.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// tolerance is how much slower than its baseline a step may be, or allocate more often.
const tolerance = 1.25

// step is a benchmark that is watched.
type step struct {
	name      string // of the step
	folder    string
	benchmark string
	loop      string // the calibration loop that depends on the machine as the step does
}

const (
	compute = "BenchmarkCalibrateCompute"
	network = "BenchmarkCalibrateNetwork"
	loops   = "internal/bench" // where they are
)

var steps = []step{
	{"parse", "internal/edge/wire/sio", "BenchmarkText/event_of_100_bytes", compute},
	{"receive", "internal/edge/engineio", "BenchmarkFeed", compute},
	{"route", "internal/control/group", "BenchmarkEvent/members=1", compute},
	{"convert", "internal/bench", "BenchmarkConvert", compute},
	{"up, all of it", "internal/bench", "BenchmarkUp", network},
	{"select", "internal/bench", "BenchmarkSelect", compute},
	{"encode", "internal/bench", "BenchmarkEncode", compute},
	{"queue and flush", "internal/bench", "BenchmarkQueueAndFlush", network},
	{"commit", "internal/bench", "BenchmarkCommit", compute},
}

// effort is how hard it is tried.
type effort struct {
	usual, most int     // rounds of everything. A step that seems slower after the usual ones gets more: what disturbed it passes, a regression stays
	benchtime   string  // of one benchmark in one round
	tolerance   float64 // how much slower than its baseline a step may be
}

var (
	full  = effort{10, 30, "60ms", tolerance}
	short = effort{2, 20, "5000x", 3} // finds what is of another order, and allocations
)

func main() {
	update := flag.Bool("update", false, "keep the figures of this run as the new baseline of this kind of processor")
	quick := flag.Bool("short", false, "look for allocations, and for what is three times as slow")
	file := flag.String("baseline", filepath.Join("bench", "baseline.json"), "file of the figures to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	e := full
	if *quick {
		e = short
	}
	if err := check(ctx, *file, *update, e); err != nil {
		fmt.Fprintln(os.Stderr, "bench-check:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, file string, update bool, e effort) error {
	kept, err := readBaseline(file)
	if err != nil {
		return err
	}
	on := processor()
	was, known := kept.of(on)
	m, err := build(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	for round := range e.most {
		fmt.Fprintf(os.Stderr, "round %d\n", round+1)
		if err := m.round(ctx, e.benchtime); err != nil {
			return err
		}
		for _, s := range steps {
			if _, ok := m.figures()[s.name]; !ok {
				return fmt.Errorf("%s: %s or %s did not run", s.name, s.benchmark, s.loop)
			}
		}
		if !update && round+1 >= e.usual && len(worse(was, m.figures(), e.tolerance)) == 0 {
			break
		}
	}
	if update {
		kept[on] = m.figures()
		return kept.write(file)
	}
	if !known {
		fmt.Printf("%s: nobody has measured this kind of processor; the slowest of the others counts (--update keeps its figures)\n", on)
	}
	return compare(was, m.figures(), m.best, e.tolerance)
}

// worse is the steps that are slower or allocate more than they did, and why.
func worse(kept, now map[string]figure, slower float64) map[string]string {
	why := make(map[string]string)
	for _, s := range steps {
		was, is := kept[s.name], now[s.name]
		switch {
		case was.Ratio == 0:
			why[s.name] = "not in the baseline: run with --update"
		case is.Ratio > was.Ratio*slower:
			why[s.name] = "slower"
		case is.Allocs > was.Allocs*tolerance:
			why[s.name] = fmt.Sprintf("%g allocations before", was.Allocs)
		}
	}
	return why
}

// compare prints every step and fails if one has become worse.
func compare(kept, now map[string]figure, best map[string]measurement, slower float64) error {
	why := worse(kept, now, slower)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "step\tns\tto calibration\tbaseline\tchange\tallocations\t")
	for _, s := range steps {
		was, is := kept[s.name], now[s.name]
		fmt.Fprintf(w, "%s\t%.0f\t%.3g\t%.3g\t%+.0f %%\t%g\t%s\n", s.name, best[s.benchmark].ns, is.Ratio, was.Ratio, (is.Ratio/was.Ratio-1)*100, is.Allocs, why[s.name])
	}
	w.Flush()
	if len(why) > 0 {
		return fmt.Errorf("worse than the baseline allows: %s", strings.Join(slices.Sorted(maps.Keys(why)), ", "))
	}
	return nil
}

// measurement is the best that a benchmark did.
type measurement struct{ ns, allocs float64 }

// measurements is the benchmarks, built once, and the best of each so far.
type measurements struct {
	dir     string
	folders []string
	best    map[string]measurement
}

func build(ctx context.Context) (*measurements, error) {
	dir, err := os.MkdirTemp("", "sio-edge-bench-check")
	if err != nil {
		return nil, err
	}
	m := &measurements{dir: dir, folders: []string{loops}, best: make(map[string]measurement)}
	for _, s := range steps {
		if !slices.Contains(m.folders, s.folder) {
			m.folders = append(m.folders, s.folder)
		}
	}
	for _, f := range m.folders {
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", filepath.Join(dir, binary(f)), "./"+f)
		if out, err := cmd.CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	return m, nil
}

// round runs everything once.
func (m *measurements) round(ctx context.Context, benchtime string) error {
	for _, f := range m.folders {
		cmd := exec.CommandContext(ctx, filepath.Join(m.dir, binary(f)), "-test.run", "^$", "-test.bench", pattern(f), "-test.benchtime", benchtime, "-test.benchmem", "-test.cpu", "1")
		cmd.Dir, cmd.Env = f, memoryOnly(os.Environ())
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", f, err, out)
		}
		m.note(out)
	}
	return nil
}

// figures is what is known of each step so far.
func (m *measurements) figures() map[string]figure {
	now := make(map[string]figure, len(steps))
	for _, s := range steps {
		step, loop := m.best[s.benchmark], m.best[s.loop]
		if step.ns > 0 && loop.ns > 0 {
			now[s.name] = figure{math.Round(step.ns/loop.ns*1e4) / 1e4, step.allocs}
		}
	}
	return now
}

func binary(folder string) string { return strings.ReplaceAll(folder, "/", "-") + ".test" }

// pattern selects the benchmarks of a folder that are watched.
func pattern(folder string) string {
	var names []string
	for _, s := range steps {
		if s.folder == folder {
			names = append(names, "^"+strings.ReplaceAll(regexp.QuoteMeta(s.benchmark), "/", "$/^")+"$")
		}
	}
	if folder == loops {
		names = append(names, "^"+compute+"$", "^"+network+"$")
	}
	return strings.Join(names, "|")
}

// memoryOnly has temporary files made in memory where there is such a place: it is not the disk
// that is watched.
func memoryOnly(env []string) []string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return append(env, "TMPDIR=/dev/shm")
	}
	return env
}

// note keeps what is better than what was seen before.
func (m *measurements) note(out []byte) {
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		is := measurement{math.Inf(1), math.Inf(1)}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			switch fields[i+1] {
			case "ns/op":
				is.ns = v
			case "allocs/op":
				is.allocs = v
			}
		}
		if was, ok := m.best[fields[0]]; ok {
			is.ns, is.allocs = min(is.ns, was.ns), min(is.allocs, was.allocs)
		}
		m.best[fields[0]] = is
	}
}
