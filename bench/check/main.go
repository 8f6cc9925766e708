// Command check runs the benchmarks of every step of an event's path and compares them with the
// figures kept in bench/baseline.json. Run it as "make bench-check".
//
// Figures are kept as ratios to calibration loops that are measured in the same minutes, so that
// they hold on a slower or busier machine; of several rounds the fastest counts, for disturbances
// only ever add. Allocations are compared as they are.
package main

import (
	"context"
	"encoding/json"
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

// figure is what is kept of a step.
type figure struct {
	Ratio  float64 `json:"ratio"` // to the calibration loop
	Allocs float64 `json:"allocs"`
}

// Rounds of everything. A step that seems slower after the usual ones gets as many more: what
// disturbed it passes, a regression stays.
const (
	usual = 10
	most  = 30
)

func main() {
	update := flag.Bool("update", false, "keep the figures of this run as the new baseline")
	baseline := flag.String("baseline", filepath.Join("bench", "baseline.json"), "file of the figures to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, *baseline, *update); err != nil {
		fmt.Fprintln(os.Stderr, "bench-check:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, baseline string, update bool) error {
	var kept map[string]figure
	if !update {
		b, err := os.ReadFile(baseline)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &kept); err != nil {
			return fmt.Errorf("%s: %w", baseline, err)
		}
	}
	m, err := build(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	for round := range most {
		fmt.Fprintf(os.Stderr, "round %d\n", round+1)
		if err := m.round(ctx); err != nil {
			return err
		}
		for _, s := range steps {
			if _, ok := m.figures()[s.name]; !ok {
				return fmt.Errorf("%s: %s or %s did not run", s.name, s.benchmark, s.loop)
			}
		}
		if !update && round+1 >= usual && len(worse(kept, m.figures())) == 0 {
			break
		}
	}
	now := m.figures()
	if update {
		b, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(baseline, append(b, '\n'), 0o644)
	}
	return compare(kept, now, m.best)
}

// worse is the steps that are slower or allocate more than they did, and why.
func worse(kept, now map[string]figure) map[string]string {
	why := make(map[string]string)
	for _, s := range steps {
		was, is := kept[s.name], now[s.name]
		switch {
		case was.Ratio == 0:
			why[s.name] = "not in the baseline: run with --update"
		case is.Ratio > was.Ratio*tolerance:
			why[s.name] = "slower"
		case is.Allocs > was.Allocs*tolerance:
			why[s.name] = fmt.Sprintf("%g allocations before", was.Allocs)
		}
	}
	return why
}

// compare prints every step and fails if one has become worse.
func compare(kept, now map[string]figure, best map[string]measurement) error {
	why := worse(kept, now)
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
func (m *measurements) round(ctx context.Context) error {
	for _, f := range m.folders {
		cmd := exec.CommandContext(ctx, filepath.Join(m.dir, binary(f)), "-test.run", "^$", "-test.bench", pattern(f), "-test.benchtime", "60ms", "-test.benchmem", "-test.cpu", "1")
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
