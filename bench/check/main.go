// Command check runs the benchmarks of every step of an event's path and compares them with the
// figures kept in bench/baseline.json. Run it as "make bench-check".
//
// Figures are kept as ratios to calibration loops that are measured in the same minutes, so that
// they hold on a slower or busier machine; of several rounds the fastest counts, for disturbances
// only ever add. Allocations are compared as they are.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
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

// tolerance is how much slower than its baseline a step may be.
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
	{"commit", "internal/edge/store", "BenchmarkCommit", compute},
}

// figure is what is kept of a step.
type figure struct {
	Ratio  float64 `json:"ratio"` // to the calibration loop
	Allocs float64 `json:"allocs"`
}

func main() {
	update := flag.Bool("update", false, "keep the figures of this run as the new baseline")
	rounds := flag.Int("rounds", 5, "how often everything is run; the fastest counts")
	baseline := flag.String("baseline", filepath.Join("bench", "baseline.json"), "file of the figures to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, *rounds, *baseline, *update); err != nil {
		fmt.Fprintln(os.Stderr, "bench-check:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, rounds int, baseline string, update bool) error {
	best, err := measure(ctx, rounds)
	if err != nil {
		return err
	}
	now := make(map[string]figure, len(steps))
	for _, s := range steps {
		m, loop := best[s.benchmark], best[s.loop]
		if m.ns == 0 || loop.ns == 0 {
			return fmt.Errorf("%s: %s or %s did not run", s.name, s.benchmark, s.loop)
		}
		now[s.name] = figure{math.Round(m.ns/loop.ns*1e4) / 1e4, m.allocs}
	}
	if update {
		b, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(baseline, append(b, '\n'), 0o644)
	}
	b, err := os.ReadFile(baseline)
	if err != nil {
		return err
	}
	var kept map[string]figure
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("%s: %w", baseline, err)
	}
	return compare(kept, now, best)
}

// compare prints every step and fails if one is slower than it was.
func compare(kept, now map[string]figure, best map[string]measurement) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "step\tns\tto calibration\tbaseline\tchange\tallocations")
	var worse []string
	for _, s := range steps {
		was, is := kept[s.name], now[s.name]
		verdict := ""
		switch {
		case was.Ratio == 0:
			verdict = "  not in the baseline: run with --update"
			worse = append(worse, s.name)
		case is.Ratio > was.Ratio*tolerance:
			verdict = "  slower"
			worse = append(worse, s.name)
		case is.Allocs > was.Allocs:
			verdict = fmt.Sprintf("  %g before", was.Allocs)
			worse = append(worse, s.name)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.3g\t%.3g\t%+.0f %%\t%g%s\n", s.name, best[s.benchmark].ns, is.Ratio, was.Ratio, (is.Ratio/was.Ratio-1)*100, is.Allocs, verdict)
	}
	w.Flush()
	if len(worse) > 0 {
		return fmt.Errorf("slower than the baseline allows: %s", strings.Join(worse, ", "))
	}
	return nil
}

// measurement is the best that a benchmark did.
type measurement struct{ ns, allocs float64 }

// measure builds each package's tests once and runs them in turn.
func measure(ctx context.Context, rounds int) (map[string]measurement, error) {
	dir, err := os.MkdirTemp("", "sio-edge-bench-check")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	folders := []string{loops}
	for _, s := range steps {
		if !slices.Contains(folders, s.folder) {
			folders = append(folders, s.folder)
		}
	}
	for _, f := range folders {
		if err := run(exec.CommandContext(ctx, "go", "test", "-c", "-o", filepath.Join(dir, binary(f)), "./"+f)); err != nil {
			return nil, err
		}
	}
	best := make(map[string]measurement)
	for round := range rounds {
		for _, f := range folders {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, f)
			cmd := exec.CommandContext(ctx, filepath.Join(dir, binary(f)), "-test.run", "^$", "-test.bench", pattern(f), "-test.benchtime", "100ms", "-test.benchmem", "-test.cpu", "1")
			cmd.Dir, cmd.Env = f, memoryOnly(os.Environ())
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", f, err, out)
			}
			note(best, out)
		}
	}
	return best, nil
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
func note(best map[string]measurement, out []byte) {
	for line := range strings.Lines(string(bytes.ToValidUTF8(out, nil))) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		m := measurement{math.Inf(1), math.Inf(1)}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			switch fields[i+1] {
			case "ns/op":
				m.ns = v
			case "allocs/op":
				m.allocs = v
			}
		}
		if old, ok := best[fields[0]]; ok {
			m.ns, m.allocs = min(m.ns, old.ns), min(m.allocs, old.allocs)
		}
		best[fields[0]] = m
	}
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
