// Package token verifies the JSON Web Tokens (RFC 7519) with which clients show who they are.
//
// What is accepted is decided by configuration alone: a list of algorithms, keys from files and
// from fixed addresses, one issuer, the audiences. Nothing in a token names an address that is
// asked or a file that is read: of its header only alg and kid are looked at.
package token

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds (reliability section 3.2).
const (
	maxToken   = 8 << 10 // bytes
	maxKID     = 256     // bytes
	maxSubject = 256     // bytes: what a user id of a session may have
	maxClaim   = 1 << 10 // bytes of a claim that becomes an attribute
	maxTries   = 16      // keys tried for one token
)

// Config of a Verifier. The zero value of a field means its default.
type Config struct {
	// Issuer and Audiences are what a token has to name: iss, and one of aud. Required.
	Issuer    string
	Audiences []string
	// Algorithms that are accepted. Default EdDSA, ES256, RS256. HS256, HS384 and HS512 need
	// SecretFiles and accept no other key.
	Algorithms []string
	// KeyFiles hold public keys: PEM (keys or certificates) or a JWK set.
	KeyFiles []string
	// SecretFiles hold one shared secret each, of at least 32 bytes, as they are but for a line end.
	SecretFiles []string
	// JWKS are addresses of JWK sets, https or on loopback.
	JWKS []string
	// Leeway is allowed between the clocks of issuer and edge. Default 60 s.
	Leeway time.Duration
	// MaxAge is how far away the expiry of a token may be. Default 24 h.
	MaxAge time.Duration
	// Claims are handed on beside the subject.
	Claims []string
}

// Default algorithms, and all that can be asked for.
var (
	DefaultAlgorithms = []string{"EdDSA", "ES256", "RS256"}
	Algorithms        = []string{"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "HS384", "HS512"}
)

// Identity is what a token proves.
type Identity struct {
	Subject string
	Claims  map[string]string // those of Config.Claims that are there; what is no string, as JSON
	Expires time.Time         // the leeway included
}

// Error is why a token proves nothing. Reason is one of a closed list, for counting.
type Error struct {
	Reason string
	err    error
}

// The reasons of an Error.
const (
	Missing     = "missing"     // no token was shown
	Malformed   = "malformed"   // it is no token, too long, or has a critical extension
	Algorithm   = "algorithm"   // it is not on the list, or none
	UnknownKey  = "unknown key" // nobody vouches for its key
	Signature   = "signature"
	Claims      = "claims" // issuer, audience, subject or times are not as they have to be
	Expired     = "expired"
	Unavailable = "unavailable" // the keys cannot be had for now: trying again may help
)

// Error implements error. The text holds nothing of the token.
func (e *Error) Error() string {
	if e.err == nil {
		return "token: " + e.Reason
	}
	return "token: " + e.Reason + ": " + e.err.Error()
}

func failure(reason, text string) *Error { return &Error{reason, errors.New(text)} }

// Verifier verifies tokens. All methods may be called concurrently.
type Verifier struct {
	// Static after construction.
	cfg     Config
	parser  *jwt.Parser
	remotes []*remote
	log     *slog.Logger
	turns   chan struct{} // signatures that are checked at the same time, so that the rest goes on

	files atomic.Pointer[keys]
}

// New returns a Verifier. It fails if the configuration is unsafe or a file cannot be read. Keys
// at addresses are fetched by Run.
func New(cfg Config, log *slog.Logger) (*Verifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = DefaultAlgorithms
	}
	cfg.Leeway = cmp.Or(cfg.Leeway, time.Minute)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, 24*time.Hour)
	v := &Verifier{cfg: cfg, log: log, turns: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		parser: jwt.NewParser(jwt.WithValidMethods(cfg.Algorithms), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audiences...),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(cfg.Leeway), jwt.WithStrictDecoding(), jwt.WithJSONNumber())}
	if err := v.Reload(); err != nil {
		return nil, err
	}
	client := &http.Client{Transport: transport(), Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, url := range cfg.JWKS {
		v.remotes = append(v.remotes, &remote{url: url, client: client, log: log})
	}
	return v, nil
}

// Reload reads the files again. If one is wrong, the former keys stay.
func (v *Verifier) Reload() error {
	k, err := readKeys(v.cfg.KeyFiles, v.cfg.SecretFiles)
	if err != nil {
		return err
	}
	v.files.Store(&k)
	return nil
}

// Run keeps the keys at addresses new, until ctx ends and nothing is under way any more.
func (v *Verifier) Run(ctx context.Context) {
	var all sync.WaitGroup // awaited below
	for _, r := range v.remotes {
		all.Go(func() { r.run(ctx) })
	}
	all.Wait()
}

// Verify returns what the token proves. It may wait for the keys at an address, until ctx ends.
// The error is an *Error.
func (v *Verifier) Verify(ctx context.Context, raw string) (Identity, error) {
	switch {
	case raw == "":
		return Identity{}, &Error{Reason: Missing}
	case len(raw) > maxToken:
		return Identity{}, failure(Malformed, "too long")
	}
	unverified, _, err := v.parser.ParseUnverified(raw, jwt.MapClaims{})
	if err != nil {
		if errors.Is(err, jwt.ErrTokenUnverifiable) {
			return Identity{}, &Error{Reason: Algorithm}
		}
		return Identity{}, &Error{Reason: Malformed}
	}
	candidates, err := v.candidates(ctx, unverified.Header)
	if err != nil {
		return Identity{}, err
	}
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return Identity{}, &Error{Unavailable, ctx.Err()}
	}
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return candidates, nil }); err != nil {
		return Identity{}, refusal(err)
	}
	return v.identity(claims)
}

// candidates are the keys that may have signed a token with this header.
func (v *Verifier) candidates(ctx context.Context, header map[string]any) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	alg, _ := header["alg"].(string)
	if !slices.Contains(v.cfg.Algorithms, alg) {
		return set, &Error{Reason: Algorithm}
	}
	if _, there := header["crit"]; there { // RFC 7515, 4.1.11: it must be understood, and none is
		return set, failure(Malformed, "critical extension")
	}
	kid, isText := header["kid"].(string)
	if _, there := header["kid"]; there && !isText || len(kid) > maxKID {
		return set, failure(Malformed, "kid")
	}
	found := v.files.Load().find(kid, alg)
	var unavailable error
	for _, r := range v.remotes {
		more, err := r.find(ctx, kid, alg)
		found = append(found, more...)
		if err != nil {
			unavailable = err
		}
	}
	if len(found) == 0 {
		if unavailable != nil {
			return set, &Error{Unavailable, unavailable}
		}
		return set, &Error{Reason: UnknownKey}
	}
	for _, k := range found[:min(len(found), maxTries)] {
		set.Keys = append(set.Keys, k)
	}
	return set, nil
}

// refusal is why the parser did not accept a token.
func refusal(err error) *Error {
	for _, r := range []struct {
		is     error
		reason string
	}{
		{jwt.ErrTokenSignatureInvalid, Signature}, {jwt.ErrTokenExpired, Expired}, {jwt.ErrTokenInvalidClaims, Claims},
	} {
		if errors.Is(err, r.is) {
			return &Error{Reason: r.reason}
		}
	}
	return &Error{Reason: Malformed}
}

// identity checks what the parser does not.
func (v *Verifier) identity(claims jwt.MapClaims) (Identity, error) {
	subject, err := claims.GetSubject()
	if err != nil || subject == "" || len(subject) > maxSubject || !utf8.ValidString(subject) || strings.ContainsFunc(subject, unicode.IsControl) {
		return Identity{}, failure(Claims, "no usable sub")
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil {
		return Identity{}, failure(Claims, "exp")
	}
	if time.Until(expires.Time) > v.cfg.MaxAge+v.cfg.Leeway {
		return Identity{}, failure(Claims, "exp is too far away")
	}
	id := Identity{Subject: subject, Expires: expires.Add(v.cfg.Leeway)}
	for _, name := range v.cfg.Claims {
		value, there := claims[name]
		if !there || value == nil {
			continue
		}
		text, isText := value.(string)
		if !isText {
			b, err := json.Marshal(value)
			if err != nil {
				return Identity{}, failure(Claims, name)
			}
			text = string(b)
		}
		if len(text) > maxClaim || !utf8.ValidString(text) {
			return Identity{}, failure(Claims, fmt.Sprintf("%s is longer than %d bytes", name, maxClaim))
		}
		if id.Claims == nil {
			id.Claims = make(map[string]string, len(v.cfg.Claims))
		}
		id.Claims[name] = text
	}
	return id, nil
}
