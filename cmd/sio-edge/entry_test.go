package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// issuer is somebody whose tokens an edge believes.
type issuer struct{ key *ecdsa.PrivateKey }

// believe makes an issuer, and returns the flags with which an edge asks for its tokens.
func believe(t *testing.T, rules string) (*issuer, []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "issuer.pem")
	writeFile(t, file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return &issuer{key}, []string{"--auth", rules, "--jwt-issuer", "https://id.example", "--jwt-audience", "edge", "--jwt-key-files", file, "--jwt-claims", "role"}
}

func (i *issuer) token(t *testing.T, subject string, claims jwt.MapClaims) string {
	t.Helper()
	all := jwt.MapClaims{"iss": "https://id.example", "aud": "edge", "sub": subject, "exp": time.Now().Add(time.Hour).Unix(), "role": "user"}
	maps.Copy(all, claims)
	s, err := jwt.NewWithClaims(jwt.SigningMethodES256, all).SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open makes a connection with headers and a query, and returns it with its Engine.IO sid.
func (p *process) open(t *testing.T, query string, header http.Header) (*socket, string) {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c, _, err := dialer.Dial("ws"+strings.TrimPrefix(p.clients, "http")+"/socket.io/?EIO=4&transport=websocket"+query, header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	s := &socket{t: t, conn: c}
	_, rest, _ := strings.Cut(s.recv(), `"sid":"`)
	return s, rest[:strings.IndexByte(rest, '"')]
}

// attach attaches a backend of "chat" that lets in whoever is not called mallory, and answers "who"
// with what it knows of a client.
func (p *process) attach(t *testing.T) {
	t.Helper()
	edge := sioedge.New(p.control, sioedge.Group("chat"), sioedge.Member("1"), sioedge.Logger(slog.New(slog.DiscardHandler)))
	edge.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		if s.User() == "mallory" {
			return sioedge.Reject("not you", nil)
		}
		return s.Set("asked", s.User())
	})
	edge.On("who", func(ctx context.Context, s *sioedge.Socket) (string, error) {
		auth := s.Auth().String("token") + s.Handshake().Headers["authorization"] + s.Handshake().Query["access_token"]
		return strings.Join([]string{s.User(), s.Get("role"), s.Get("asked"), auth}, "/"), nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("backend: %v", err)
		}
	})
	eventually(t, "the backend is attached", func() bool {
		return p.scrape(t)[`sioedge_group_members{group="chat",state="attached"}`] == 1
	})
}

// A token lets a client in wherever it shows it, and the backend learns who it is; nobody else is.
func TestTokensLetClientsIn(t *testing.T) {
	alice, flags := believe(t, "/=jwt+backend")
	p := startEdge(t, append(flags, "--jwt-sources", "auth.token,authorization,query.access_token")...)
	p.attach(t)
	good := alice.token(t, "alice", nil)
	for name, show := range map[string]func() *socket{
		"auth.token": func() *socket {
			s, _ := p.open(t, "", nil)
			s.send(`40{"token":"` + good + `"}`)
			return s
		},
		"authorization": func() *socket {
			s, _ := p.open(t, "", http.Header{"Authorization": {"Bearer " + good}})
			s.send("40")
			return s
		},
		"query": func() *socket {
			s, _ := p.open(t, "&access_token="+good, nil)
			s.send("40")
			return s
		},
	} {
		s := show()
		s.want(`40{"sid":"`)
		s.send(`420["who"]`)
		masked := ""
		if name == "query" {
			masked = "***"
		}
		if got := s.recv(); got != `430["alice/user/alice/`+masked+`"]` {
			t.Errorf("%s: %s", name, got)
		}
	}
	s, _ := p.open(t, "", nil)
	s.send(`40{"token":"` + alice.token(t, "mallory", nil) + `"}`)
	if got := s.recv(); got != `44{"message":"not you"}` {
		t.Errorf("whom the backend refuses: %s", got)
	}
	mallory, _ := believe(t, "")
	for name, token := range map[string]string{
		"N3 of another issuer": mallory.token(t, "alice", nil),
		"N3 expired":           alice.token(t, "alice", jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}),
		"N3 for another":       alice.token(t, "alice", jwt.MapClaims{"aud": "shop"}),
		"N3 none":              "",
	} {
		s, _ := p.open(t, "", nil)
		s.send(`40{"token":"` + token + `"}`)
		if got := s.recv(); got != `44{"message":"Not authorized"}` {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := p.scrape(t)[`sioedge_refused_total{layer="socketio",reason="token"}`]; n != 4 {
		t.Errorf("%v tokens counted", n)
	}
}

// A session survives the edge, but only for the subject that it belongs to.
func TestR3_SubjectsAreBoundOverAKill(t *testing.T) {
	alice, flags := believe(t, "/=jwt")
	dir := t.TempDir()
	audit := filepath.Join(t.TempDir(), "audit.log")
	flags = append(flags, "--data-dir", dir, "--audit-file", audit)
	p := startEdge(t, flags...)
	s, _ := p.open(t, "", nil)
	s.send(`40{"token":"` + alice.token(t, "alice", nil) + `"}`)
	answer := s.recv()
	field := func(answer, name string) string {
		_, rest, ok := strings.Cut(answer, `"`+name+`":"`)
		if !ok {
			t.Fatalf("answer %s", answer)
		}
		return rest[:strings.IndexByte(rest, '"')]
	}
	sid, pid := field(answer, "sid"), field(answer, "pid")
	p.Process.Kill()
	p.Wait()

	p = startEdge(t, flags...)
	resume := func(subject string) string {
		s, _ := p.open(t, "", nil)
		s.send(`40{"pid":"` + pid + `","token":"` + alice.token(t, subject, nil) + `"}`)
		return field(s.recv(), "sid")
	}
	if got := resume("mallory"); got == sid {
		t.Error("mallory has alice's session")
	}
	if got := resume("alice"); got != sid {
		t.Error("alice has lost her session")
	}
	p.Process.Signal(syscall.SIGTERM)
	p.Wait()
	b, err := os.ReadFile(audit)
	if err != nil || strings.Count(string(b), "of another subject") != 1 || !strings.Contains(string(b), `"session":"`+sid+`"`) {
		t.Errorf("audit: %s, %v", b, err)
	}
	if !strings.Contains(p.stderr.String(), `"audit":{`) {
		t.Errorf("nothing is audited in the log: %s", &p.stderr)
	}
	if code, out, errs := command(t, "audit", "verify", audit); code != 0 || !strings.Contains(out, " lines, each follows") {
		t.Errorf("verify: %d %s %s", code, out, errs)
	}
	writeFile(t, audit, bytes.Replace(b, []byte("another subject"), []byte("a friend's wife"), 1))
	if code, _, errs := command(t, "audit", "verify", audit); code != exitFailed || !strings.Contains(errs, "line 3 does not follow") {
		t.Errorf("verify of a forged file: %d %s", code, errs)
	}
}

// N8: an address that tries credentials has to wait, while those who are in stay.
func TestN8_AnAddressThatKeepsFailingIsTurnedAway(t *testing.T) {
	alice, flags := believe(t, "/=jwt")
	p := startEdge(t, append(flags, "--address-failures-per-minute", "3")...)
	in, _ := p.open(t, "", nil)
	in.send(`40{"token":"` + alice.token(t, "alice", nil) + `"}`)
	in.want(`40{"sid":"`)
	for range 3 {
		s, _ := p.open(t, "", nil)
		s.send(`40{"token":"guess"}`)
		s.want(`44{"message":"Not authorized"}`)
	}
	resp, err := http.Get(p.clients + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
	in.send(`40/nowhere,`)
	in.want(`44/nowhere,{"message":"Invalid namespace"}`)
	if n := p.scrape(t)[`sioedge_refused_total{layer="http",reason="address: failures"}`]; n != 1 {
		t.Errorf("%v counted", n)
	}
}

// Nothing that proves who somebody is is written anywhere: not in the log, whatever its level, not
// in the metrics, not in the audit log; and once its events are settled, not in the store either.
func TestSecretsAreWrittenNowhere(t *testing.T) {
	alice, flags := believe(t, "/=jwt+backend,/open=none")
	dir := t.TempDir()
	audit := filepath.Join(t.TempDir(), "audit.log")
	p := startEdge(t, append(flags, "--data-dir", dir, "--audit-file", audit, "--log-level", "debug", "--namespaces", "/,/open",
		"--jwt-sources", "auth.token,authorization,query.access_token", "--cookie", "io")...)
	p.attach(t)

	var canaries []string
	var n atomic.Int64
	canary := func(where string) string {
		c := "canary" + where + strings.Repeat("x", 20) + string(rune('a'+n.Add(1)))
		canaries = append(canaries, c)
		return c
	}
	// Good tokens, shown in every way; their last part is what makes them worth something.
	show := func(query, auth string, header http.Header) {
		s, eio := p.open(t, query, header)
		canaries = append(canaries, eio)
		s.send("40" + auth)
		s.want(`40{"sid":"`)
		s.send(`420["who"]`)
		s.want(`430["alice`)
	}
	token := func() string {
		raw := alice.token(t, "alice", jwt.MapClaims{"jti": n.Add(1)})
		canaries = append(canaries, raw[strings.LastIndexByte(raw, '.')+1:])
		return raw
	}
	show("", `{"token":"`+token()+`"}`, http.Header{"Cookie": {"session=" + canary("cookie")}})
	show("", "", http.Header{"Authorization": {"Bearer " + token()}})
	show("&access_token="+token(), "", nil)
	// Bad ones, and nonsense in places of credentials.
	for _, bad := range []string{canary("bad"), alice.token(t, "alice", jwt.MapClaims{"aud": canary("aud")})} {
		s, eio := p.open(t, "&access_token="+canary("query"), http.Header{"Authorization": {"Basic " + canary("basic")}, "X-Api-Key": {canary("key")}})
		canaries = append(canaries, eio, bad)
		s.send(`40{"token":"` + bad + `","pid":"` + canary("pid") + `","password":"` + canary("password") + `"}`)
		s.want(`44{"message":"Not authorized"}`)
	}
	for _, url := range []string{"/socket.io/?EIO=4&transport=polling&sid=" + canary("sid"), "/socket.io/?EIO=3&transport=polling&access_token=" + canary("old"),
		"/nothing?token=" + canary("nothing")} {
		p.get(t, p.clients+url)
	}
	s, _ := p.open(t, "", nil)
	s.send(`40/open,{"token":"` + canary("unread") + `"}`)
	s.want("40/open,")
	s.send(`42/open,["say","` + canary("argument") + `"]` + "{") // no packet
	eventually(t, "the last one is refused", func() bool {
		return p.scrape(t)[`sioedge_refused_total{layer="socketio",reason="packet"}`] == 1
	})
	metrics := p.get(t, p.ops+"/metrics")
	p.Process.Signal(syscall.SIGTERM)
	p.Wait()

	written := map[string]string{"the log": p.stderr.String(), "the metrics": metrics}
	for _, file := range []string{audit, filepath.Join(dir, storeFile)} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		written[filepath.Base(file)] = string(b)
	}
	if !strings.Contains(written["the log"], `"level":"DEBUG"`) && !strings.Contains(written["the log"], "did not prove who they are") {
		t.Fatalf("the log is empty: %s", written["the log"])
	}
	for where, text := range written {
		for _, c := range canaries {
			if i := strings.Index(text, c); i >= 0 {
				t.Errorf("%s has %s: …%q", where, c, text[max(0, i-60):i])
			}
		}
	}
}

func TestEntryThatCannotBe(t *testing.T) {
	_, flags := believe(t, "/=jwt")
	without := func(name string) []string {
		var kept []string
		for i := 0; i < len(flags); i += 2 {
			if flags[i] != name {
				kept = append(kept, flags[i], flags[i+1])
			}
		}
		return kept
	}
	with := func(args ...string) []string { return append(without(args[0]), args...) }
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, []byte("short"))
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"nobody's mode", "none, jwt, backend or jwt+backend", with("--auth", "/=token")},
		{"nobody's namespace", "none, jwt, backend or jwt+backend", with("--auth", "admin=jwt")},
		{"no issuer", "--jwt-issuer", without("--jwt-issuer")},
		{"no audience", "--jwt-audience", without("--jwt-audience")},
		{"no keys", "keys here, in jwt-jwks-url", without("--jwt-key-files")},
		{"a key that is none", "keys that can be used", with("--jwt-key-files", secret)},
		{"none as algorithm", "EdDSA, ES256", with("--jwt-algorithms", "none")},
		{"HS256 without a secret", "only with jwt-secret-files", with("--jwt-algorithms", "HS256")},
		{"a secret without HS256", "as there are jwt-secret-files", with("--jwt-secret-files", secret)},
		{"a short secret", "5 bytes, at least 32", append(with("--jwt-secret-files", secret), "--jwt-algorithms", "ES256,HS256")},
		{"keys over http", "an https address", with("--jwt-jwks-url", "http://id.example/keys")},
		{"tokens that everybody can read", "insecure-plain-tokens", with("--listen", "0.0.0.0:3000")},
		{"a place for tokens", "auth.token, authorization", with("--jwt-sources", "cookie")},
		{"an end", "close, notify or none", with("--auth-expiry", "never")},
		{"a binding", "none, ip or ip-prefix", with("--bind-session", "tls")},
	} {
		args := append([]string{"check", "--listen", "127.0.0.1:3000"}, tt.args...)
		if code, _, stderr := command(t, args...); code != exitUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, %s", tt.name, code, stderr)
		}
	}
	for name, args := range map[string][]string{
		"loopback": with("--listen", "127.0.0.1:3000"), "behind a proxy": with("--trusted-proxies", "10.0.0.0/8"),
		"asked for": with("--insecure-plain-tokens=true"), "TLS": append(certify(t, t.TempDir(), "edge.test"), flags...),
	} {
		if code, _, stderr := command(t, append([]string{"check"}, args...)...); code != 0 {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
}
