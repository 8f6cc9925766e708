// Package authority makes certificates for edges and their callers: for tests, and for who has no
// other authority. Keys are of P-256; nothing is written anywhere.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pair Pair
}

// Pair is a certificate and its key, both PEM.
type Pair struct{ Cert, Key []byte }

// New makes an authority that lasts so long.
func New(name string, lasts time.Duration) (*Authority, error) {
	t := template(name, lasts)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	a := &Authority{}
	pair, err := a.sign(t)
	if err != nil {
		return nil, err
	}
	return Load(pair)
}

// Load takes an authority up again.
func Load(p Pair) (*Authority, error) {
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, fmt.Errorf("load authority: %w", err)
	}
	if !pair.Leaf.IsCA {
		return nil, fmt.Errorf("load authority: %q is no authority", pair.Leaf.Subject.CommonName)
	}
	return &Authority{cert: pair.Leaf, key: pair.PrivateKey.(crypto.Signer), pair: p}, nil
}

// Pair is the authority's own certificate and key.
func (a *Authority) Pair() Pair { return a.pair }

// Server makes a certificate for an edge under these names and addresses.
func (a *Authority) Server(hosts []string, lasts time.Duration) (Pair, error) {
	t := template(hosts[0], lasts)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return a.sign(t)
}

// Caller makes a certificate for who calls an edge. A name is what the access file lists under
// certificates: a DNS name, or a URI.
func (a *Authority) Caller(lasts time.Duration, names ...string) (Pair, error) {
	t := template(names[0], lasts)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, name := range names {
		if !strings.Contains(name, "://") {
			t.DNSNames = append(t.DNSNames, name)
			continue
		}
		u, err := url.Parse(name)
		if err != nil {
			return Pair{}, fmt.Errorf("name of caller: %w", err)
		}
		t.URIs = append(t.URIs, u)
	}
	return a.sign(t)
}

func template(name string, lasts time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // never fails
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lasts), KeyUsage: x509.KeyUsageDigitalSignature}
}

// sign makes a key for a certificate and signs that: by itself if there is no authority yet.
func (a *Authority) sign(t *x509.Certificate) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make key of %q: %w", t.Subject.CommonName, err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("sign certificate of %q: %w", t.Subject.CommonName, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("write key of %q: %w", t.Subject.CommonName, err)
	}
	return Pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}, nil
}
