// Command bench builds the edge, installs and starts its peers on this machine, puts the same load
// on all of them in turn and compares what a CPU second of each server process was good for. Run
// it as "make bench".
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sio-edge/sio-edge/internal/bench"
)

type cli struct {
	Scenarios []string      `help:"Only these scenarios of the suite, or others as sio-edge bench has them."`
	Peers     []string      `help:"Only these peers."`
	Rounds    int           `help:"How often each scenario is run with each peer, in turn." default:"3"`
	Short     bool          `help:"Two rounds of a second: to see whether it works."`
	For       time.Duration `help:"Length of one run." default:"5s"`
	Growth    bool          `help:"See how cost grows with connections, members and rooms instead."`
	Out       string        `help:"Directory for the report, the plots and every run as JSON." default:"bench/out"`
	From      string        `help:"Begin with the runs in this file; only what --scenarios names is run, in place of them." placeholder:"FILE"`
	Publish   bool          `help:"Write to docs/performance, and the table into docs/performance.md."`
}

func main() {
	var c cli
	kong.Parse(&c, kong.Description("Compares the edge with its peers, per CPU second of the server process."))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// series is the runs of one scenario with one peer.
type series struct {
	Scenario string         `json:"scenario"`
	Peer     string         `json:"peer"`
	Runs     []bench.Result `json:"runs"`
}

// report is everything that was measured.
type report struct {
	At      time.Time `json:"at"`
	Machine string    `json:"machine"`
	Series  []*series `json:"series"`

	growth bool // of what is in growth, rather than of the suite
}

func (c cli) run(ctx context.Context) error {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("the server and the generator need a CPU each; there is %d", runtime.NumCPU())
	}
	if c.Short {
		c.Rounds, c.For = 2, time.Second
	}
	entries, err := c.entries()
	if err != nil {
		return err
	}
	if c.Publish {
		c.Out = filepath.Join("docs", "performance")
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	r := &report{At: time.Now().UTC(), Machine: machine(ctx), growth: c.Growth}
	if c.From != "" {
		if err := r.read(c.From); err != nil {
			return err
		}
		if len(c.Scenarios) == 0 {
			return r.finish(c.Out, c.Publish)
		}
	}
	b, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("node"); err != nil {
		for i := range entries {
			entries[i].peers = slices.DeleteFunc(slices.Clone(entries[i].peers), func(name string) bool { return strings.HasPrefix(name, "node") })
		}
	}
	total, n := 0, 0
	for _, e := range entries {
		total += len(e.peers) * c.Rounds
	}
	for _, e := range entries {
		r.drop(e)
		for range c.Rounds {
			for _, name := range e.peers {
				n++
				fmt.Fprintf(os.Stderr, "%3d/%d  %-18s %-12s ", n, total, e.scenario, name)
				result, err := c.measure(ctx, b, e.scenario, name)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					continue
				}
				fmt.Fprintln(os.Stderr, summary(e.scenario, result))
				r.add(e.scenario, name, result)
			}
		}
		if err := r.write(c.Out); err != nil { // what there is, should the rest be interrupted
			return err
		}
	}
	return r.finish(c.Out, c.Publish)
}

// entries is what is to be run.
func (c cli) entries() ([]entry, error) {
	all := suite
	if c.Growth {
		all = nil
		for _, g := range growth {
			for i, s := range g.entries {
				all = append(all, entry{s, []string{g.peerAt(i)}})
			}
		}
	}
	if len(c.Scenarios) > 0 {
		var chosen []entry
		for _, text := range c.Scenarios {
			if _, err := bench.ParseScenario(text); err != nil {
				return nil, err
			}
			found := false
			for _, e := range all {
				if e.scenario == text {
					chosen, found = append(chosen, e), true
				}
			}
			if !found {
				chosen = append(chosen, entry{text, []string{base, "node"}})
			}
		}
		all = chosen
	}
	if len(c.Peers) > 0 {
		for _, name := range c.Peers {
			if _, err := findPeer(name); err != nil {
				return nil, err
			}
		}
		all = slices.Clone(all)
		for i := range all {
			all[i].peers = c.Peers
		}
	}
	return all, nil
}

// prepare builds and installs everything.
func (c cli) prepare(ctx context.Context) (*bed, error) {
	b := &bed{bin: "bin", node: filepath.Join("bench", "peers", "node"), ping: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "building the edge, its backend and the limits")
	if err := run(ctx, ".", os.Stderr, "go", "build", "-o", b.bin+"/", "./cmd/sio-edge", "./examples/conformance", "./bench/peers/..."); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("node"); err != nil {
		fmt.Fprintln(os.Stderr, "node is not installed: the official server is left out")
		return b, nil
	}
	if _, err := os.Stat(filepath.Join(b.node, "node_modules")); err != nil {
		fmt.Fprintln(os.Stderr, "installing socket.io")
		if err := run(ctx, b.node, os.Stderr, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// measure runs one scenario once with a fresh server.
func (c cli) measure(ctx context.Context, b *bed, scenario, name string) (bench.Result, error) {
	p, err := findPeer(name)
	if err != nil {
		return bench.Result{}, err
	}
	s, err := p.launch(ctx, b)
	if err != nil {
		return bench.Result{}, err
	}
	defer s.close()
	args := []string{filepath.Join(b.bin, "sio-edge"), "bench", "--url", "http://" + s.addr + "/socket.io/"}
	if s.ca != "" {
		args = []string{args[0], "bench", "--url", "https://" + s.addr + "/socket.io/", "--tls-ca", s.ca}
	}
	out, err := generate(ctx, append(args, "--pid", fmt.Sprint(s.cmd.Process.Pid), "--scenarios", scenario, "--rounds", "1", "--for", c.For.String(),
		"--hold", (b.ping+2*time.Second).String(), "--json", "-")...)
	if err != nil {
		return bench.Result{}, err
	}
	var results []bench.Result
	if err := json.Unmarshal(out, &results); err != nil || len(results) != 1 {
		return bench.Result{}, fmt.Errorf("the generator wrote %.200q: %w", out, err)
	}
	return results[0], nil
}

// drop forgets the runs of an entry.
func (r *report) drop(e entry) {
	r.Series = slices.DeleteFunc(r.Series, func(s *series) bool { return s.Scenario == e.scenario && slices.Contains(e.peers, s.Peer) })
}

func (r *report) add(scenario, peer string, result bench.Result) {
	for _, s := range r.Series {
		if s.Scenario == scenario && s.Peer == peer {
			s.Runs = append(s.Runs, result)
			return
		}
	}
	r.Series = append(r.Series, &series{scenario, peer, []bench.Result{result}})
}

func summary(scenario string, r bench.Result) string {
	s, err := bench.ParseScenario(scenario)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, f := range s.Figures(true) {
		parts = append(parts, bench.Short(f.Of(r))+" "+f.Name)
	}
	if !r.Clean() {
		parts = append(parts, r.Faults())
	}
	return strings.Join(parts, ", ")
}

// machine says where the figures come from.
func machine(ctx context.Context) string {
	var uts syscall.Utsname
	syscall.Uname(&uts)
	release := make([]byte, 0, len(uts.Release))
	for _, c := range uts.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	node, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		node = []byte("none")
	}
	return fmt.Sprintf("%d CPUs (%s), Linux %s, %s, Node %s", runtime.NumCPU(), cpuModel(), release, runtime.Version(), strings.TrimSpace(string(node)))
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if model, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(model, ": \t\n")
		}
	}
	return runtime.GOARCH
}
