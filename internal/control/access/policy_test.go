package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

const somebody = "callers: {a: {tokens: ['sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" + "'], roles: ['backend:/']}}"

// Whatever is wrong with the file is said, all at once, and a token in the wrong place is not
// repeated.
func TestFaultyAccessFiles(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"good":        {somebody, nil},
		"empty":       {"", []string{"callers: nobody is named"}},
		"no yaml":     {"callers: {", []string{"line 1"}},
		"unknown key": {somebody + "\ncaller: {}", []string{"field caller not found"}},
		"twice":       {"callers:\n  a: {}\n  a: {}\n", []string{"already defined"}},
		"no roles":    {"callers: {a: {certificates: [a]}}", []string{"a: no roles"}},
		"nobody":      {"callers: {a: {roles: [admin]}}", []string{"a: no certificates, tokens or subjects"}},
		"roles": {"callers: {a: {certificates: [a], roles: [root, backend, 'backend:', 'backend:chat', 'backend:/a,/b', 'admin:/']}}",
			[]string{`role "root"`, `role "backend": needs`, `role "backend:": needs`, `role "backend:chat": needs`, `role "backend:/a,/b": needs`, `role "admin:/": admin is for the whole edge`}},
		"names":      {"callers: {'a b': {certificates: [a], roles: [admin]}, b: {certificates: ['*.example', ''], roles: [admin]}}", []string{`"a b"`, "b: certificates[0]", "b: certificates[1]"}},
		"plain":      {"callers: {a: {tokens: [hunter2-canary], roles: [admin]}}", []string{"a: tokens[0]: sha256:"}},
		"short hash": {"callers: {a: {tokens: ['sha256:00'], roles: [admin]}}", []string{"a: tokens[0]"}},
		"shared":     {"callers: {a: {certificates: [x], roles: [admin]}, b: {certificates: [x], roles: [admin]}}", []string{"a and b have the same credential"}},
		"no jwt":     {"callers: {a: {subjects: [x], roles: [admin]}}", []string{"there is no jwt"}},
		"empty jwt":  {somebody + "\njwt: {}", []string{"jwt: no issuer", "no audience", "no key"}},
		"no key":     {somebody + "\njwt: {issuer: i, audience: a, keys: [missing.pem]}", []string{"keys: missing.pem: no such file"}},
		"revoked":    {somebody + "\nrevoked: [xyz, '']", []string{`revoked: "xyz"`, `revoked: ""`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "access.yaml", c.text, 0o600)
			err := Files{Access: path}.Check()[path]
			if (err == nil) != (c.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("it shows a token: %v", err)
			}
		})
	}
}

// Files that others may write, and keys that others may read, are refused.
func TestModesOfFiles(t *testing.T) {
	dir := t.TempDir()
	open := write(t, dir, "open.yaml", somebody, 0o666)
	if err := (Files{Access: open}).Check()[open]; err == nil || !strings.Contains(err.Error(), "chmod o-w open.yaml") {
		t.Errorf("a file that everybody may write: %v", err)
	}
	if err := (Files{Access: dir}).Check()[dir]; err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a directory: %v", err)
	}
	key := write(t, dir, "edge.key", "", 0o644)
	f := Files{Access: write(t, dir, "access.yaml", somebody, 0o644), Cert: write(t, dir, "edge.crt", "", 0o644), Key: key}
	if err := f.Check()[key]; err == nil || !strings.Contains(err.Error(), "chmod o-rwx edge.key") {
		t.Errorf("a key that everybody may read: %v", err)
	}
	write(t, dir, "edge.key", "", 0o640)
	if err := f.Check()[key]; err != nil {
		t.Errorf("a key that a group may read: %v", err)
	}
}

// A JWT is good if its key, its algorithm and all its claims are.
func TestJWTs(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	curve, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	_, other, _ := ed25519.GenerateKey(rand.Reader)
	file := func(keys ...any) string {
		var text string
		for _, k := range keys {
			der, err := x509.MarshalPKIXPublicKey(k)
			if err != nil {
				t.Fatal(err)
			}
			text += string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
		return write(t, t.TempDir(), "keys.pem", text, 0o600)
	}
	if _, err := newJWTs("i", "a", []string{file(&short.PublicKey)}); err == nil {
		t.Error("a short RSA key is taken")
	}
	keys := file(public, &curve.PublicKey)
	v, err := newJWTs("issuer", "audience", []string{keys})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "issuer", "aud": "audience", "sub": "me", "exp": now.Add(time.Hour).Unix()}
		change(c)
		return c
	}
	none := func(jwt.MapClaims) {}
	pemKeys, _ := os.ReadFile(keys)
	for _, c := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		claims jwt.MapClaims
		good   bool
	}{
		{"EdDSA", jwt.SigningMethodEdDSA, private, claims(none), true},
		{"ES256", jwt.SigningMethodES256, curve, claims(none), true},
		{"none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(none), false},
		{"HS256 with the public key", jwt.SigningMethodHS256, []byte(pemKeys), claims(none), false},
		{"HS256 with the raw public key", jwt.SigningMethodHS256, []byte(public), claims(none), false},
		{"another key", jwt.SigningMethodEdDSA, other, claims(none), false},
		{"no exp", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { delete(c, "exp") }), false},
		{"expired", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(-2 * time.Minute).Unix() }), false},
		{"expired within the leeway", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(-30 * time.Second).Unix() }), true},
		{"too long", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(25 * time.Hour).Unix() }), false},
		{"not yet", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["nbf"] = now.Add(time.Hour).Unix() }), false},
		{"another issuer", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { c["iss"] = "x" }), false},
		{"no audience", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { delete(c, "aud") }), false},
		{"no subject", jwt.SigningMethodEdDSA, private, claims(func(c jwt.MapClaims) { delete(c, "sub") }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := jwt.NewWithClaims(c.method, c.claims).SignedString(c.key)
			if err != nil {
				t.Fatal(err)
			}
			p := &policy{jwt: v, subjects: map[string]*Grant{"me": {Name: "me"}}}
			for range 2 { // the second is remembered
				if grant, _ := p.bearer(text, now); (grant != nil) != c.good {
					t.Fatalf("%v, want %v", grant, c.good)
				}
			}
			if grant, _ := p.bearer(text, now.Add(48*time.Hour)); grant != nil {
				t.Error("good after two days")
			}
			if grant, _ := p.bearer(strings.Repeat(".", maxToken)+text, now); grant != nil {
				t.Error("good with dots")
			}
		})
	}
	if len(v.known) > maxJWTs {
		t.Error("too many are remembered")
	}
}
