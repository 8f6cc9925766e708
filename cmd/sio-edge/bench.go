package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/sio-edge/sio-edge/internal/bench"
)

type benchCmd struct {
	URL       string        `help:"Server to put load on: an edge with a backend that has the events of examples/conformance, or any Socket.IO server that has them." default:"http://127.0.0.1:3000/socket.io/"`
	Scenarios []string      `help:"What to do: kind-AxB@rate. Kinds: idle, echo, binary, broadcast, rooms, churn, polling, upgrade." default:"echo-100x10,echo-20x1@2000,broadcast-1000,churn-64"`
	Rounds    int           `help:"How often each scenario runs, in turn." default:"3"`
	Short     bool          `help:"Runs of a second, once each."`
	For       time.Duration `help:"Length of one run." default:"5s"`
	Hold      time.Duration `help:"Length of one run of idle; a ping interval at least, to see heartbeats." default:"26s"`
	Auth      string        `help:"JSON object that the clients connect with." placeholder:"JSON"`
	TLSCA     string        `name:"tls-ca" help:"Who signs the certificate of an https:// server (PEM), if this machine does not trust it." placeholder:"FILE"`
	PID       int           `help:"Process of the server, if it runs here: its CPU time and memory are told as well."`
	JSON      string        `help:"Write every run to this file, - for standard output instead of the table." placeholder:"FILE"`
}

// Help is shown by --help.
func (benchCmd) Help() string {
	return `Opens real connections, checks every answer, and tells how many came and how long they took. It
fails if one was lost, wrong or out of order.

A scenario is a kind and its numbers: echo-100x10 keeps 10 events outstanding on each of 100
connections, echo-20x1@2000 sends 2000 a second over 20, broadcast-5000 and idle-10000 have so many
connections, rooms-1000x10 has 1000 rooms of 10 sessions, churn-64 connects and leaves, 64 at once,
polling-200 and upgrade-32 begin with HTTP. Idle and churn need no backend that answers.

Examples:
  sio-edge bench --short
  sio-edge bench --scenarios echo-100x10,broadcast-5000 --pid "$(pidof -s sio-edge)"
  sio-edge bench --url https://edge.example/socket.io/ --scenarios echo-1000x1,idle-5000 --rounds 1
  sio-edge bench --scenarios churn-64 --auth '{"token":"t"}' --json runs.json`
}

// Run puts load on a server and tells what came of it. An answer that was lost, wrong or out of
// order makes it fail.
func (c benchCmd) Run() error {
	target, err := c.target()
	if err != nil {
		return configError{err}
	}
	var scenarios []bench.Scenario
	for _, text := range c.Scenarios {
		s, err := bench.ParseScenario(text)
		if err != nil {
			return configError{err}
		}
		scenarios = append(scenarios, s)
	}
	options := bench.Options{For: c.For, Hold: c.Hold}
	if c.Short {
		c.Rounds, options.For = 1, time.Second
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	runs := make(map[bench.Scenario][]bench.Result)
	var all []bench.Result
	faulty := 0
	for round := range c.Rounds {
		for _, s := range scenarios {
			if c.JSON != "-" {
				fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, c.Rounds, s)
			}
			r, err := bench.Run(ctx, target, s, options)
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			if !r.Clean() {
				faulty++
				fmt.Fprintf(os.Stderr, "%s: %s\n", s, r.Faults())
			}
			runs[s] = append(runs[s], r)
			all = append(all, r)
		}
	}
	if err := c.report(scenarios, runs, all); err != nil {
		return err
	}
	if faulty > 0 {
		return fmt.Errorf("%d of %d runs had answers that were lost, wrong or out of order", faulty, len(all))
	}
	return nil
}

func (c benchCmd) target() (bench.Target, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return bench.Target{}, err
	}
	ports := map[string]string{"http": "80", "https": "443"}
	if ports[u.Scheme] == "" || u.Host == "" {
		return bench.Target{}, fmt.Errorf("--url %s: an address such as http://127.0.0.1:3000/socket.io/ or https://edge.example/socket.io/", c.URL)
	}
	t := bench.Target{Addr: u.Host, Path: u.Path, Auth: c.Auth, PID: c.PID}
	if u.Port() == "" {
		t.Addr = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	if t.Path == "" || t.Path == "/" {
		t.Path = "/socket.io/"
	}
	if u.Scheme == "http" && c.TLSCA != "" {
		return bench.Target{}, fmt.Errorf("--tls-ca: --url %s speaks no TLS", c.URL)
	}
	t.TLS, err = (&trust{TLS: u.Scheme == "https", TLSCa: c.TLSCA}).config()
	return t, err
}

func (c benchCmd) report(scenarios []bench.Scenario, runs map[bench.Scenario][]bench.Result, all []bench.Result) error {
	if c.JSON != "" {
		b, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		b = append(b, '\n')
		if c.JSON == "-" {
			_, err := os.Stdout.Write(b)
			return err
		}
		if err := os.WriteFile(c.JSON, b, 0o644); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\tfigure\tmedian (lowest–highest)")
	for _, s := range scenarios {
		for _, f := range s.Figures(c.PID != 0) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s, f.Name, f.SpreadOf(runs[s]))
		}
	}
	return w.Flush()
}
