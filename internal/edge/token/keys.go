package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/MicahParks/jwkset"
)

// minSecret and minRSA are the least that a key must have, in bytes and in bits.
const (
	minSecret = 32
	minRSA    = 2048
)

// secret is a shared one. Whatever prints it prints nothing of it.
type secret []byte

const redacted = "***"

func (secret) String() string               { return redacted }
func (secret) GoString() string             { return redacted }
func (secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// key is one key that may sign tokens.
type key struct {
	kid, alg string // what its owner says of it; may be empty
	public   crypto.PublicKey
	shared   secret // instead of public
}

type keys []key

// find returns the keys that may have made a signature with alg, for the parser: those with this
// kid, those without one, and any if the token has none. What a key is decides which algorithms
// it is for: a public key is never taken for a secret.
func (ks keys) find(kid, alg string) (found []crypto.PublicKey) {
	for _, k := range ks {
		if k.alg != "" && k.alg != alg || kid != "" && k.kid != "" && k.kid != kid || !k.fits(alg) {
			continue
		}
		if k.shared != nil {
			found = append(found, []byte(k.shared))
		} else {
			found = append(found, k.public)
		}
	}
	return found
}

// fits reports whether alg can be used with a key of this type (RFC 7518, 3.1).
func (k key) fits(alg string) bool {
	switch public := k.public.(type) {
	case nil:
		return strings.HasPrefix(alg, "HS")
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

func readKeys(files, secrets []string) (all keys, err error) {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		var more keys
		if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
			more, err = parseSet(b)
		} else {
			more, err = parsePEM(b)
		}
		if err != nil {
			return nil, fmt.Errorf("read key %s: %w", file, err)
		}
		all = append(all, more...)
	}
	for _, file := range secrets {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read secret: %w", err)
		}
		b = bytes.TrimRight(b, "\r\n")
		if len(b) < minSecret {
			return nil, fmt.Errorf("read secret %s: %d bytes, at least %d are needed", file, len(b), minSecret)
		}
		all = append(all, key{shared: b})
	}
	return all, nil
}

// parsePEM reads public keys and certificates. A private key does not belong on an edge.
func parsePEM(b []byte) (all keys, err error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		var public any
		switch block.Type {
		case "PUBLIC KEY":
			public, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			public, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				public = cert.PublicKey
			}
		default:
			err = fmt.Errorf("a %s is not a public key", block.Type)
		}
		if err == nil {
			err = strong(public)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, key{public: public})
	}
	if len(all) == 0 {
		return nil, errors.New("neither PEM nor a JWK set")
	}
	return all, nil
}

// parseSet reads a JWK set (RFC 7517). Keys that are not for signatures, secrets, and kinds that
// are not known are left out, as the RFC asks for.
func parseSet(b []byte) (all keys, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil || set.Keys == nil {
		return nil, errors.New("not a JWK set")
	}
	for _, raw := range set.Keys {
		jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		m := jwk.Marshal()
		public := jwk.Key()
		if m.USE != "" && m.USE != jwkset.UseSig || strong(public) != nil {
			continue
		}
		all = append(all, key{kid: m.KID, alg: m.ALG.String(), public: public})
	}
	if len(all) == 0 {
		return nil, errors.New("no key for signatures in the JWK set")
	}
	return all, nil
}

func strong(public crypto.PublicKey) error {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if p.Size()*8 < minRSA {
			return fmt.Errorf("an RSA key of %d bits, at least %d are needed", p.Size()*8, minRSA)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return errors.New("a key of a kind that signs no tokens")
	}
	return nil
}
