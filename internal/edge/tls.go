package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
)

// handshakeTimeout bounds a TLS handshake (reliability table 3.4).
const handshakeTimeout = 5 * time.Second

// TLS is how clients find out that they speak with the edge and nobody else. Either the two files
// or ACME are set.
type TLS struct {
	// CertFile and KeyFile are PEM: the chain with the edge's own certificate first, and its key.
	// They are read again when they change.
	CertFile, KeyFile string
	// ACME obtains certificates by itself.
	ACME *ACME
}

// config returns what every handshake follows: TLS 1.2 and newer with the suites that Go thinks
// safe, tickets for those who come back, and HTTP/1.1 alone, so that nobody is offered HTTP/2.
func (t *TLS) config(source certificateSource) *tls.Config {
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: source.GetCertificate,
	}
	if t.ACME != nil {
		c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	}
	return c
}

// certificateSource is where certificates come from: files, or ACME.
type certificateSource interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// watch keeps certificates new until ctx ends.
	watch(ctx context.Context)
}

// speakTLS returns how TLS is spoken, nil if it is not.
func (s *Server) speakTLS() (*tls.Config, error) {
	t := s.config.TLS
	switch {
	case t == nil:
		return nil, nil
	case t.ACME != nil:
		s.certs = newObtained(t.ACME, s.log)
	default:
		pair, err := newKeyPair(t.CertFile, t.KeyFile, s.log)
		if err != nil {
			return nil, err
		}
		s.certs = pair
	}
	return t.config(s.certs), nil
}

// ReloadCertificate looks at once whether the files of the certificate have changed.
func (s *Server) ReloadCertificate() {
	if pair, ok := s.certs.(*keyPair); ok {
		pair.reload()
	}
}

// CertificateExpires is when the certificate from files expires; zero without one.
func (s *Server) CertificateExpires() time.Time {
	if pair, ok := s.certs.(*keyPair); ok {
		return pair.now.Load().Leaf.NotAfter
	}
	return time.Time{}
}

// keyPair is a certificate in two files.
type keyPair struct {
	certFile, keyFile string // static
	log               *slog.Logger

	now atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // guards the following fields
	loaded []byte     // both files, as they are in force
	failed string     // what was last said of files that are not
}

// newKeyPair fails unless the files are there, fit together and have not expired.
func newKeyPair(certFile, keyFile string, log *slog.Logger) (*keyPair, error) {
	k := &keyPair{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := k.load(); err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return k, nil
}

// load reads the files and puts them in force if they are new. Files that are no certificate leave
// the former one in force.
func (k *keyPair) load() (changed bool, err error) {
	cert, err := os.ReadFile(k.certFile)
	if err != nil {
		return false, err
	}
	key, err := os.ReadFile(k.keyFile)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	both := append(cert[:len(cert):len(cert)], key...)
	if bytes.Equal(both, k.loaded) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("%s and %s: %w", k.certFile, k.keyFile, err) // tells nothing of the key
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return false, fmt.Errorf("%s: expired on %s", k.certFile, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	k.loaded = both
	k.now.Store(&pair)
	return true, nil
}

// reload is load for files that may be in the middle of a change: it says once what is wrong.
func (k *keyPair) reload() {
	changed, err := k.load()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil && err.Error() != k.failed:
		k.failed = err.Error()
		k.log.Error("certificate not reloaded, the former one stays in force", "error", err, "expires", k.now.Load().Leaf.NotAfter)
	case err == nil:
		k.failed = ""
	}
	if changed {
		k.log.Info("certificate reloaded", "expires", k.now.Load().Leaf.NotAfter)
	}
}

// watchInterval is how often the files of a certificate are looked at. File systems that tell of
// changes do so differently for each way of changing a file; two small reads do not.
const watchInterval = 10 * time.Second

func (k *keyPair) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.reload()
		}
	}
}

// GetCertificate implements certificateSource.
func (k *keyPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return k.now.Load(), nil
}

// notTLS answers who speaks HTTP to a port of TLS.
const notTLS = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthis port speaks HTTPS\n"

// shake performs the TLS handshake, on the first Read. asked is the time that net/http then has
// for the request.
func (c *conn) shake() error {
	c.Conn.SetDeadline(time.Now().Add(handshakeTimeout))
	err := c.secure.Handshake()
	c.shaken = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn.SetWriteDeadline(time.Time{})
	if !c.asked.IsZero() {
		c.asked = time.Now().Add(c.place.listener.headerTimeout)
	}
	c.Conn.SetReadDeadline(c.asked)

	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case err == nil && c.secure.ConnectionState().NegotiatedProtocol == acme.ALPNProto:
		return io.EOF // the certificate was all that was asked for
	case err == nil:
		return nil
	case errors.As(err, &timeout) && timeout.Timeout():
		c.place.listener.refused("tls", handshakeSlow)
	case errors.As(err, &record) && record.Conn != nil:
		c.place.listener.refused("tls", handshakeNotTLS)
		record.Conn.SetWriteDeadline(time.Now().Add(time.Second)) // never reached: the buffer is empty
		io.WriteString(record.Conn, notTLS)
	case errors.Is(err, io.EOF): // a port scan, or a balancer that looks whether the edge is there
	default:
		c.place.listener.refused("tls", handshakeFailed)
	}
	return &net.OpError{Op: "read", Net: "tls", Err: err} // to which net/http says nothing
}
