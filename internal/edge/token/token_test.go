package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer signs tokens, as somebody whom the verifiers of these tests trust.
type issuer struct {
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	ed     ed25519.PrivateKey
	secret []byte
}

var alice = sync.OnceValue(func() *issuer {
	i := &issuer{secret: []byte(strings.Repeat("s", minSecret))}
	var errs [3]error
	i.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	i.ec, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, i.ed, errs[2] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return i
})

// good are claims that are accepted; each test changes some.
func good(change map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": "https://id.example", "aud": "edge", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"role": "admin", "tenant": 7, "scopes": []string{"a", "b"}, "email": "not asked for"}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	maps.Copy(tok.Header, header)
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publicPEM(t testing.TB, k crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func file(t testing.TB, b []byte) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(f, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func config(t testing.TB) Config {
	i := alice()
	return Config{Issuer: "https://id.example", Audiences: []string{"edge", "other"}, Claims: []string{"role", "tenant", "scopes", "absent"},
		KeyFiles: []string{file(t, append(publicPEM(t, i.rsa.Public()), publicPEM(t, i.ec.Public())...)), file(t, publicPEM(t, i.ed.Public()))}}
}

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// reason is why a token is refused, empty if it is not.
func (v *Verifier) reason(t testing.TB, raw string) string {
	t.Helper()
	_, err := v.Verify(t.Context(), raw)
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is no Error", err)
	}
	if e == nil {
		return ""
	}
	return e.Reason
}

func TestIdentity(t *testing.T) {
	v, i := newVerifier(t, config(t)), alice()
	for name, raw := range map[string]string{
		"RS256": sign(t, jwt.SigningMethodRS256, i.rsa, good(nil), nil),
		"ES256": sign(t, jwt.SigningMethodES256, i.ec, good(nil), map[string]any{"kid": "of a file without one"}),
		"EdDSA": sign(t, jwt.SigningMethodEdDSA, i.ed, good(map[string]any{"aud": []string{"x", "other"}}), nil),
	} {
		id, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		left := time.Until(id.Expires) - time.Hour - time.Minute
		if id.Subject != "alice" || left > time.Second || left < -5*time.Second ||
			!maps.Equal(id.Claims, map[string]string{"role": "admin", "tenant": "7", "scopes": `["a","b"]`}) {
			t.Errorf("%s: %+v", name, id)
		}
	}
}

func TestN3_TokensThatProveNothing(t *testing.T) {
	i := alice()
	cfg := config(t)
	asked := make(chan string, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer web.Close()
	v := newVerifier(t, cfg)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	part := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
	unsigned := part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(good(nil)) + "."
	es := func(change, header map[string]any) string {
		return sign(t, jwt.SigningMethodES256, i.ec, good(change), header)
	}
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	signed := es(nil, nil)
	for _, tt := range []struct{ name, raw, want string }{
		{"none", unsigned, Algorithm},
		{"None", strings.Replace(unsigned, part(map[string]any{"alg": "none", "typ": "JWT"}), part(map[string]any{"alg": "None"}), 1), Algorithm},
		{"nothing", "", Missing},
		{"HS256 with the RSA key", sign(t, jwt.SigningMethodHS256, publicPEM(t, i.rsa.Public()), good(nil), nil), Algorithm},
		{"an algorithm that is not listed", sign(t, jwt.SigningMethodRS512, i.rsa, good(nil), nil), Algorithm},
		{"another's key", sign(t, jwt.SigningMethodES256, other, good(nil), nil), Signature},
		{"no signature", signed[:strings.LastIndexByte(signed, '.')+1], Signature},
		{"changed", strings.Replace(signed, ".", ".A", 1), Malformed},
		{"claims of another token", strings.Join([]string{strings.Split(signed, ".")[0], part(good(map[string]any{"sub": "root"})), strings.Split(signed, ".")[2]}, "."), Signature},
		{"another audience", es(map[string]any{"aud": "shop"}, nil), Claims},
		{"no audience", es(map[string]any{"aud": nil}, nil), Claims},
		{"another issuer", es(map[string]any{"iss": "https://id.example.evil"}, nil), Claims},
		{"no issuer", es(map[string]any{"iss": nil}, nil), Claims},
		{"no exp", es(map[string]any{"exp": nil}, nil), Claims},
		{"exp in ten years", es(map[string]any{"exp": ago(-10 * 365 * 24 * time.Hour)}, nil), Claims},
		{"exp as text", es(map[string]any{"exp": "tomorrow"}, nil), Claims},
		{"expired", es(map[string]any{"exp": ago(2 * time.Minute)}, nil), Expired},
		{"not yet", es(map[string]any{"nbf": ago(-2 * time.Minute)}, nil), Claims},
		{"from the future", es(map[string]any{"iat": ago(-2 * time.Minute)}, nil), Claims},
		{"no subject", es(map[string]any{"sub": nil}, nil), Claims},
		{"empty subject", es(map[string]any{"sub": ""}, nil), Claims},
		{"a subject that is no text", es(map[string]any{"sub": 7}, nil), Claims},
		{"control characters", es(map[string]any{"sub": "a\nb"}, nil), Claims},
		{"long subject", es(map[string]any{"sub": strings.Repeat("x", 257)}, nil), Claims},
		{"long claim", es(map[string]any{"role": strings.Repeat("x", 1025)}, nil), Claims},
		{"critical extension", es(nil, map[string]any{"crit": []string{"exp"}}), Malformed},
		{"kid that is no text", es(nil, map[string]any{"kid": 7}), Malformed},
		{"kid without end", es(nil, map[string]any{"kid": strings.Repeat("x", 300)}), Malformed},
		{"100 KB of dots", strings.Repeat(".", 100_000), Malformed},
		{"8 KB of dots", strings.Repeat(".", 8_000), Malformed},
		{"too long", signed + strings.Repeat("x", maxToken), Malformed},
		{"encrypted", "a.b.c.d.e", Malformed},
		{"not base64", "a.b.c", Malformed},
	} {
		if got := v.reason(t, tt.raw); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := v.reason(t, es(map[string]any{"exp": json.Number("1e300")}, nil)); got == "" { // what overflows depends on the machine
		t.Error("exp without end is accepted")
	}
	// What a header names is not looked at: not as a file, and not as an address.
	for name, header := range map[string]map[string]any{
		"path traversal": {"kid": "../../../../dev/null"},
		"jku":            {"jku": web.URL + "/jku"},
		"x5u":            {"x5u": web.URL + "/x5u"},
		"jwk":            {"jwk": map[string]any{"kty": "oct", "k": "AAAA"}},
	} {
		raw := sign(t, jwt.SigningMethodES256, other, good(nil), header)
		if got := v.reason(t, raw); got != Signature {
			t.Errorf("%s: %q", name, got)
		}
	}
	if len(asked) > 0 {
		t.Errorf("%s was asked", <-asked)
	}
	for name, raw := range map[string]string{"just expired": es(map[string]any{"exp": ago(30 * time.Second)}, nil), "a day": es(map[string]any{"exp": ago(-24 * time.Hour)}, nil)} {
		if got := v.reason(t, raw); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSharedSecret(t *testing.T) {
	cfg := config(t)
	cfg.Algorithms = []string{"HS256", "ES256"}
	cfg.SecretFiles = []string{file(t, append(alice().secret, '\n'))}
	v := newVerifier(t, cfg)
	if got := v.reason(t, sign(t, jwt.SigningMethodHS256, alice().secret, good(nil), nil)); got != "" {
		t.Errorf("the secret: %q", got)
	}
	if got := v.reason(t, sign(t, jwt.SigningMethodHS256, publicPEM(t, alice().ec.Public()), good(nil), nil)); got != Signature {
		t.Errorf("N3 a public key as secret: %q", got)
	}
	for _, k := range *v.files.Load() {
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			if shown := fmt.Sprintf(form, k.shared); strings.Contains(shown, "sss") || strings.Contains(shown, "115") {
				t.Errorf(form+" shows the secret: %s", form, shown)
			}
		}
	}
}

func TestUnsafeConfig(t *testing.T) {
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	private, _ := x509.MarshalPKCS8PrivateKey(alice().ec)
	for name, change := range map[string]func(*Config){
		"no issuer":              func(c *Config) { c.Issuer = "" },
		"no audience":            func(c *Config) { c.Audiences = nil },
		"no keys":                func(c *Config) { c.KeyFiles = nil },
		"none":                   func(c *Config) { c.Algorithms = []string{"none"} },
		"HS256 without a secret": func(c *Config) { c.Algorithms = []string{"HS256"} },
		"a secret without HS256": func(c *Config) { c.SecretFiles = []string{file(t, alice().secret)} },
		"a short secret": func(c *Config) {
			c.Algorithms, c.SecretFiles = []string{"HS256"}, []string{file(t, alice().secret[1:])}
		},
		"keys over http":       func(c *Config) { c.JWKS = []string{"http://id.example/jwks"} },
		"http to a look-alike": func(c *Config) { c.JWKS = []string{"http://localhost.evil.example/jwks"} },
		"keys with a password": func(c *Config) { c.JWKS = []string{"https://a:b@id.example/jwks"} },
		"a private key": func(c *Config) {
			c.KeyFiles = []string{file(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
		},
		"RSA of 1024 bits":      func(c *Config) { c.KeyFiles = []string{file(t, publicPEM(t, weak.Public()))} },
		"no such file":          func(c *Config) { c.KeyFiles = []string{"/nonexistent"} },
		"a file that is no key": func(c *Config) { c.KeyFiles = []string{file(t, []byte("hello"))} },
		"a set of shared secrets": func(c *Config) {
			c.KeyFiles = []string{file(t, []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}`))}
		},
	} {
		cfg := config(t)
		change(&cfg)
		if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestReload(t *testing.T) {
	cfg := config(t)
	cfg.KeyFiles = cfg.KeyFiles[1:] // EdDSA
	v := newVerifier(t, cfg)
	raw := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), nil)
	if got := v.reason(t, raw); got != UnknownKey {
		t.Errorf("before: %q", got)
	}
	os.WriteFile(cfg.KeyFiles[0], append(publicPEM(t, alice().ed.Public()), publicPEM(t, alice().ec.Public())...), 0o600)
	if err := v.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := v.reason(t, raw); got != "" {
		t.Errorf("after: %q", got)
	}
	os.WriteFile(cfg.KeyFiles[0], []byte("half"), 0o600)
	if err := v.Reload(); err == nil || v.reason(t, raw) != "" {
		t.Errorf("a broken file: %v", err)
	}
}

// A Verify that waits for an address ends with its context.
func TestVerifyEndsWithItsContext(t *testing.T) {
	hold := make(chan struct{})
	a := &authority{Server: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))}
	t.Cleanup(a.Close)
	t.Cleanup(func() { close(hold) })
	v := a.run(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e *Error
	if _, err := v.Verify(ctx, sign(t, jwt.SigningMethodES256, alice().ec, good(nil), nil)); !errors.As(err, &e) || e.Reason != Unavailable {
		t.Errorf("%v", err)
	}
}

func TestN4_SourcesOfTokens(t *testing.T) {
	for _, tt := range []struct {
		name          string
		s             Sources
		header, query string
		want          string
		left, kept    string // of the query and the header
	}{
		{"none asked for", Sources{}, "Bearer h", "EIO=4&token=q", "", "EIO=4&token=q", "Bearer h"},
		{"header", Sources{Header: true}, "bearer  h", "EIO=4&token=q", "h", "EIO=4&token=q", ""},
		{"another scheme", Sources{Header: true}, "Basic h", "", "", "", "Basic h"},
		{"query", Sources{Query: "token"}, "Bearer h", "EIO=4&token=q%2E1&x=1", "q.1", "EIO=4&token=***&x=1", "Bearer h"},
		{"escaped name", Sources{Query: "token"}, "", "t%6Fken=q", "q", "t%6Fken=***", ""},
		{"twice", Sources{Query: "token"}, "", "token=a&token=b", "", "token=***&token=***", ""},
		{"other case", Sources{Query: "token"}, "", "Token=q", "", "Token=q", ""},
		{"both", Sources{Header: true, Query: "token"}, "Bearer h", "token=q", "h", "token=***", ""},
		{"kept", Sources{Header: true, Query: "token", Keep: true}, "Bearer h", "token=q", "h", "token=q", "Bearer h"},
	} {
		r := httptest.NewRequest("GET", "/socket.io/?"+tt.query, nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		if got := tt.s.Take(r); got != tt.want || r.URL.RawQuery != tt.left || r.Header.Get("Authorization") != tt.kept {
			t.Errorf("%s: %q, leaves %q and %q", tt.name, got, r.URL.RawQuery, r.Header.Get("Authorization"))
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	v, i := newVerifier(b, config(b)), alice()
	for name, raw := range map[string]string{
		"RS256": sign(b, jwt.SigningMethodRS256, i.rsa, good(nil), nil),
		"ES256": sign(b, jwt.SigningMethodES256, i.ec, good(nil), nil),
		"EdDSA": sign(b, jwt.SigningMethodEdDSA, i.ed, good(nil), nil),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
