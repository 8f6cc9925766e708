package sioedge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// TLSFiles encrypts the connection to the edge with certificates in PEM files, which are read at
// each connection and so may be replaced while the program runs: ca is who signed the certificate
// of the edge (empty: whom this machine trusts), cert and key are this process's own (both empty:
// it has none, see Token).
func TLSFiles(ca, cert, key string) Option {
	return Credentials(&fileCredentials{TransportCredentials: credentials.NewTLS(nil), ca: ca, cert: cert, key: key})
}

// Token says who this process is, to an edge that knows the token. It is sent over TLS, or to an
// edge on this machine; otherwise Run fails.
func Token(token string) Option {
	return func(c *config) { c.token = func() (string, error) { return token, nil } }
}

// TokenFile is Token for a token in a file, which is read at each call and so may be replaced while
// the program runs.
func TokenFile(path string) Option {
	return func(c *config) {
		c.token = func() (string, error) {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("read token: %w", err)
			}
			return strings.TrimSpace(string(b)), nil
		}
	}
}

// bearer is a credentials.PerRPCCredentials.
type bearer struct {
	token func() (string, error)
	near  bool // the edge is on this machine
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b.token()
	if err != nil { // as if the edge were away: the file may be back soon
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return !b.near }

// loopback says whether an address is on this machine.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// fileCredentials is a credentials.TransportCredentials that reads its files at each handshake.
type fileCredentials struct {
	credentials.TransportCredentials // for what does not depend on files
	ca, cert, key                    string
}

// ClientHandshake implements credentials.TransportCredentials.
func (f *fileCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(cfg).ClientHandshake(ctx, authority, raw)
}

// Clone implements credentials.TransportCredentials.
func (f *fileCredentials) Clone() credentials.TransportCredentials {
	c := *f
	c.TransportCredentials = f.TransportCredentials.Clone()
	return &c
}

func (f *fileCredentials) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		b, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("read authority %s: no certificate in it", f.ca)
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
