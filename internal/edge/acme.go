package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME obtains certificates from an authority, which connects to the edge on port 443 to see whose
// names they are for (TLS-ALPN-01), and renews them 30 days before they expire.
type ACME struct {
	// Domains are the names that certificates are asked for. Handshakes for any other fail.
	Domains []string
	// CacheDir keeps the account's key and the certificates, with mode 0600.
	CacheDir string
	// Email is where the authority writes to. May be empty.
	Email string
	// Directory is the authority's URL. Default Let's Encrypt.
	Directory string

	roots *x509.CertPool // who vouches for the authority itself; nil: those of the system
}

// obtained is the certificates that ACME obtains. It is a certificateSource.
type obtained struct {
	*autocert.Manager
	domains []string
	log     *slog.Logger
	ended   context.Context // ends what is under way
	end     func()
}

func newObtained(a *ACME, log *slog.Logger) *obtained {
	directory := a.Directory
	if directory == "" {
		directory = autocert.DefaultACMEDirectory
	}
	o := &obtained{domains: a.Domains, log: log}
	o.ended, o.end = context.WithCancel(context.Background())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: a.roots}
	// autocert asks with contexts of its own, that nobody can end.
	dialer := new(net.Dialer)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err == nil {
			context.AfterFunc(o.ended, func() { c.Close() })
		}
		return c, err
	}
	o.Manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS, // whoever sets the domains accepts them
		Cache:      autocert.DirCache(a.CacheDir),
		HostPolicy: autocert.HostWhitelist(a.Domains...),
		Email:      a.Email,
		Client:     &acme.Client{DirectoryURL: directory, UserAgent: "sio-edge", HTTPClient: &http.Client{Transport: transport}},
	}
	return o
}

// tryInterval is how often it is looked whether every name has a certificate. One that is there
// costs nothing; one that failed is tried by handshakes as well.
const tryInterval = time.Hour

// watch obtains the certificates that are missing, so that no client waits for the first and a
// fault is known at once.
func (o *obtained) watch(ctx context.Context) {
	defer o.end()
	defer context.AfterFunc(ctx, o.end)()
	tick := time.NewTicker(tryInterval)
	defer tick.Stop()
	for {
		for _, d := range o.domains {
			// What makes autocert choose ECDSA, as it does for every client of these years.
			hello := &tls.ClientHelloInfo{ServerName: d, SupportedCurves: []tls.CurveID{tls.CurveP256},
				SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
				CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
			if _, err := o.GetCertificate(hello); err != nil && ctx.Err() == nil {
				o.log.Error("no certificate: clients of this name cannot connect", "name", d, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
