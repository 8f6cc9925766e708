package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/token"
)

var entries = map[string]socketio.Entry{"none": socketio.EntryFree, "jwt": socketio.EntryToken,
	"backend": socketio.EntryGroup, "jwt+backend": socketio.EntryTokenAndGroup}

var expiries = map[string]socketio.OnExpiry{"close": socketio.ExpiryCloses, "notify": socketio.ExpiryNotifies, "none": socketio.ExpiryIgnored}

var bindings = map[string]engineio.Binding{"none": engineio.BindNothing, "ip": engineio.BindAddress, "ip-prefix": engineio.BindPrefix}

// entryRules are those of the key auth.
func (s settings) entryRules() (rules []socketio.EntryRule, err error) {
	for _, item := range s.Auth {
		pattern, mode, _ := strings.Cut(item, "=")
		pattern, mode = strings.TrimSpace(pattern), strings.TrimSpace(mode)
		entry, ok := entries[mode]
		if !ok || !namespacePattern(pattern) {
			return nil, errors.New("namespaces and modes such as /admin=jwt: none, jwt, backend or jwt+backend")
		}
		rules = append(rules, socketio.EntryRule{Pattern: pattern, Entry: entry})
	}
	return rules, nil
}

func namespacePattern(s string) bool {
	return (strings.HasPrefix(s, "/") || strings.HasPrefix(s, "*")) && !strings.ContainsAny(s, "?#,")
}

// takesTokens says whether some namespace asks for a token.
func (s settings) takesTokens() bool {
	rules, _ := s.entryRules()
	return slices.ContainsFunc(rules, func(r socketio.EntryRule) bool {
		return r.Entry == socketio.EntryToken || r.Entry == socketio.EntryTokenAndGroup
	})
}

// sources are those of jwt-sources: in the CONNECT packet, and in the request before it.
func (s settings) sources() (inAuth bool, in token.Sources, err error) {
	in.Keep = bool(s.JwtForward)
	for _, source := range s.JwtSources {
		name, query := strings.CutPrefix(source, "query.")
		switch {
		case source == "auth.token":
			inAuth = true
		case source == "authorization":
			in.Header = true
		case query && name != "" && in.Query == "" && !slices.Contains([]string{"EIO", "transport", "sid", "t", "j", "b64"}, name):
			in.Query = name
		default:
			return false, in, errors.New("auth.token, authorization or one query.NAME")
		}
	}
	return inAuth, in, nil
}

func (s settings) token() token.Config {
	return token.Config{Issuer: string(s.JwtIssuer), Audiences: s.JwtAudience, Algorithms: s.JwtAlgorithms,
		KeyFiles: s.JwtKeyFiles, SecretFiles: s.JwtSecretFiles, JWKS: s.JwtJwksUrl,
		Leeway: time.Duration(s.JwtLeeway), MaxAge: time.Duration(s.JwtMaxAge), Claims: s.JwtClaims}
}

// entry checks who decides about clients, and that what decides is there.
func (l *loader) entry(s settings) {
	check := func(key string, err error) {
		if err != nil {
			l.fault(key, err.Error())
		}
	}
	_, err := s.entryRules()
	check("auth", err)
	if _, ok := expiries[string(s.AuthExpiry)]; !ok && s.AuthExpiry != "" {
		l.fault("auth-expiry", "close, notify or none")
	}
	if _, ok := bindings[string(s.BindSession)]; !ok && s.BindSession != "" {
		l.fault("bind-session", "none, ip or ip-prefix")
	}
	if s.AuditFile != "" {
		if info, err := os.Stat(string(s.AuditFile)); err == nil && info.IsDir() {
			l.fault("audit-file", "a file")
		}
	}
	_, _, err = s.sources()
	check("jwt-sources", err)
	if !s.takesTokens() {
		return
	}
	if s.JwtIssuer == "" {
		l.fault("jwt-issuer", "whose tokens they are, such as https://id.example.com, as auth asks for tokens")
	}
	if len(s.JwtAudience) == 0 {
		l.fault("jwt-audience", "what tokens for this edge say in aud, as auth asks for tokens (or those for anything else of the issuer come in)")
	}
	for _, u := range s.JwtJwksUrl {
		check("jwt-jwks-url", token.CheckURL(u))
	}
	for _, f := range s.JwtSecretFiles {
		l.private("jwt-secret-files", text(f), s)
	}
	shared := slices.ContainsFunc(s.JwtAlgorithms, func(a string) bool { return strings.HasPrefix(a, "HS") })
	switch {
	case slices.ContainsFunc(s.JwtAlgorithms, func(a string) bool { return !slices.Contains(token.Algorithms, a) }):
		l.fault("jwt-algorithms", strings.Join(token.Algorithms, ", "))
	case shared && len(s.JwtSecretFiles) == 0:
		l.fault("jwt-algorithms", "HS256, HS384 and HS512 only with jwt-secret-files")
	case !shared && len(s.JwtSecretFiles) > 0:
		l.fault("jwt-algorithms", "HS256, HS384 or HS512 among them, as there are jwt-secret-files")
	case len(s.JwtKeyFiles)+len(s.JwtSecretFiles)+len(s.JwtJwksUrl) == 0:
		l.fault("jwt-key-files", "keys here, in jwt-jwks-url or in jwt-secret-files, as auth asks for tokens")
	case !l.faulty["jwt-issuer"] && !l.faulty["jwt-audience"] && !l.faulty["jwt-jwks-url"]:
		if _, err := token.New(s.token(), slog.New(slog.DiscardHandler)); err != nil {
			l.fault("jwt-key-files", "keys that can be used ("+err.Error()+")")
		}
	}
	if !s.secure() && len(s.TrustedProxies) == 0 && !local(s.Listen) && !bool(s.InsecurePlainTokens) {
		l.fault("listen", "TLS (tls-cert-file or acme-domains), trusted-proxies that end it, or an address on loopback, as auth asks for tokens "+
			"(who reads one on its way has it); or set insecure-plain-tokens")
	}
}

// passports verifies tokens for the Socket.IO floor. It is a socketio.Tokens.
type passports struct{ *token.Verifier }

func (p passports) Verify(ctx context.Context, raw string) (*socketio.Identity, error) {
	id, err := p.Verifier.Verify(ctx, raw)
	var refused *token.Error
	switch {
	case errors.As(err, &refused) && refused.Reason == token.Unavailable:
		return nil, fmt.Errorf("%w: %w", socketio.ErrNotNow, err)
	case err != nil:
		return nil, err
	}
	return &socketio.Identity{Subject: id.Subject, Attributes: id.Claims, Expires: id.Expires}, nil
}

// reasonOf is why a token was not good, in one of a few words.
func reasonOf(err error) string {
	var refused *token.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return "other"
}
