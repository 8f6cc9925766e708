// Package protocol says, in Go tests over real sockets, what the wire between a client and the
// edge looks like. The names of the tests begin with the rows of test/rows.txt that they cover.
//
// They run against the edge with examples/conformance behind it and, for bare Engine.IO, against
// test/engineecho. With -reference they run against the official Node server instead, which shows
// that they ask for the right thing; npm ci in test/e2e must have been done for it.
package protocol

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

var reference = flag.Bool("reference", false, "test the official Node server instead of ours")

// servers is where the two servers of one configuration answer. The URLs end with a slash.
type servers struct {
	engineIO string // echoes messages
	socketIO string // answers as examples/conformance does
}

// config is what the tests need to vary.
type config struct {
	pingInterval, pingTimeout, connectTimeout time.Duration
	cors                                      string
}

// quick has the configuration of the official suites. Its clients must be quick, too: a loaded
// machine may make one miss a ping, so only tests of the heartbeat use it.
func quick(t *testing.T) servers {
	return running(t, config{300 * time.Millisecond, 200 * time.Millisecond, time.Second, "*"})
}

// calm is for every other test: nothing in it happens because time has passed.
func calm(t *testing.T) servers {
	return running(t, config{25 * time.Second, 20 * time.Second, time.Minute, "https://good.example"})
}

// plain is calm without CORS.
func plain(t *testing.T) servers {
	return running(t, config{25 * time.Second, 20 * time.Second, time.Minute, ""})
}

// fleet is the processes that the tests started.
type fleet struct {
	bin string // where TestMain builds

	mu        sync.Mutex // guards the following fields
	running   map[config]servers
	processes []*process
}

var started = fleet{running: map[config]servers{}}

// running returns the servers of a configuration and starts them if need be. They run until the
// last test has ended.
func running(t *testing.T, c config) servers {
	t.Helper()
	started.mu.Lock()
	defer started.mu.Unlock()
	if s, ok := started.running[c]; ok {
		return s
	}
	s, err := started.start(c)
	if err != nil {
		t.Fatal(err)
	}
	started.running[c] = s
	return s
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	bin, err := os.MkdirTemp("", "sio-edge-protocol-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	started.bin = bin
	if err := build(bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	code := m.Run()
	for _, p := range started.processes {
		p.stop()
		if code != 0 {
			fmt.Fprintf(os.Stderr, "--- %s\n%s", p.name, p.output.String())
		}
	}
	browser.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// build compiles what the tests start, unless that is the official server.
func build(dir string) error {
	if *reference {
		return nil
	}
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"../../cmd/sio-edge", "../../examples/conformance", "../engineecho").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// start starts the servers of a configuration and waits until they answer.
func (f *fleet) start(c config) (servers, error) {
	if *reference {
		at := freeAddress()
		f.spawn("node", append([]string{"../e2e/reference.mjs", "--port", at[len("127.0.0.1:"):]}, c.reference()...)...)
		s := servers{"http://" + at + "/engine.io/", "http://" + at + "/socket.io/"}
		return s, ready(s)
	}
	echo, clients, control, ops := freeAddress(), freeAddress(), freeAddress(), freeAddress()
	f.spawn(f.bin+"/engineecho", c.echo(echo)...)
	f.spawn(f.bin+"/sio-edge", c.edge(clients, control, ops, filepath.Join(f.bin, clients[len("127.0.0.1:"):]))...)
	f.spawn(f.bin+"/conformance", "--edge", control)
	s := servers{"http://" + echo + "/engine.io/", "http://" + clients + "/socket.io/"}
	return s, ready(s)
}

func (c config) echo(address string) []string {
	return append(c.heartbeat(), "--listen", address)
}

func (c config) edge(clients, control, ops, data string) []string {
	args := append(c.heartbeat(), "--listen", clients, "--control-listen", control, "--ops-listen", ops, "--data-dir", data,
		"--recovery-window", "0", "--connect-timeout", c.connectTimeout.String())
	if c.cors != "" {
		args = append(args, "--cors-origin", c.cors, fmt.Sprintf("--cors-credentials=%t", c.cors != "*"))
	}
	return args
}

func (c config) heartbeat() []string {
	return []string{"--ping-interval", c.pingInterval.String(), "--ping-timeout", c.pingTimeout.String()}
}

func (c config) reference() []string {
	ms := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
	args := []string{"--ping-interval", ms(c.pingInterval), "--ping-timeout", ms(c.pingTimeout), "--connect-timeout", ms(c.connectTimeout)}
	if c.cors != "" {
		args = append(args, "--cors", c.cors)
	}
	return args
}

// ready waits until Engine.IO answers and the backend lets clients into the main namespace.
func ready(s servers) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := errors.Join(answers(ctx, s.engineIO), admits(ctx, s.socketIO))
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func answers(ctx context.Context, base string) error {
	r, err := roundTrip(ctx, "GET", base+"?EIO=4&transport=polling", "")
	if err == nil && r.Status != http.StatusOK {
		err = fmt.Errorf("%s answers %d %s", base, r.Status, r.Body)
	}
	return err
}

func admits(ctx context.Context, base string) error {
	w, r, err := tryDial(ctx, base, "EIO=4&transport=websocket")
	if err != nil {
		return fmt.Errorf("%s: %w (%d %s)", base, err, r.Status, r.Body)
	}
	defer w.Close()
	if err := w.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		return err
	}
	// Without a backend there is a namespace, but nobody who greets.
	limit := time.After(500 * time.Millisecond)
	for {
		select {
		case f, open := <-w.frames:
			if f.data == `42["auth",{}]` {
				return nil
			}
			if !open {
				return fmt.Errorf("%s: %w", base, w.err)
			}
		case <-limit:
			return fmt.Errorf("%s: no backend greets", base)
		}
	}
}

// process is a server that a test started.
type process struct {
	name   string
	cmd    *exec.Cmd
	output bytes.Buffer // read it after stop
	ended  chan struct{}

	stopped atomic.Bool
}

// spawn starts a process that runs until stop. What it says is shown if a test fails; one that
// cannot be started makes ready fail.
func (f *fleet) spawn(name string, args ...string) {
	p := &process{name: filepath.Base(name), cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	f.processes = append(f.processes, p)
	if err := p.cmd.Start(); err != nil {
		fmt.Fprintln(&p.output, err)
		close(p.ended)
		return
	}
	go func() {
		defer close(p.ended)
		if err := p.cmd.Wait(); err != nil && !p.stopped.Load() {
			fmt.Fprintln(&p.output, err)
		}
	}()
}

// stop ends the process and returns when it has ended.
func (p *process) stop() {
	if p.cmd.Process == nil {
		return
	}
	p.stopped.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.ended
}

// freeAddress returns an address nobody listens on.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}
