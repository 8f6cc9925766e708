package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// binary is the real thing, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sio-edge-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "sio-edge")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s", out)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// command runs the binary to its end.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, t.TempDir()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestCommands(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string // regular expressions for all of it
	}{
		{[]string{"version"}, 0, `sio-edge \d+\.\d+\.\d+.* go1\..*\n`, ``},
		{[]string{"check"}, 0, `config: ok\n`, ``},
		{[]string{"check", "--add-trailing-slash=false", "--cors-credentials"}, 0, `config: ok\n`, ``},
		{[]string{"serve", "--ping-timeout", "200us", "--path", "x"}, exitUsage, ``,
			`config: --ping-timeout 200us: at least 100ms .*\nconfig: --path x: .*\n`},
		{[]string{"--ping-timeout", "200us"}, exitUsage, ``, `config: --ping-timeout .*\n`},
		{[]string{"--pingtimeout", "2s"}, exitUsage, ``, `sio-edge: unknown flag --pingtimeout.*\n`},
		{[]string{"dance"}, exitUsage, ``, `sio-edge: no command dance \(see sio-edge --help\)\n`},
		{[]string{"sesions"}, exitUsage, ``, `sio-edge: no command sesions, perhaps sessions\? \(see sio-edge --help\)\n`},
		{[]string{"groups", "a", "b"}, exitUsage, ``, `sio-edge: unexpected argument b \(see sio-edge groups --help\)\n`},
		{[]string{"check", "--json", "--path", "x"}, exitUsage, `\{"faults":\["--path x: .*"\],"insecure":\[\],"ok":false\}\n`, ``},
		{[]string{"version", "--json"}, 0, `\{"commit":.*,"version":"\d+\.\d+\.\d+"\}\n`, ``},
		{[]string{"--listen", taken, "--control-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, exitInUse, ``,
			`(?s).*sio-edge: listen for clients: .*` + regexp.QuoteMeta(taken) + `.*address already in use\n`},
		{[]string{"--ops-listen", taken, "--control-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"}, exitInUse, ``,
			`(?s).*sio-edge: listen for operators: .*address already in use\n`},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, stdout, stderr := command(t, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, s := range []struct{ name, got, want string }{{"stdout", stdout, tt.stdout}, {"stderr", stderr, tt.stderr}} {
				if !regexp.MustCompile(`^` + s.want + `$`).MatchString(s.got) {
					t.Errorf("%s:\n%swant\n%s", s.name, s.got, s.want)
				}
			}
		})
	}
}

func TestJoinSids(t *testing.T) {
	got := joinSids([]string{"emit", "-s", "-Ab", "--sid", "ok", "--except-sid", "-x…Y", "--sid", "--json", "--sid"})
	if want := []string{"emit", "--sid=-Ab", "--sid", "ok", "--except-sid=-x…Y", "--sid", "--json", "--sid"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// process is a running edge.
type process struct {
	*exec.Cmd
	clients, ops string // base URLs
	control      string // host:port
	stdout       *bufio.Reader
	stderr       bytes.Buffer
}

var bannerForm = regexp.MustCompile(`^sio-edge \S+   clients (https?://127\.0\.0\.1:\d+)/socket\.io/   backends (127\.0\.0\.1:\d+)   ops (http://127\.0\.0\.1:\d+)\n` +
	` +store \S+sio-edge\.db.*   recovery 5m0s\n$`)

func startEdge(t *testing.T, args ...string) *process {
	t.Helper()
	return startEdgeAs(t, nil, args...)
}

// startEdgeAs starts an edge with a command that runs what follows it.
func startEdgeAs(t *testing.T, as []string, args ...string) *process {
	t.Helper()
	p, m := startProcessAs(t, as, bannerForm, append([]string{"--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, args...)...)
	p.clients, p.control, p.ops = m[1], m[2], m[3]
	return p
}

// startProcess starts an edge and finds in its banner what form says.
func startProcess(t *testing.T, form *regexp.Regexp, args ...string) (p *process, found []string) {
	t.Helper()
	return startProcessAs(t, nil, form, args...)
}

func startProcessAs(t *testing.T, as []string, form *regexp.Regexp, args ...string) (p *process, found []string) {
	t.Helper()
	p = &process{}
	line := append(append(as[:len(as):len(as)], binary, "--data-dir", t.TempDir()), args...)
	p.Cmd = exec.Command(line[0], line[1:]...)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	p.stdout = bufio.NewReader(out)
	var banner string
	for range 2 {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			p.Wait()
			t.Fatalf("banner: %v; stderr: %s", err, &p.stderr)
		}
		banner += line
	}
	if found = form.FindStringSubmatch(banner); found == nil {
		t.Fatalf("banner:\n%s", banner)
	}
	return p, found
}

// connect opens an Engine.IO session on a WebSocket.
func (p *process) connect(t *testing.T) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c, _, err := dialer.Dial("ws"+strings.TrimPrefix(p.clients, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, open, err := c.ReadMessage(); err != nil || !strings.HasPrefix(string(open), `0{"sid":`) {
		t.Fatalf("handshake: %q, %v", open, err)
	}
	return c
}

// insecureWeb believes any certificate, and keeps no connection.
var insecureWeb = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func (p *process) get(t *testing.T, url string) string {
	t.Helper()
	resp, err := insecureWeb.Get(url)
	if err != nil {
		t.Fatalf("%v; the edge says: %.20000s", err, &p.stderr)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// SIGTERM and SIGINT end an edge with clients in good order and in good time.
func TestDrain(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			defer http.DefaultClient.CloseIdleConnections()
			p := startEdge(t)
			if got := p.get(t, p.ops+"/healthz"); got != "ready\n" {
				t.Fatalf("health: %q", got)
			}
			client := p.connect(t)
			begin := time.Now()
			p.Process.Signal(sig)
			_, message, err := client.ReadMessage()
			var closed *websocket.CloseError
			if !errors.As(err, &closed) || closed.Code == websocket.CloseAbnormalClosure {
				t.Errorf("the client got %q, %v, want a close frame", message, err)
			}
			rest, _ := io.ReadAll(p.stdout)
			if err := p.Wait(); err != nil {
				t.Errorf("%v; stderr: %s", err, &p.stderr)
			}
			if len(rest) > 0 {
				t.Errorf("stdout: %s", rest)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A second signal does not wait for what the first one waits for.
func TestSecondSignal(t *testing.T) {
	p := startEdge(t, "--drain-timeout", "1m")
	c, _, err := dialSocket(p.clients, 1, 5*time.Second) // which never answers a close frame, and is given time to
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Process.Signal(syscall.SIGTERM)
	// Once the drain has begun the signal soon has its old meaning back.
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(p.get(t, p.ops+"/healthz/ready"), "draining"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no drain begins")
		}
	}
	done := make(chan error, 1)
	go func() { done <- p.Wait() }()
	again := time.NewTicker(20 * time.Millisecond) // the first may come a moment too early
	defer again.Stop()
	for end := time.After(time.Second); ; { // less than the edge gives the client to answer
		p.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
			if status := p.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
				t.Errorf("%v, want ended by the signal", p.ProcessState)
			}
			return
		case <-again.C:
		case <-end:
			t.Fatal("still running after the second signal")
		}
	}
}
