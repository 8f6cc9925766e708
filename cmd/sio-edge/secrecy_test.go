package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certify writes a certificate for name, and returns the flags that name its files.
func certify(t *testing.T, dir, name string) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeFile(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	writeFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return []string{"--tls-cert-file", certFile, "--tls-key-file", keyFile}
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A client over TLS does what a client does: events both ways through a backend, and a handshake
// with a page of the edge's own https origin, but of no other scheme.
func TestClientsOverTLS(t *testing.T) {
	dir := t.TempDir()
	p := startEdge(t, certify(t, dir, "old.test")...)
	p.backend(t)
	if !strings.HasPrefix(p.clients, "https://") {
		t.Fatalf("the banner says %s", p.clients)
	}
	client := p.join(t)
	client.send(`421["sum",1,2]`)
	client.want(`431[3]`)
	client.send(`42["say","` + strings.Repeat("x", 200_000) + `"]`) // many records
	client.want(`42["said","xxx`)

	var peer string
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error { peer = s.PeerCertificates[0].DNSNames[0]; return nil }}}}
	from := func(origin string) int {
		t.Helper()
		r, _ := http.NewRequest("GET", p.clients+"/socket.io/?EIO=4&transport=polling", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		resp, err := web.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for origin, want := range map[string]int{
		p.clients: 200, "": 200,
		"http" + strings.TrimPrefix(p.clients, "https"): 403, "https://127.0.0.1": 403, "https://evil.example": 403, "null": 403,
	} {
		if got := from(origin); got != want {
			t.Errorf("O1 O3 origin %q: %d, want %d", origin, got, want)
		}
	}

	if peer != "old.test" {
		t.Errorf("the certificate is of %s", peer)
	}
	certify(t, dir, "new.test")
	p.Process.Signal(syscall.SIGHUP)
	eventually(t, "the new certificate is served", func() bool { from(""); return peer == "new.test" })
	if left := p.scrape(t)["sioedge_tls_certificate_expires_seconds"] - float64(time.Now().Unix()); left < 1800 || left > 3600 {
		t.Errorf("sioedge_tls_certificate_expires_seconds in %v s", left)
	}
}

// A configuration that would not keep what it promises is refused, with what to do instead.
func TestUnsafeCombinationsRefuseToStart(t *testing.T) {
	dir := t.TempDir()
	pair := certify(t, dir, "edge.test")
	open := filepath.Join(t.TempDir(), "tls.key")
	b, err := os.ReadFile(pair[3])
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, open, b)
	os.Chmod(open, 0o644)
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"certificate alone", "--tls-key-file", pair[:2]},
		{"key alone", "--tls-cert-file", pair[2:]},
		{"two sources", "nothing beside tls-cert-file", append([]string{"--acme-domains", "a.example"}, pair...)},
		{"no certificate", "a certificate that fits tls-key-file", []string{"--tls-cert-file", pair[3], "--tls-key-file", pair[3]}},
		{"a key for everyone", "chmod o=", []string{"--tls-cert-file", pair[1], "--tls-key-file", open}},
		{"a wildcard", "full names without wildcards", []string{"--acme-domains", "*.example.com"}},
		{"authority over http", "an https address", []string{"--acme-domains", "a.example", "--acme-directory", "http://a.example/"}},
		{"whose PROXY headers", "trusted-proxies beside it", []string{"--proxy-protocol"}},
		{"O6 every page, with cookies", "no * together with cors-credentials", []string{"--cors-origin", "*", "--cors-credentials"}},
	} {
		code, _, stderr := command(t, append([]string{"check"}, tt.args...)...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, %s want %q", tt.name, code, stderr, tt.want)
		}
	}
	if code, _, stderr := command(t, "check", "--tls-cert-file", pair[1], "--tls-key-file", open, "--insecure-file-modes"); code != 0 {
		t.Errorf("insecure-file-modes: exit code %d, %s", code, stderr)
	}
	p := startEdge(t, "--tls-cert-file", pair[1], "--tls-key-file", open, "--insecure-file-modes")
	if p.scrape(t)[`sioedge_insecure_option{option="insecure-file-modes"}`] != 1 {
		t.Error("no metric tells of insecure-file-modes")
	}
	p.Process.Signal(syscall.SIGTERM)
	p.Wait()
	if !strings.Contains(p.stderr.String(), `"option":"insecure-file-modes"`) {
		t.Errorf("no warning of insecure-file-modes:\n%s", &p.stderr)
	}
}
