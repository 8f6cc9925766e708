// Command chaos proves what sio-edge promises by breaking it: a real edge is killed, drained and
// cut off from its backends while thousands of clients with the recovery behaviour of the stock
// client send and receive numbered events. Everyone writes down what he saw; a checker reads all
// of it afterwards and decides.
//
//	chaos [MODE] [flags]   run, check, print figures and a verdict
//	chaos check DIR        check a history again
//	chaos bugs [NAME…]     apply each patch of test/chaos/bugs to a copy and demand that its
//	                       check turns red
//
// The seed is printed. It fixes the order and the times of the faults, not the moments between
// the instructions of the processes: a failing run is kept, and what it saw can be checked again.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if runRole() {
		return
	}
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "check":
		err = recheck(os.Args[2])
	case len(os.Args) > 1 && os.Args[1] == "bugs":
		err = runBugs(os.Args[2:])
	default:
		err = runFlags(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// modes are runs with a name. Flags that follow the name change them.
var modes = map[string]string{
	// P5: ten minutes without a backend.
	"away": "-up 200 -down 400 -kills 0 -terms 0 -others 0 -away 10m -backlog 200000 -steady -drain 60s",
	// P6: one restart in good order after the other.
	"rolling": "-kills 0 -terms 50 -others 0",
	// P15: everybody loses the connection at once and comes back as the stock client does.
	"storm": "-clients 8000 -up 800 -down 1600 -kills 0 -terms 0 -others 0 -also drop=5 -back 15s -gap-min 3s",
	// P7, P8, P9: killed before and after single operations of the disk, without power, without room.
	"disk": "-disk -clients 500 -up 500 -down 1000 -kills 5 -terms 1 -others 0 -also commit=100,power=60,refused=20,held=20,full=10,leave=10 -gap-min 100ms -gap-max 1500ms -backoff 300ms",
	// P7: a start with many stored sessions.
	"start": "-clients 100 -up 100 -down 100 -kills 10 -terms 0 -others 0 -sessions 100000 -window 30m -gap-min 2s -ready 2s",
}

// plan is what a run does. It is written beside the history, for who checks it again.
type plan struct {
	Seed     uint64
	Dir      string // where the history goes
	Edge     string // the binary; empty: built from this tree
	Clients  int
	Backends int
	Up       int            // client events per second, all clients together
	Down     int            // emits received per second, all clients together
	Kills    int            // SIGKILLs of the edge
	Terms    int            // SIGTERMs of the edge
	Others   int            // faults of other kinds, each about as often
	Also     map[string]int // more faults of other kinds, by name
	Away     time.Duration
	Window   time.Duration // of recovery
	GapMin   time.Duration // between two faults
	GapMax   time.Duration
	Backoff  time.Duration // of clients: the first wait; the longest is five times that
	Sessions int           // stored before the first fault, on top of those of the clients
	Ready    time.Duration // the edge must be ready within; 0: not checked
	Durable  bool          // the group's delivery mode
	Backlog  int           // events that may wait for the group; 0: the default
	Steady   bool          // no client may lose its connection
	Drain    time.Duration // what waited for the backends must be handled within; 0: not checked
	Disk     bool          // the edge has a disk of its own, with faults
	Back     time.Duration // all clients must be back within, and are waited for; 0: not checked
}

func runFlags(args []string) error {
	p := plan{}
	f := flag.NewFlagSet("chaos", flag.ExitOnError)
	f.Uint64Var(&p.Seed, "seed", 0, "of the faults; 0: a random one")
	f.StringVar(&p.Dir, "dir", "", "directory for the history; default: a temporary one, kept if the run fails")
	f.StringVar(&p.Edge, "edge", "", "the edge's binary; default: built from this tree")
	f.IntVar(&p.Clients, "clients", 2000, "clients")
	f.IntVar(&p.Backends, "backends", 3, "backends")
	f.IntVar(&p.Up, "up", 2000, "client events per second")
	f.IntVar(&p.Down, "down", 4000, "emits received per second")
	f.IntVar(&p.Kills, "kills", 200, "SIGKILLs of the edge")
	f.IntVar(&p.Terms, "terms", 5, "SIGTERMs of the edge")
	f.IntVar(&p.Others, "others", 60, "other faults: backends killed or slow, streams reset or stalled, clients cut or half open")
	f.Func("also", "more of them by name, such as leave=40,reset=5: backend, reset, cut, drop, leave, vanish, slow, stall, and with -disk commit, power, refused, held, full", p.also)
	f.DurationVar(&p.Away, "away", 0, "once, all backends are away for so long")
	f.DurationVar(&p.Window, "window", 2*time.Minute, "recovery window")
	f.DurationVar(&p.GapMin, "gap-min", 500*time.Millisecond, "shortest time from one fault to the next")
	f.DurationVar(&p.GapMax, "gap-max", 6*time.Second, "longest time from one fault to the next")
	f.DurationVar(&p.Backoff, "backoff", time.Second, "first wait of a client that lost its connection, as of the stock client")
	f.IntVar(&p.Sessions, "sessions", 0, "sessions stored beforehand")
	f.DurationVar(&p.Ready, "ready", 0, "fail if the edge takes longer than this to be ready again")
	f.BoolVar(&p.Durable, "durable", false, "the backends' group is DURABLE")
	f.IntVar(&p.Backlog, "backlog", 0, "events that may wait for the backends; 0: the default of the edge")
	f.BoolVar(&p.Steady, "steady", false, "fail if a client loses its connection")
	f.DurationVar(&p.Drain, "drain", 0, "fail if what waited while all backends were away takes longer than this")
	f.BoolVar(&p.Disk, "disk", false, "the edge has a disk of its own, which fails at operations of commits, fills up and loses power")
	f.DurationVar(&p.Back, "back", 0, "wait for all clients after each fault, and fail if one takes longer than this to be back")
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, ok := modes[args[0]]
		if !ok {
			return fmt.Errorf("no mode %q; there are %s", args[0], strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
		}
		args = append(strings.Fields(words), args[1:]...)
	}
	f.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	kept := p.Dir != ""
	v, err := run(ctx, &p, os.Stdout)
	if err != nil {
		return fmt.Errorf("%w (history in %s)", err, p.Dir)
	}
	v.print(os.Stdout)
	if !v.ok() {
		return fmt.Errorf("the history is in %s; check it again with: chaos check %s", p.Dir, p.Dir)
	}
	if !kept {
		os.RemoveAll(p.Dir)
	}
	return nil
}

// also reads name=count,… of faults.
func (p *plan) also(text string) error {
	p.Also = make(map[string]int)
	for pair := range strings.SplitSeq(text, ",") {
		name, count, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		p.Also[name] = n
	}
	return nil
}

// prepare fills what was left open: seed, directory, binary.
func (p *plan) prepare(ctx context.Context) error {
	if p.Seed == 0 {
		p.Seed = rand.Uint64N(1_000_000)
	}
	if p.Dir == "" {
		dir, err := os.MkdirTemp("", "chaos-")
		if err != nil {
			return err
		}
		p.Dir = dir
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return err
	}
	if p.Edge == "" {
		p.Edge = p.Dir + "/sio-edge"
		if err := build(ctx, p.Edge); err != nil {
			return err
		}
	}
	return p.save()
}

func (p *plan) String() string {
	return fmt.Sprintf("seed %d, %d clients, %d backends, %d events/s up, %d emits/s down, %d SIGKILL, %d SIGTERM, %d other faults, %d stored sessions, %d CPUs",
		p.Seed, p.Clients, p.Backends, p.Up, p.Down, p.Kills, p.Terms, p.Others, p.Sessions, runtime.NumCPU())
}
