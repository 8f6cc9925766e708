package token

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// authority serves a JWK set, as long as it is told to.
type authority struct {
	*httptest.Server
	asked atomic.Int64
	body  atomic.Pointer[string]
}

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if b := a.body.Load(); b != nil {
			w.Write([]byte(*b))
			return
		}
		http.Error(w, "away", http.StatusServiceUnavailable)
	}))
	t.Cleanup(a.Close)
	return a
}

// publish serves alice's EC key under a kid, among keys that are of no use.
func (a *authority) publish(t *testing.T, kid, alg string) {
	jwk, err := jwkset.NewJWKFromKey(alice().ec.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: jwkset.ALG(alg)}})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(jwk.Marshal())
	body := `{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"quantum"},` + string(b) + `]}`
	a.body.Store(&body)
}

// run runs a Verifier of the authority's keys until the test ends.
func (a *authority) run(t *testing.T) *Verifier {
	cfg := config(t)
	cfg.KeyFiles, cfg.JWKS = nil, []string{a.URL}
	v := newVerifier(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); v.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	for deadline := time.Now().Add(10 * time.Second); v.remotes[0].attempt().IsZero(); {
		if time.Now().After(deadline) {
			t.Fatal("Run does not begin")
		}
		time.Sleep(time.Millisecond) // it tells nobody that it has begun
	}
	return v
}

func (r *remote) attempt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started
}

// back makes the last fetch, and the keys, older.
func (r *remote) back(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = r.started.Add(-d)
	if s := r.set.Load(); s != nil {
		r.set.Store(&fetched{s.keys, s.at.Add(-d)})
	}
}

func TestJWKS(t *testing.T) {
	a := newAuthority(t)
	a.publish(t, "k1", "ES256")
	v := a.run(t)
	k1 := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), map[string]any{"kid": "k1"})
	k2 := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), map[string]any{"kid": "k2"})
	none := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), nil)
	for name, raw := range map[string]string{"with kid": k1, "without": none} {
		if got := v.reason(t, raw); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}

	// N3: any number of unknown kids cost one request in 30 s.
	var all sync.WaitGroup
	for n := range 1000 {
		all.Go(func() {
			raw := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), map[string]any{"kid": fmt.Sprint("made up ", n)})
			if got := v.reason(t, raw); got != UnknownKey {
				t.Errorf("made up: %q", got)
			}
		})
	}
	all.Wait()
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}

	// A key that is new is found once that is over, by everyone who waits for it.
	a.publish(t, "k2", "")
	v.remotes[0].back(retryInterval)
	for range 100 {
		all.Go(func() {
			if got := v.reason(t, k2); got != "" {
				t.Errorf("k2: %q", got)
			}
		})
	}
	all.Wait()
	if n := a.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if got := v.reason(t, k1); got != UnknownKey {
		t.Errorf("a key that was taken back: %q", got)
	}

	// While nobody answers the last good set counts, for a day.
	a.body.Store(nil)
	v.remotes[0].back(keepFor - time.Minute)
	if got := v.reason(t, k2); got != "" {
		t.Errorf("after 23 h 59: %q", got)
	}
	v.remotes[0].back(time.Minute)
	if got := v.reason(t, k2); got != Unavailable {
		t.Errorf("after a day: %q", got)
	}
}

func TestJWKSOfAnotherAlgorithm(t *testing.T) {
	a := newAuthority(t)
	a.publish(t, "k1", "ES384")
	v := a.run(t)
	if got := v.reason(t, sign(t, jwt.SigningMethodES256, alice().ec, good(nil), map[string]any{"kid": "k1"})); got != UnknownKey {
		t.Errorf("%q", got)
	}
}

func TestJWKSThatCannotBeHad(t *testing.T) {
	raw := sign(t, jwt.SigningMethodES256, alice().ec, good(nil), map[string]any{"kid": "k1"})
	elsewhere := newAuthority(t)
	elsewhere.publish(t, "k1", "")
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"too much": func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`{"keys":[],"x":"` + strings.Repeat("x", maxSet) + `"}`))
		},
		"no JSON":  func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>")) },
		"no keys":  func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"keys":[]}`)) },
		"an error": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
	} {
		a := &authority{Server: httptest.NewServer(answer)}
		t.Cleanup(a.Close)
		if got := a.run(t).reason(t, raw); got != Unavailable {
			t.Errorf("%s: %q", name, got)
		}
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}
