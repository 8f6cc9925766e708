package control_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/sio-edge/sio-edge/internal/control"
	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/access/authority"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// guarded is a world whose listeners speak TLS and let in whom the access file names.
type guarded struct {
	*world
	dir   string
	ca    *authority.Authority
	guard *access.Guard
	audit *audit

	serial string // of the certificate that is to be revoked
}

// audit is a log that tests read.
type audit struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (a *audit) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buf.Write(b)
}

func (a *audit) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buf.String()
}

// callers is an access file of everybody that the tests are. "all" may do everything.
const callers = `
callers:
  all: {certificates: [all], roles: ["backend:*", "emitter:*", observer, drainer, admin, payload-debug]}
  chat: {certificates: [chat, "spiffe://example/chat"], roles: ["backend:/chat*"]}
  shop: {certificates: [shop], roles: ["backend:/shop"], groups: [shop]}
  cron: {certificates: [cron], tokens: ["` + "sha256:%s" + `"], roles: ["emitter:/chat"]}
  watch: {certificates: [watch], roles: [observer]}
  ops: {certificates: [ops], roles: [admin]}
  lights: {certificates: [lights], roles: [drainer]}
`

const cronToken = "sioedge_canary-of-cron"

func hashOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

func newGuarded(t *testing.T) *guarded {
	return newGuardedBy(t, fmt.Sprintf(callers, hashOf(cronToken)), nil)
}

func newGuardedBy(t *testing.T, file string, disk socketio.Store) *guarded {
	t.Helper()
	g := &guarded{dir: t.TempDir(), audit: &audit{}}
	g.ca = g.authority(t)
	g.write(t, "ca.crt", g.ca.Pair().Cert)
	edge, err := g.ca.Server([]string{"127.0.0.1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, "edge.crt", edge.Cert)
	g.write(t, "edge.key", edge.Key)
	g.write(t, "access.yaml", []byte(file))
	log := slog.New(slog.NewJSONHandler(g.audit, nil))
	g.guard, err = access.NewGuard(access.Config{Files: g.files(), Log: log, Audit: log.WithGroup("audit"), Every: 25 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { g.guard.Watch(watching) })
	t.Cleanup(func() { stop(); done.Wait() })
	g.world = newWorldWith(t, disk, func(c *control.Config) { c.Access, c.Audit = g.guard, log.WithGroup("audit") })
	g.conn.Close()
	g.conn = g.as(t, "all")
	return g
}

func (g *guarded) files() access.Files {
	at := func(name string) string { return filepath.Join(g.dir, name) }
	return access.Files{Cert: at("edge.crt"), Key: at("edge.key"), CA: at("ca.crt"), Access: at("access.yaml")}
}

func (g *guarded) authority(t *testing.T) *authority.Authority {
	t.Helper()
	ca, err := authority.New("test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func (g *guarded) write(t *testing.T, name string, b []byte) {
	t.Helper()
	next := filepath.Join(g.dir, ".next") // never half a file
	if err := os.WriteFile(next, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(g.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// tls is the client's side for a certificate of this authority; none if caller is empty.
func (g *guarded) tls(t *testing.T, by *authority.Authority, caller string, lasts time.Duration) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(g.ca.Pair().Cert)
	if caller != "" {
		p, err := by.Caller(lasts, caller)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func (g *guarded) dial(t *testing.T, c *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(g.addr, grpc.WithTransportCredentials(credentials.NewTLS(c)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// as is a connection of a caller with a certificate.
func (g *guarded) as(t *testing.T, caller string) *grpc.ClientConn {
	t.Helper()
	return g.dial(t, g.tls(t, g.ca, caller, time.Hour))
}

// bearing is a context of calls with a token.
func bearing(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 10 s: " + what)
		}
	}
}

// join joins a namespace with a new connection and returns the sid.
func (w *world) join(namespace string) (*client, string) {
	w.t.Helper()
	c := w.open()
	return c, c.join(namespace)
}

func (c *client) join(namespace string) string {
	c.w.t.Helper()
	c.send("40" + namespace + ",")
	got := c.recv()
	_, rest, ok := strings.Cut(got, `40`+namespace+`,{"sid":"`)
	if !ok {
		c.w.t.Fatalf("not let into %s: %s", namespace, got)
	}
	return rest[:strings.IndexByte(rest, '"')]
}
