package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// edge is the process under test.
type edge struct {
	// Static after construction.
	binary, dir            string
	clients, backends, ops string // addresses
	window                 time.Duration

	cmd *exec.Cmd
}

func newEdge(p *plan) (*edge, error) {
	e := &edge{binary: p.Edge, dir: p.Dir, window: p.Window}
	for _, a := range []*string{&e.clients, &e.backends, &e.ops} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*a = l.Addr().String()
		defer l.Close() // all at once, so that they differ
	}
	return e, nil
}

// data is where the edge keeps its file.
func (e *edge) data() string { return filepath.Join(e.dir, "data") }

// build builds the edge of the tree that this program runs in.
func build(ctx context.Context, binary string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/sio-edge")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the edge: %w\n%s", err, out)
	}
	return nil
}

// start starts the process and returns how long it took until clients and backends were served.
func (e *edge) start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	log, err := os.OpenFile(filepath.Join(e.dir, "edge.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	e.cmd = exec.Command(e.binary, "serve", "--listen", e.clients, "--control-listen", e.backends, "--ops-listen", e.ops,
		"--data-dir", e.data(), "--recovery-window", e.window.String(),
		"--ping-interval", pingInterval.String(), "--ping-timeout", pingTimeout.String(),
		"--log-level", "warn", "--log-format", "json", "--namespaces", "/,"+fillNamespaces)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		return 0, err
	}
	for {
		if e.ready(ctx) {
			return time.Since(began), nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if time.Since(began) > time.Minute {
			return 0, fmt.Errorf("the edge is not ready after a minute")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// health is what the edge says of itself; empty if it is not ready.
func (e *edge) health(ctx context.Context) string {
	return strings.TrimSpace(e.ask(ctx, "/healthz/ready"))
}

// commits is how many commits the store has made.
func (e *edge) commits(ctx context.Context) (n int) {
	_, rest, _ := strings.Cut(e.ask(ctx, "/metrics"), "\nsioedge_store_commits_total ")
	fmt.Sscan(rest, &n)
	return n
}

// ask is what the edge answers operators; empty if it does not.
func (e *edge) ask(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+e.ops+path, nil)
	if err != nil {
		return ""
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

func (e *edge) ready(ctx context.Context) bool {
	if e.health(ctx) == "" {
		return false
	}
	for _, address := range []string{e.clients, e.backends} {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}

// kill ends the process as the kernel does, without a word.
func (e *edge) kill() {
	e.cmd.Process.Kill()
	e.cmd.Wait()
}

// terminate ends it in good order and returns its exit code, -1 if it took longer than 30 s, and
// how long it took.
func (e *edge) terminate() (code int, took time.Duration) {
	began := time.Now()
	e.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(30*time.Second, func() { e.cmd.Process.Kill() })
	defer late.Stop()
	e.cmd.Wait()
	return e.cmd.ProcessState.ExitCode(), time.Since(began)
}
