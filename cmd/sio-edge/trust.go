package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// trust is how a subcommand and an edge know each other.
type trust struct {
	TLS       bool   `name:"tls" help:"Speak TLS, with an edge whose certificate this machine trusts. The other --tls flags mean that too."`
	TLSCa     string `name:"tls-ca" env:"SIO_EDGE_CONTROL_CA" placeholder:"FILE" help:"Who signs the certificate of the edge (PEM). Also SIO_EDGE_CONTROL_CA."`
	TLSCert   string `name:"tls-cert" env:"SIO_EDGE_CONTROL_CERT" placeholder:"FILE" help:"Our certificate (PEM). Also SIO_EDGE_CONTROL_CERT."`
	TLSKey    string `name:"tls-key" env:"SIO_EDGE_CONTROL_KEY" placeholder:"FILE" help:"Its private key (PEM). Also SIO_EDGE_CONTROL_KEY."`
	TLSName   string `name:"tls-name" env:"SIO_EDGE_CONTROL_NAME" placeholder:"NAME" help:"The name in the certificate of the edge, if it is not that of --control."`
	TokenFile string `env:"SIO_EDGE_CONTROL_TOKEN_FILE" placeholder:"FILE" help:"Our token. Also SIO_EDGE_CONTROL_TOKEN_FILE."`
}

// config is the client's side of TLS; nil: there is none.
func (t *trust) config() (*tls.Config, error) {
	if !t.TLS && t.TLSCa+t.TLSCert+t.TLSKey+t.TLSName == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.TLSName}
	if t.TLSCa != "" {
		b, err := os.ReadFile(t.TLSCa)
		if err != nil {
			return nil, usageError("--tls-ca: " + err.Error())
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, usageError("--tls-ca " + t.TLSCa + ": no certificate in it")
		}
	}
	if t.TLSCert+t.TLSKey != "" {
		pair, err := tls.LoadX509KeyPair(t.TLSCert, t.TLSKey)
		if err != nil {
			return nil, usageError("--tls-cert and --tls-key: " + err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// options is the same for a connection to an address.
func (t *trust) options(address string) ([]grpc.DialOption, error) {
	c, err := t.config()
	if err != nil {
		return nil, err
	}
	secure := insecure.NewCredentials()
	if c != nil {
		secure = credentials.NewTLS(c)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(secure)}
	if t.TokenFile == "" {
		return options, nil
	}
	if c == nil && !local(text(address)) {
		return nil, usageError("--token-file: over TLS only, or everybody on the way could read it: give --tls-ca, or --tls")
	}
	b, err := os.ReadFile(t.TokenFile)
	if err != nil {
		return nil, usageError("--token-file: " + err.Error())
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, " \n") {
		return nil, usageError("--token-file " + t.TokenFile + ": one line with a token")
	}
	return append(options, grpc.WithPerRPCCredentials(bearer{token, c != nil})), nil
}

// bearer is a credentials.PerRPCCredentials.
type bearer struct {
	token  string
	secure bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return b.secure }

// explain turns the failure of a handshake into a sentence; nil if it was none.
func (t *trust) explain(address, message string) error {
	say := func(format string, args ...any) error {
		return unreachable{fmt.Sprintf("edge at %s: ", address) + fmt.Sprintf(format, args...)}
	}
	after := func(sep string) string {
		_, rest, _ := strings.Cut(message, sep)
		return strings.Trim(rest, `" `)
	}
	var plain = !t.TLS && t.TLSCa+t.TLSCert == ""
	switch {
	case strings.Contains(message, "remote error: tls: "):
		return say("it wants another certificate of us (%s): --tls-cert and --tls-key", after("remote error: tls: "))
	case strings.Contains(message, "first record does not look like a TLS handshake"):
		return say("it speaks no TLS: leave the --tls flags out")
	case strings.Contains(message, "authentication handshake failed: "):
		return say("we do not trust its certificate (%s): --tls-ca names who signed it", after("authentication handshake failed: "))
	case plain && strings.Contains(message, "server preface"):
		return say("it hung up; perhaps it speaks TLS: --tls-ca names who signed its certificate")
	}
	return nil
}

// errNoCredential is what an edge says to who has nothing to show.
func errNoCredential(address, message string) error {
	return errors.New("edge at " + address + ": " + message + ": give --tls-cert and --tls-key, or --token-file")
}
