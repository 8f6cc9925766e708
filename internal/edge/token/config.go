package token

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Validate returns every fault of the configuration at once. It reads no file.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Issuer == "" {
		fault("no issuer: whose tokens are these?")
	}
	if len(c.Audiences) == 0 {
		fault("no audience: tokens that the issuer gave out for anything else would be accepted here")
	}
	if len(c.KeyFiles)+len(c.SecretFiles)+len(c.JWKS) == 0 {
		fault("no key that a token could be signed with")
	}
	shared := false
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms, a) {
			fault("algorithm %q is none of %s", a, strings.Join(Algorithms, ", "))
		}
		shared = shared || strings.HasPrefix(a, "HS")
	}
	if shared != (len(c.SecretFiles) > 0) {
		fault("a shared secret and one of the algorithms HS256, HS384 and HS512 go together")
	}
	for _, u := range c.JWKS {
		if err := CheckURL(u); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// CheckURL says whether keys can be fetched from an address: over https, or from this machine.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("a JWK set needs an https address")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return errors.New("a JWK set needs an https address: over http anyone on the way could put a key of their own there")
	}
	return nil
}
