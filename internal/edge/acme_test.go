package edge

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// authority is an ACME server (RFC 8555), as far as one order at a time needs it. It believes in
// whoever answers a TLS-ALPN-01 challenge (RFC 8737) at edge.
type authority struct {
	*httptest.Server
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	edge chan string // where to look; one address for each order

	mu     sync.Mutex // guards the following
	domain string
	valid  bool
	chain  []byte
	orders int
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "test authority"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, edge: make(chan string, 2)}
	a.cert, _ = x509.ParseCertificate(der)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	a.Config.ErrorLog = log.New(io.Discard, "", 0) // the edge leaves without a goodbye
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", "nonce")
	w.Header().Set("Content-Type", "application/json")
	answer := func(status int, v map[string]any) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	var signed struct{ Payload string }
	json.NewDecoder(r.Body).Decode(&signed)
	payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
	state := "pending"
	if a.valid {
		state = "valid"
	}
	challenge := map[string]any{"type": "tls-alpn-01", "url": a.URL + "/challenge", "token": "dG9rZW4", "status": state}
	order := map[string]any{"status": map[bool]string{false: "pending", true: "ready"}[a.valid], "finalize": a.URL + "/finalize",
		"identifiers": []any{map[string]any{"type": "dns", "value": a.domain}}, "authorizations": []string{a.URL + "/authorization"}}
	if a.chain != nil {
		order["status"], order["certificate"] = "valid", a.URL+"/certificate"
	}
	switch r.URL.Path {
	case "/directory":
		answer(200, map[string]any{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/order"})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", a.URL+"/account/1")
		answer(201, map[string]any{"status": "valid"})
	case "/order":
		var asked struct{ Identifiers []struct{ Value string } }
		json.Unmarshal(payload, &asked)
		if len(asked.Identifiers) == 1 {
			a.domain, a.valid, a.chain = asked.Identifiers[0].Value, false, nil
			a.orders++
			order["status"] = "pending"
			delete(order, "certificate")
		}
		w.Header().Set("Location", a.URL+"/order/1")
		answer(201, order)
	case "/order/1":
		answer(200, order)
	case "/authorization":
		answer(200, map[string]any{"status": state, "identifier": map[string]any{"type": "dns", "value": a.domain}, "challenges": []any{challenge}})
	case "/challenge":
		domain := a.domain
		a.mu.Unlock() // the edge may take its time
		err := a.look(domain)
		a.mu.Lock()
		if err != nil {
			a.t.Errorf("challenge: %v", err)
		}
		a.valid = err == nil
		answer(200, challenge)
	case "/finalize":
		var asked struct{ CSR string }
		json.Unmarshal(payload, &asked)
		der, _ := base64.RawURLEncoding.DecodeString(asked.CSR)
		a.issue(der)
		w.Header().Set("Location", a.URL+"/order/1")
		answer(200, map[string]any{"status": "valid", "certificate": a.URL + "/certificate"})
	case "/certificate":
		w.Write(a.chain)
	default:
		answer(404, nil)
	}
}

// look connects to the edge as the authority does, to see whose name it is.
func (a *authority) look(domain string) error {
	c, err := tls.Dial("tcp", <-a.edge, &tls.Config{InsecureSkipVerify: true, ServerName: domain, NextProtos: []string{acme.ALPNProto}})
	if err != nil {
		return err
	}
	defer c.Close()
	s := c.ConnectionState()
	if s.NegotiatedProtocol != acme.ALPNProto {
		return fmt.Errorf("protocol %q", s.NegotiatedProtocol)
	}
	for _, e := range s.PeerCertificates[0].Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) && e.Critical {
			return nil
		}
	}
	return fmt.Errorf("the certificate says nothing of the challenge")
}

func (a *authority) issue(der []byte) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Error(err)
		return
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(a.orders) + 1), DNSNames: csr.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, csr.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
		return
	}
	var b bytes.Buffer
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert})
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	a.chain = b.Bytes()
}

// An edge with ACME has its certificate without being asked, keeps it over a restart, and has none
// for other names.
func TestACME(t *testing.T) {
	a := newAuthority(t)
	trusted := x509.NewCertPool()
	trusted.AddCert(a.Certificate())
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	cache := t.TempDir()
	handshake := func(t *testing.T, s *Server, name string) error {
		c := tls.Client(dial(t, s.Addr), &tls.Config{RootCAs: clients, ServerName: name})
		return c.Handshake()
	}
	for run := range 2 {
		t.Run(fmt.Sprint("run ", run), func(t *testing.T) {
			s, _ := start(t, Config{TLS: &TLS{ACME: &ACME{Domains: []string{"edge.test"}, CacheDir: cache, Directory: a.URL + "/directory", roots: trusted}}})
			a.edge <- s.Addr.String()
			if err := handshake(t, s, "edge.test"); err != nil {
				t.Errorf("its own name: %v", err)
			}
			if err := handshake(t, s, "other.test"); err == nil || !strings.Contains(err.Error(), "remote error") {
				t.Errorf("another name: %v", err)
			}
		})
	}
	if a.orders != 1 {
		t.Errorf("%d certificates were ordered", a.orders)
	}
	files, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		if info, _ := os.Stat(f); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", f, info.Mode())
		}
	}
}

// An authority that does not answer does not keep an edge from ending, nor from listening.
func TestACMEAway(t *testing.T) {
	asked, hold := make(chan struct{}, 1), make(chan struct{})
	web := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-hold
	}))
	defer web.Close()
	defer close(hold)
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	begin := time.Now()
	t.Run("run", func(t *testing.T) {
		start(t, Config{TLS: &TLS{ACME: &ACME{Domains: []string{"edge.test"}, CacheDir: t.TempDir(), Directory: web.URL, roots: trusted}}})
		<-asked
	})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v to end", took)
	}
}
