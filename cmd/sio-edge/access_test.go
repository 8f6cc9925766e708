package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// secured is an edge off loopback, with certificates of sio-edge certs and a token of sio-edge token.
type secured struct {
	*process
	dir, token string
}

var securedBanner = regexp.MustCompile(`backends \S+?:(\d+)   ops https://\S+?:(\d+)\n`)

func startSecured(t *testing.T, callers string) *secured {
	t.Helper()
	s := &secured{process: &process{}, dir: t.TempDir()}
	must := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := command(t, args...)
		if code != 0 {
			t.Fatalf("%v: %s", args, stderr)
		}
		return strings.TrimSpace(stdout)
	}
	must("certs", "--dir", s.dir, "chat", "ops")
	s.token = s.at("cron.token")
	hash := must("token", s.token)
	file := strings.ReplaceAll(callers, "HASH", hash)
	if err := os.WriteFile(s.at("access.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	p, found := startProcess(t, securedBanner, "--listen", "127.0.0.1:0", "--control-listen", "0.0.0.0:0", "--ops-listen", "0.0.0.0:0", "--ops-tls",
		"--control-tls-cert-file", s.at("edge.crt"), "--control-tls-key-file", s.at("edge.key"), "--control-client-ca-file", s.at("ca.crt"), "--access-file", s.at("access.yaml"))
	p.control, p.ops = "127.0.0.1:"+found[1], found[2]
	s.process = p
	return s
}

func (s *secured) at(name string) string { return filepath.Join(s.dir, name) }

const threeCallers = `
callers:
  chat: {certificates: [chat], roles: ["backend:/"]}
  ops: {certificates: [ops], roles: [observer, admin]}
  cron: {tokens: ["HASH"], roles: ["emitter:/"]}
`

// From nothing to an edge that backends elsewhere can use, with the commands alone.
func TestASecuredEdge(t *testing.T) {
	s := startSecured(t, threeCallers)
	as := func(caller string) []string {
		return []string{"--control", s.control, "--tls-ca", s.at("ca.crt"), "--tls-cert", s.at(caller + ".crt"), "--tls-key", s.at(caller + ".key")}
	}
	bearing := []string{"--control", s.control, "--tls-ca", s.at("ca.crt"), "--token-file", s.token}
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{append([]string{"groups"}, as("ops")...), 0, `no groups: no backend has attached yet\n`, ``},
		{append([]string{"emit", "--everyone", "news"}, bearing...), 0, `news -> 0 sockets in / .*\n`, ``},
		{append([]string{"groups"}, bearing...), exitFailed, ``, `sio-edge: caller cron may not call sioedge.v1.AdminService.ListGroups: it takes one of: observer, admin\n`},
		{append([]string{"emit", "--everyone", "news"}, as("ops")...), exitFailed, ``, `sio-edge: caller ops may not emit in "/": it takes one of: backend, emitter\n`},
		{[]string{"groups", "--control", s.control}, exitUnreachable, ``, `sio-edge: edge at \S+: it hung up; perhaps it speaks TLS: --tls-ca names who signed its certificate\n`},
		{[]string{"groups", "--control", s.control, "--tls"}, exitUnreachable, ``, `sio-edge: edge at \S+: we do not trust its certificate \(.*unknown authority\): --tls-ca names who signed it\n`},
		{[]string{"groups", "--control", s.control, "--tls-ca", s.at("ca.crt")}, exitFailed, ``, `sio-edge: edge at \S+: no certificate and no token of a caller that this edge knows: give --tls-cert and --tls-key, or --token-file\n`},
		{[]string{"groups", "--control", s.control, "--tls-ca", s.at("gone.crt")}, exitUsage, ``, `sio-edge: --tls-ca: open .*\n`},
		{[]string{"groups", "--control", "192.0.2.1:7070", "--token-file", s.token}, exitUsage, ``, `sio-edge: --token-file: over TLS only, .*\n`},
		{append([]string{"top", "--once", "--ops", "https://127.0.0.1:" + s.ops}, as("ops")...), 0, `(?s)sio-edge .*no groups.*\n`, ``},
	} {
		code, stdout, stderr := command(t, c.args...)
		if code != c.code || !regexp.MustCompile(`^`+c.stdout+`$`).MatchString(stdout) || !regexp.MustCompile(`^`+c.stderr+`$`).MatchString(stderr) {
			t.Errorf("%v: %d\n%s%s", c.args, code, stdout, stderr)
		}
	}

	client := func(caller string) *http.Client {
		c := &tls.Config{RootCAs: x509.NewCertPool()}
		ca, _ := os.ReadFile(s.at("ca.crt"))
		c.RootCAs.AppendCertsFromPEM(ca)
		if caller != "" {
			pair, err := tls.LoadX509KeyPair(s.at(caller+".crt"), s.at(caller+".key"))
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	}
	for _, c := range []struct {
		caller, path string
		want         int
	}{
		{"", "/healthz", 200}, {"", "/healthz/live", 200}, {"", "/metrics", 200}, {"", "/", 401}, {"", "/console.js", 401}, {"", "/events/tail", 401},
		{"ops", "/", 200}, {"ops", "/console.js", 200}, {"chat", "/", 403}, {"chat", "/events/tail", 403}, {"ops", "/debug/pprof/", 404},
	} {
		resp, err := client(c.caller).Get("https://127.0.0.1:" + s.ops + c.path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s as %q: %d, want %d", c.path, c.caller, resp.StatusCode, c.want)
		}
	}
	resp, err := client("").Get("https://127.0.0.1:" + s.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	figures, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !regexp.MustCompile(`(?m)^sioedge_control_certificate_expires_seconds 1\.\d+e\+09$`).Match(figures) ||
		!regexp.MustCompile(`(?m)^sioedge_refused_total\{layer="control",reason="role"\} [1-9]`).Match(figures) {
		t.Error("metrics say nothing of access")
	}
	secret, err := os.ReadFile(s.token)
	if err != nil {
		t.Fatal(err)
	}
	s.Process.Signal(os.Interrupt)
	s.Wait()
	log := s.stderr.String()
	if !strings.Contains(log, `"audit":{"caller":"cron"`) {
		t.Errorf("no denial in the log:\n%s", log)
	}
	if strings.Contains(log, strings.TrimSpace(string(secret))) {
		t.Error("the token is in the log")
	}
}

// The SDK shows a certificate or a token, and says why it was not let in.
func TestABackendOfASecuredEdge(t *testing.T) {
	s := startSecured(t, strings.ReplaceAll(threeCallers, `["emitter:/"]`, `["backend:/room-*"]`))
	run := func(namespace string, options ...sioedge.Option) error {
		edge := sioedge.New(s.control, append(options, sioedge.Group("g-"+strings.Trim(namespace, "/")), sioedge.Member("1"), sioedge.Logger(slog.New(slog.DiscardHandler)))...)
		edge.Of(namespace).On("x", func(ctx context.Context, s *sioedge.Socket) error { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- edge.Run(ctx) }()
		for status := range edge.Status(t.Context()) {
			if _, ok := status.(sioedge.Attached); ok {
				cancel()
			}
			if lost, ok := status.(sioedge.Lost); ok {
				cancel()
				<-done
				return lost.Err
			}
		}
		return <-done
	}
	ours := sioedge.TLSFiles(s.at("ca.crt"), s.at("chat.crt"), s.at("chat.key"))
	nobody := sioedge.TLSFiles(s.at("ca.crt"), "", "")
	for name, c := range map[string]struct {
		namespace string
		options   []sioedge.Option
		want      string
	}{
		"a certificate":         {"/", []sioedge.Option{ours}, ""},
		"a token":               {"/room-1", []sioedge.Option{nobody, sioedge.TokenFile(s.token)}, ""},
		"another namespace":     {"/room-1", []sioedge.Option{ours}, `NAMESPACE_DENIED: caller chat may not get events of "/room-1"`},
		"nothing":               {"/", []sioedge.Option{nobody}, "CREDENTIAL_UNKNOWN"},
		"another token":         {"/", []sioedge.Option{nobody, sioedge.Token("guess")}, "CREDENTIAL_UNKNOWN"},
		"no file":               {"/", []sioedge.Option{sioedge.TLSFiles("gone.crt", "", "")}, "gone.crt: no such file"},
		"a token that is gone":  {"/", []sioedge.Option{nobody, sioedge.TokenFile("gone.token")}, "gone.token: no such file"},
		"another authority":     {"/", []sioedge.Option{sioedge.TLS(nil)}, "unknown authority"},
		"no TLS":                {"/", nil, "connection"},
		"a token for elsewhere": {"/", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a token for elsewhere" {
				err := sioedge.New("192.0.2.1:7070", sioedge.Token("x")).Run(t.Context())
				if err == nil || !strings.Contains(err.Error(), "transport level security") {
					t.Errorf("over plain text: %v", err)
				}
				return
			}
			err := run(c.namespace, c.options...)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// An access file locks the listeners on loopback too: with a token, for there is no TLS.
func TestAnAccessFileOnLoopback(t *testing.T) {
	dir := t.TempDir()
	_, hash, _ := command(t, "token", filepath.Join(dir, "cron.token"))
	file := filepath.Join(dir, "access.yaml")
	if err := os.WriteFile(file, []byte("callers: {cron: {tokens: ['"+strings.TrimSpace(hash)+"'], roles: ['emitter:/', observer]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startEdge(t, "--access-file", file)
	defer http.DefaultClient.CloseIdleConnections()
	if out := p.run(t, "groups", "--token-file", filepath.Join(dir, "cron.token")); out != "no groups: no backend has attached yet\n" {
		t.Errorf("groups: %s", out)
	}
	if code, _, stderr := command(t, "groups", "--control", p.control); code != exitFailed || !strings.Contains(stderr, "no certificate and no token") {
		t.Errorf("without a token: %d %s", code, stderr)
	}
	get := func(path string, change func(*http.Request)) int {
		t.Helper()
		req, _ := http.NewRequest("GET", p.ops+path, nil)
		change(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	token, _ := os.ReadFile(filepath.Join(dir, "cron.token"))
	for what, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"nothing":     {func(*http.Request) {}, 401},
		"a token":     {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token))) }, 200},
		"as password": {func(r *http.Request) { r.SetBasicAuth("anybody", strings.TrimSpace(string(token))) }, 200},
		"two": {func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer x", "Bearer " + strings.TrimSpace(string(token))}
		}, 401},
		"a page elsewhere": {func(r *http.Request) {
			r.Host = "evil.example"
			r.SetBasicAuth("anybody", strings.TrimSpace(string(token)))
		}, 403},
	} {
		if got := get("/", c.change); got != c.want {
			t.Errorf("with %s: %d, want %d", what, got, c.want)
		}
	}
}

// Every file of certificates is there, nothing is replaced, and a second run goes on with the same authority.
func TestCerts(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := command(t, "certs", "--dir", dir, "--host", "edge.example", "chat", "spiffe://example/cron")
	var names []string
	for line := range strings.Lines(stdout) {
		names = append(names, filepath.Base(strings.TrimSpace(line)))
	}
	if want := "ca.key ca.crt edge.key edge.crt chat.key chat.crt spiffe---example-cron.key spiffe---example-cron.crt"; code != 0 || strings.Join(names, " ") != want {
		t.Fatalf("%d %s %v", code, stderr, names)
	}
	if info, err := os.Stat(filepath.Join(dir, "chat.key")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key: %v, %v", info.Mode(), err)
	}
	if code, stdout, _ := command(t, "certs", "--dir", dir, "shop"); code != 0 || strings.Count(stdout, "\n") != 2 {
		t.Errorf("another caller: %d %s", code, stdout)
	}
	if code, _, stderr := command(t, "certs", "--dir", dir, "chat"); code == 0 || !strings.Contains(stderr, "exists") {
		t.Errorf("the same caller: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "certs", "--dir", dir, "ca"); code != exitUsage || !strings.Contains(stderr, "another name") {
		t.Errorf("a caller called ca: %d %s", code, stderr)
	}
}
