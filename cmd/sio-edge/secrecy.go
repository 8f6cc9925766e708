package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// secure says whether clients speak TLS with the edge itself.
func (s settings) secure() bool { return s.TlsCertFile != "" || len(s.AcmeDomains) > 0 }

// acmeCache is where certificates that were obtained are kept.
func (s settings) acmeCache() string {
	if s.AcmeCacheDir != "" {
		return string(s.AcmeCacheDir)
	}
	return filepath.Join(string(s.DataDir), "acme")
}

// secrecy checks what clients and the edge have to know of each other, or keep for themselves.
func (l *loader) secrecy(s settings) {
	switch files, names := s.TlsCertFile != "" || s.TlsKeyFile != "", len(s.AcmeDomains) > 0; {
	case files && names:
		l.fault("acme-domains", "nothing beside tls-cert-file (the certificate comes from one of them)")
	case s.TlsCertFile == "" && files:
		l.fault("tls-cert-file", "a file, as there is a tls-key-file")
	case s.TlsKeyFile == "" && files:
		l.fault("tls-key-file", "a file, as there is a tls-cert-file")
	case files:
		if _, err := tls.LoadX509KeyPair(string(s.TlsCertFile), string(s.TlsKeyFile)); err != nil {
			l.fault("tls-cert-file", "a certificate that fits tls-key-file ("+err.Error()+")")
		}
		l.private("tls-key-file", s.TlsKeyFile, s)
	case names && s.AcmeCacheDir == "" && s.DataDir == "":
		l.fault("acme-cache-dir", "a directory, as there is no data-dir (the authority limits how often it can be asked anew)")
	case names:
		for _, d := range s.AcmeDomains {
			if !strings.Contains(d, ".") || strings.ContainsAny(d, "*:/ ") {
				l.fault("acme-domains", "full names without wildcards, such as edge.example.com")
			}
		}
		if u, err := url.Parse(string(s.AcmeDirectory)); err != nil || u.Scheme != "https" || u.Host == "" {
			l.fault("acme-directory", "an https address")
		}
	}
}

// warnInterval is how often an edge says that a check is off: often enough to be met by whoever
// looks at its log, for whatever reason.
const warnInterval = 10 * time.Minute

// warn tells of insecure options until ctx ends.
func (l *live) warn(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(warnInterval)
	defer tick.Stop()
	for {
		for _, option := range l.now.Load().insecure() {
			log.Warn("an option makes this edge less secure", "option", option)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// proxies checks who may speak for clients.
func (l *loader) proxies(s settings) {
	for _, p := range s.TrustedProxies {
		if _, err := network(p); err != nil {
			l.fault("trusted-proxies", "addresses or networks, such as 10.0.0.0/8")
		}
	}
	if bool(s.ProxyProtocol) && len(s.TrustedProxies) == 0 {
		l.fault("proxy-protocol", "trusted-proxies beside it (who else may say where a client comes from?)")
	}
}

// private checks that others on this machine cannot read a file that holds a secret.
func (l *loader) private(key string, file text, s settings) {
	info, err := os.Stat(string(file))
	if err != nil || bool(s.InsecureFileModes) || runtime.GOOS == "windows" {
		return
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		l.fault(key, fmt.Sprintf("a file that others cannot read, and its mode is %04o: chmod o= it (in Kubernetes, defaultMode: 0440), or set insecure-file-modes", mode))
	}
}
