package token

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzToken: what was not signed proves nothing, and why is told by one of the reasons, with nothing of the
// token.
func FuzzToken(f *testing.F) {
	secret := []byte(strings.Repeat("s", minSecret))
	v, err := New(Config{Issuer: "https://id.example", Audiences: []string{"edge"}, Algorithms: []string{"HS256"}, SecretFiles: []string{file(f, secret)}}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	valid := sign(f, jwt.SigningMethodHS256, secret, good(nil), nil)
	if _, err := v.Verify(context.Background(), valid); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", ".", "..", strings.Repeat(".", 9000), valid, valid[:len(valid)-1], valid + ".", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat("a", 9000),
		sign(f, jwt.SigningMethodHS256, []byte("another"), good(nil), map[string]any{"kid": "../../etc/passwd", "jku": "http://127.0.0.1/"})} {
		f.Add(seed)
	}
	reasons := []string{Missing, Malformed, Algorithm, UnknownKey, Signature, Claims, Expired, Unavailable}
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := v.Verify(context.Background(), raw)
		if err == nil {
			if raw != valid {
				t.Errorf("%q proves %+v", raw, id)
			}
			return
		}
		e, ok := err.(*Error)
		if !ok {
			t.Fatalf("%q: %v", raw, err)
		}
		known := false
		for _, r := range reasons {
			known = known || e.Reason == r
		}
		if !known || len(raw) > 20 && strings.Contains(e.Error(), raw) {
			t.Errorf("%q: %s: %v", raw, e.Reason, e)
		}
	})
}
