package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP puts in force what can change, says what cannot, and keeps what is when the file is wrong.
// The service manager hears of all that.
func TestReload(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func(want string) {
		t.Helper()
		b := make([]byte, 256)
		manager.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := manager.Read(b)
		if err != nil || !regexp.MustCompile(`^`+want+`$`).Match(b[:n]) {
			t.Fatalf("told %q, %v, want %s", b[:n], err, want)
		}
	}
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	file := filepath.Join(dir, "edge.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cors-origin: https://a.example\n")
	p := startEdge(t, "--config", file)
	told("READY=1")
	from := func(origin string) int {
		t.Helper()
		req, _ := http.NewRequest("GET", p.clients+"/socket.io/?EIO=4&transport=polling", nil)
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hup := func() {
		t.Helper()
		p.Process.Signal(syscall.SIGHUP)
		told(`RELOADING=1\nMONOTONIC_USEC=\d+`)
		told("READY=1")
	}
	if code := from("https://a.example"); code != 200 {
		t.Fatalf("before: %d", code)
	}

	write("cors-origin: https://b.example\nmax-connections: 2\nlog-level: debug\nping-interval: 5s\nlisten: :1234\n")
	hup()
	if a, b := from("https://a.example"), from("https://b.example"); a != 403 || b != 200 {
		t.Errorf("after: a %d, b %d", a, b)
	}
	if code := from("https://b.example"); code != 503 { // the first and this one
		t.Errorf("above max-connections: %d", code)
	}
	if n := p.scrape(t)["sioedge_connections_limit"]; n != 2 {
		t.Errorf("sioedge_connections_limit %v", n)
	}
	write("cors-origin: nonsense\nlog-level: loud\n")
	hup()
	if code := from("https://b.example"); code != 503 {
		t.Errorf("a faulty file changed something: %d", code)
	}
	hup()

	p.Process.Signal(syscall.SIGTERM)
	told("STOPPING=1")
	p.Wait()
	var logged []string
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, "onfiguration") || strings.Contains(line, "restart") {
			logged = append(logged, regexp.MustCompile(`"time":"[^"]+",`).ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))
		}
	}
	fault := []string{
		`{"level":"ERROR","msg":"configuration not reloaded, the former one stays in force","fault":"edge.yaml: log-level: loud: debug, info, warn, error"}`,
		`{"level":"ERROR","msg":"configuration not reloaded, the former one stays in force","fault":"edge.yaml: cors-origin: nonsense: origins such as https://a.example, https://*.a.example:8443 or *"}`,
	}
	want := slices.Concat([]string{
		`{"level":"INFO","msg":"configuration reloaded","changed":"max-connections: 100000 -> 2, log-level: info -> debug, cors-origin: https://a.example -> https://b.example"}`,
		`{"level":"WARN","msg":"changes that need a restart are not in force","keys":"ping-interval"}`,
	}, fault, fault)
	if strings.Join(logged, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(logged, "\n"), strings.Join(want, "\n"))
	}
}

func TestChangeableKeysExist(t *testing.T) {
	var keys []string
	for f := range reflect.TypeFor[settings]().Fields() {
		keys = append(keys, keyOf(f.Name))
	}
	for _, key := range changeable {
		if !slices.Contains(keys, key) {
			t.Errorf("there is no %s", key)
		}
	}
}
