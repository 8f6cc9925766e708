package edge

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// files writes a certificate for a name into dir and returns what to configure.
func files(t *testing.T, dir, name string, expires time.Time) *TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: expires, DNSNames: []string{name}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := &TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	for file, block := range map[string]*pem.Block{out.CertFile: {Type: "CERTIFICATE", Bytes: cert}, out.KeyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

var anyServer = &tls.Config{InsecureSkipVerify: true}

// refusals counts what Config.Refused is told.
type refusals struct {
	mu  sync.Mutex
	all map[string]int
}

func (r *refusals) refused(layer, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[string]int)
	}
	r.all[layer+": "+reason]++
}

func (r *refusals) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[what]
}

func startTLS(t *testing.T) (*Server, *echo, *refusals) {
	t.Helper()
	var r refusals
	s, engine := start(t, Config{TLS: files(t, t.TempDir(), "edge.test", time.Now().Add(time.Hour)), Refused: r.refused})
	return s, engine, &r
}

func TestTLS(t *testing.T) {
	s, engine, _ := startTLS(t)
	c := tls.Client(dial(t, s.Addr), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
	if status, body, _ := read(t, bufio.NewReader(c)); status != 200 || body != `GET /socket.io/ "" ` {
		t.Errorf("got %d %q", status, body)
	}
	if st := c.ConnectionState(); st.Version != tls.VersionTLS13 || st.NegotiatedProtocol != "http/1.1" {
		t.Errorf("%s, protocol %q", tls.VersionName(st.Version), st.NegotiatedProtocol)
	}

	// After an upgrade whoever takes the connection over gets what is beneath.
	const frames = "\x81\x80\n\r\nPRI * HTTP/2.0\r\n\r\n"
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	wrapped := <-engine.hijacked
	<-engine.early
	defer wrapped.Close()
	sealed, carrier := wrapped.(*conn).TLSConn()
	if sealed == nil || carrier == nil || tcpConn(wrapped) != nil {
		t.Error("the connection beneath is not handed out, or as plain TCP")
	}
	io.WriteString(c, frames)
	b := make([]byte, len(frames))
	if _, err := io.ReadFull(wrapped, b); err != nil || string(b) != frames {
		t.Errorf("got %q, %v", b, err)
	}
}

// A client that is back shows its ticket, which spares both ends the signature.
func TestTLSTickets(t *testing.T) {
	s, _, _ := startTLS(t)
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "edge.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range 2 {
		c := tls.Client(dial(t, s.Addr), cfg)
		io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
		read(t, bufio.NewReader(c))
		if got := c.ConnectionState().DidResume; got != (i == 1) {
			t.Errorf("connection %d: resumed %v", i, got)
		}
	}
}

// slowly gives each byte time, or puts each into a segment of its own.
type slowly struct {
	net.Conn
	pause time.Duration
}

func (s slowly) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(s.pause)
	}
	return len(b), nil
}

func TestC2_SlowHello(t *testing.T) {
	for name, send := range map[string]func(net.Conn){
		"nothing":                      func(net.Conn) {},
		"a hello in part":              func(c net.Conn) { io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") },
		"a hello, one byte per second": func(c net.Conn) { tls.Client(slowly{c, time.Second}, anyServer).Handshake() },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := files(t, t.TempDir(), "edge.test", time.Now().Add(time.Hour))
			synctest.Test(t, func(t *testing.T) {
				var r refusals
				s := NewServer(Config{Refused: r.refused}, newEcho(), slog.New(slog.DiscardHandler))
				l := make(pipes)
				s.listener = newListener(netSource{l}, s.config, s.log)
				pair, err := newKeyPair(cfg.CertFile, cfg.KeyFile, s.log)
				if err != nil {
					t.Fatal(err)
				}
				s.listener.tls = cfg.config(pair)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				client, server := net.Pipe()
				begin := time.Now()
				l <- server
				sent := make(chan struct{})
				go func() { defer close(sent); send(client) }()
				if !strings.Contains(name, "one byte") {
					io.Copy(io.Discard, client)
				}
				<-sent
				if got := time.Since(begin); got < 5*time.Second || got > 6*time.Second {
					t.Errorf("closed after %v, want 5s", got)
				}
				if n := r.count("tls: " + handshakeSlow); n != 1 {
					t.Errorf("counted %d times", n)
				}
				client.Close()
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestC2_FragmentedHello(t *testing.T) {
	s, _, _ := startTLS(t)
	raw := dial(t, s.Addr)
	raw.(*net.TCPConn).SetNoDelay(true)
	c := tls.Client(slowly{raw, 0}, anyServer)
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
	if status, _, _ := read(t, bufio.NewReader(c)); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestC5_OldAndBrokenTLS(t *testing.T) {
	s, _, r := startTLS(t)
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.0":                         {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1":                         {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"RC4":                             {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}},
		"RSA key exchange":                {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"C9 ALPN with control characters": {NextProtos: []string{"\x00\n\x1b[31m"}},
		"ALPN h2 alone":                   {NextProtos: []string{"h2"}},
	} {
		cfg.InsecureSkipVerify = true
		before := r.count("tls: " + handshakeFailed)
		err := tls.Client(dial(t, s.Addr), cfg).Handshake()
		var alert *net.OpError
		if !errors.As(err, &alert) || alert.Op != "remote error" {
			t.Errorf("%s: %v, want an alert", name, err)
		}
		eventually(t, name+" is counted", func() bool { return r.count("tls: "+handshakeFailed) == before+1 })
	}
	// A record that is announced larger than records may be.
	c := dial(t, s.Addr)
	io.WriteString(c, "\x16\x03\x01\xff\xff"+strings.Repeat("x", 100))
	if b, _ := io.ReadAll(c); len(b) > 7 {
		t.Errorf("a huge record is answered with %q", b)
	}
}

func TestC10_PlainHTTPOnTLS(t *testing.T) {
	s, engine, r := startTLS(t)
	c := dial(t, s.Addr)
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
	if status, body, closing := read(t, bufio.NewReader(c)); status != 400 || !closing || body != "this port speaks HTTPS\n" {
		t.Errorf("got %d %q", status, body)
	}
	if n := r.count("tls: " + handshakeNotTLS); n != 1 {
		t.Errorf("counted %d times", n)
	}
	if seen := engine.requests(); len(seen) > 0 {
		t.Errorf("a handler saw %q", seen)
	}
}

func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := files(t, dir, "old.test", time.Now().Add(time.Hour))
	s, _ := start(t, Config{TLS: cfg})
	served := func() string {
		c := tls.Client(dial(t, s.Addr), anyServer)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := served(); got != "old.test" {
		t.Errorf("serves %s", got)
	}
	os.WriteFile(cfg.KeyFile, []byte("half a key"), 0o600)
	s.ReloadCertificate()
	if got := served(); got != "old.test" {
		t.Errorf("with a broken key serves %s", got)
	}
	os.Remove(cfg.CertFile)
	s.ReloadCertificate()
	if got := served(); got != "old.test" {
		t.Errorf("without a file serves %s", got)
	}
	files(t, dir, "new.test", time.Now().Add(2*time.Hour))
	s.ReloadCertificate()
	if got := served(); got != "new.test" {
		t.Errorf("after the change serves %s", got)
	}
	if left := time.Until(s.CertificateExpires()); left < time.Hour {
		t.Errorf("expires in %v", left)
	}
}

// An edge that cannot prove who it is does not start.
func TestCertificateThatCannotBe(t *testing.T) {
	other := files(t, t.TempDir(), "edge.test", time.Now().Add(time.Hour))
	for name, cfg := range map[string]*TLS{
		"no such file": {CertFile: other.CertFile, KeyFile: filepath.Join(t.TempDir(), "none")},
		"expired":      files(t, t.TempDir(), "edge.test", time.Now().Add(-time.Minute)),
		"another key":  {CertFile: other.CertFile, KeyFile: files(t, t.TempDir(), "edge.test", time.Now().Add(time.Hour)).KeyFile},
		"no PEM":       {CertFile: other.KeyFile, KeyFile: other.KeyFile},
	} {
		s := NewServer(Config{Listen: "127.0.0.1:0", TLS: cfg}, newEcho(), slog.New(slog.DiscardHandler))
		if err := s.Listen(); err == nil {
			t.Errorf("%s: listens", name)
			s.listener.Close()
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
