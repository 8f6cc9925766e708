package hostile

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// edge is a running process.
type edge struct {
	clients, control, ops string // host:port
	data                  string // directory of the store

	cmd *exec.Cmd
	log lines
}

// lines is what a process writes; it may be read meanwhile.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var banner = regexp.MustCompile(`clients \S*?(127\.0\.0\.1:\d+)\S*\s+backends \S*?(127\.0\.0\.1:\d+)\s+ops \S*?(127\.0\.0\.1:\d+)`)

// start runs an edge until the test ends. It must leave no panic in the log.
func start(t *testing.T, args ...string) *edge {
	t.Helper()
	e := &edge{data: t.TempDir()}
	e.launch(t, exec.Command(program, e.args(args)...))
	t.Cleanup(func() { e.stop(t) })
	return e
}

func (e *edge) args(more []string) []string {
	return append([]string{"--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0",
		"--data-dir", e.data, "--log-level", "debug", "--log-format", "json", "--pprof"}, more...)
}

func (e *edge) launch(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	e.cmd = cmd
	cmd.Stderr = &e.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		said.WriteString(line)
		if m := banner.FindStringSubmatch(said.String()); m != nil {
			e.clients, e.control, e.ops = m[1], m[2], m[3]
			return
		}
		if err != nil {
			cmd.Wait()
			t.Fatalf("the edge does not start: %s%s", &said, &e.log)
		}
	}
}

// stop ends the process in good order.
func (e *edge) stop(t *testing.T) {
	e.cmd.Process.Signal(syscall.SIGTERM)
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("the edge ended with %v", err)
	}
	if log := e.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("the edge panicked:\n%s", log)
	}
}

// ask is a GET on the ops listener.
func (e *edge) ask(t *testing.T, path string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := c.Get("http://" + e.ops + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(b)
}

// series calls f with the labels and the value of each series of that name.
func (e *edge) series(t *testing.T, name string, f func(labels string, v float64)) {
	t.Helper()
	for line := range strings.Lines(e.ask(t, "/metrics")) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		space := strings.LastIndexByte(rest, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[space:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		f(strings.Trim(rest[:space], "{}"), v)
	}
}

// metric sums the series of that name.
func (e *edge) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	e.series(t, name, func(_ string, v float64) { sum += v })
	return sum
}

var refusedLabels = regexp.MustCompile(`layer="([^"]*)",reason="([^"]*)"`)

// refusals is sioedge_refused_total by layer/reason.
func (e *edge) refusals(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	e.series(t, "sioedge_refused_total", func(labels string, v float64) {
		l := refusedLabels.FindStringSubmatch(labels)
		all[l[1]+"/"+l[2]] = int(v)
	})
	return all
}

// since is what has been counted since before.
func since(before, now map[string]int) string {
	var grown []string
	for _, label := range slices.Sorted(maps.Keys(now)) {
		if label == "socketio/no connect" { // sessions that other rows have left behind
			continue
		}
		if n := now[label] - before[label]; n == 1 {
			grown = append(grown, label)
		} else if n != 0 {
			grown = append(grown, fmt.Sprintf("%d %s", n, label))
		}
	}
	return sorted(strings.Join(grown, ", "))
}

// sorted puts what was counted in order.
func sorted(counts string) string {
	parts := strings.Split(counts, ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// footprint is what a process holds.
type footprint struct {
	goroutines, descriptors int
	resident                int64 // bytes
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %.1f MiB", f.goroutines, f.descriptors, float64(f.resident)/(1<<20))
}

// footprint collects garbage first.
func (e *edge) footprint(t *testing.T) (f footprint) {
	t.Helper()
	f.goroutines = int(e.metric(t, "go_goroutines")) // before the collector runs: what it calls afterwards counts as one
	e.ask(t, "/debug/pprof/heap?gc=1&debug=1")
	f.descriptors = len(e.open(t))
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", e.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	f.resident = pages * int64(os.Getpagesize())
	return f
}

// open tells what the descriptors of the process are.
func (e *edge) open(t *testing.T) (all []string) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", e.cmd.Process.Pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil {
			all = append(all, to)
		}
	}
	return all
}

// settles waits until the process holds what it held before, or fails. spare is what the heap may
// have grown by: what a Go program gives back to the system it gives back slowly.
func (e *edge) settles(t *testing.T, before footprint, spare int64) {
	t.Helper()
	var now footprint
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now = e.footprint(t)
		if now.goroutines <= before.goroutines && now.descriptors <= before.descriptors && now.resident <= before.resident+spare {
			t.Logf("before: %v; after: %v", before, now)
			return
		}
		if time.Now().After(deadline) {
			for _, fd := range e.open(t) {
				t.Log(fd)
			}
			t.Errorf("5 s after the last row the edge holds %v, before it %v", now, before)
			return
		}
	}
}
