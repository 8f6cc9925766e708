package main

import (
	"log/slog"
	"strings"

	"github.com/sio-edge/sio-edge/internal/control/access"
)

// access checks the keys that say who may command the edge: what is unsafe is a fault.
func (l *loader) access(s settings) {
	if l.faulty["control-listen"] {
		return
	}
	before := len(l.faults)
	off := !local(s.ControlListen)
	secure := s.ControlTlsCertFile != "" && s.ControlTlsKeyFile != ""
	switch {
	case (s.ControlTlsCertFile == "") != (s.ControlTlsKeyFile == ""):
		for _, key := range []string{"control-tls-cert-file", "control-tls-key-file"} {
			if l.merged.String(key) == "" {
				l.fault(key, "a file: control-tls-cert-file and control-tls-key-file belong together")
			}
		}
		return
	case s.ControlClientCaFile != "" && !secure:
		l.fault("control-client-ca-file", "only with control-tls-cert-file and control-tls-key-file (certificates are shown in a TLS handshake)")
	case bool(s.OpsTls) && !secure:
		l.fault("ops-tls", "only with control-tls-cert-file and control-tls-key-file")
	case secure && s.AccessFile == "":
		l.fault("access-file", "a file that says who may do what: encryption alone keeps nobody out")
	case off && s.AccessFile != "" && !secure:
		l.fault("control-listen", "an address on loopback, or set control-tls-cert-file and control-tls-key-file (anybody on the way could read the tokens)")
	case off && !secure && !bool(s.InsecureControl):
		l.fault("control-listen", "an address on loopback, or set control-tls-cert-file, control-tls-key-file, control-client-ca-file and access-file (whoever reaches it commands every client)")
	case bool(s.InsecureControl) && s.AccessFile != "":
		l.fault("insecure-control", "false: access-file keeps the listener safe")
	}
	if s.AccessFile == "" || len(l.faults) > before {
		return
	}
	faults := s.accessFiles().Check()
	for _, key := range []string{"access-file", "control-client-ca-file", "control-tls-cert-file", "control-tls-key-file"} {
		if err := faults[l.merged.String(key)]; err != nil {
			l.fault(key, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
}

func (s settings) accessFiles() access.Files {
	return access.Files{Cert: string(s.ControlTlsCertFile), Key: string(s.ControlTlsKeyFile), CA: string(s.ControlClientCaFile), Access: string(s.AccessFile), AnyMode: bool(s.InsecureFileModes)}
}

// newGuard returns who decides about callers; nil if everybody may do everything.
func newGuard(s settings, log, audit *slog.Logger, refused func(layer, reason string)) (*access.Guard, error) {
	if s.AccessFile == "" {
		return nil, nil
	}
	return access.NewGuard(access.Config{Files: s.accessFiles(), Log: log, Audit: audit, Refused: refused})
}
