package control_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// odd is a client's certificate that set has made odd, signed by the pair, or by itself if that is nil.
func odd(t *testing.T, by *tls.Certificate, set func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "watch"}, DNSNames: []string{"watch"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	set(c)
	parent, signer := c, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pretender has the public key of an RSA pair that is too large to be made, or to be used.
type pretender struct{ public *rsa.PublicKey }

func (p pretender) Public() crypto.PublicKey { return p.public }
func (p pretender) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, p.public.Size()), nil
}

func pretend(t *testing.T, by *tls.Certificate, bits int) tls.Certificate {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits)-1)
	p := pretender{&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"watch"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Leaf, p.public, by.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: p}
}

// Certificates that are wrong, or that are meant to cost much, are turned away and cost little.
func TestC7_CertificatesThatAreWrongOrCostly(t *testing.T) {
	g := newGuarded(t)
	ca, err := tls.X509KeyPair(g.ca.Pair().Cert, g.ca.Pair().Key)
	if err != nil {
		t.Fatal(err)
	}
	many := func(c *x509.Certificate) {
		c.DNSNames = nil
		for i := range 4000 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("watch%d.example", i))
		}
	}
	constrained := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		for i := range 1000 {
			c.PermittedDNSDomains = append(c.PermittedDNSDomains, fmt.Sprintf("a%d.example", i))
			c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprintf("b%d.example", i))
		}
	}
	chain := func(leaf tls.Certificate, above ...tls.Certificate) tls.Certificate {
		for _, c := range above {
			leaf.Certificate = append(leaf.Certificate, c.Certificate[0])
		}
		return leaf
	}
	strange := odd(t, nil, constrained)
	intermediates := make([]tls.Certificate, 60)
	for i := range intermediates {
		intermediates[i] = odd(t, nil, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		})
	}
	plain := func(*x509.Certificate) {}
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want codes.Code
	}{
		{"good", odd(t, &ca, plain), codes.OK},
		{"for servers only", odd(t, &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), codes.Unavailable},
		{"of tomorrow", odd(t, &ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), codes.Unavailable},
		{"signed by itself", odd(t, nil, plain), codes.Unavailable},
		{"4,000 names, none of a caller", odd(t, &ca, many), codes.Unauthenticated},
		{"4,000 names, of a stranger", odd(t, &strange, many), codes.Unavailable},
		{"4,000 names under 2,000 constraints, of a stranger", chain(odd(t, &strange, many), strange), codes.Unavailable},
		{"an RSA key of 16,384 bits", pretend(t, &ca, 16384), codes.Unavailable},
		{"60 authorities of one name", chain(odd(t, &intermediates[0], plain), intermediates...), codes.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := g.tls(t, nil, "", 0)
			// Also one that the edge has not asked for: of another authority.
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tt.cert, nil }
			began := time.Now()
			_, err := pb.NewAdminServiceClient(g.dial(t, c)).GetEdge(g.context(), &pb.GetEdgeRequest{})
			if status.Code(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if took := time.Since(began); took > 2*time.Second { // of a loaded machine; milliseconds otherwise
				t.Errorf("it took %v", took)
			}
		})
	}
}

// There is nothing to resume: a certificate is looked at in every handshake, by the authority of now
// (CVE-2025-68121).
func TestC8_NoResumptionPastTheAuthority(t *testing.T) {
	g := newGuarded(t)
	c := g.tls(t, g.ca, "watch", time.Hour)
	c.ClientSessionCache, c.NextProtos = tls.NewLRUClientSessionCache(1), []string{"h2"}
	handshake := func() (resumed bool, err error) {
		conn, err := tls.Dial("tcp", g.addr, c)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		// The server's word about the certificate comes with the first bytes it sends.
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = conn.Read(make([]byte, 1))
		return conn.ConnectionState().DidResume, err
	}
	for range 2 {
		if resumed, err := handshake(); resumed || err != nil {
			t.Fatalf("resumed %v, %v", resumed, err)
		}
	}
	g.write(t, "ca.crt", g.authority(t).Pair().Cert)
	eventually(t, "the former authority is nobody", func() bool { _, err := handshake(); return err != nil })
}
