package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// document is the access file as it is written.
type document struct {
	Callers map[string]struct {
		Certificates []string // subject alternative names
		Tokens       []string // sha256:…
		Subjects     []string // of JWTs
		Roles        []string
		Groups       []string
	}
	JWT *struct {
		Issuer   string
		Audience string
		Keys     []string // PEM files of public keys, relative to the access file
	} `yaml:"jwt"`
	Revoked []string // serial numbers of certificates
}

// policy is who may do what: one reading of the access file. Static after construction.
type policy struct {
	callers  map[string]*Grant
	names    map[string]*Grant // by subject alternative name
	tokens   []staticToken
	subjects map[string]*Grant
	jwt      *jwts
	revoked  map[string]bool
}

// staticToken is a token of a caller, as the access file has it.
type staticToken struct {
	hash  [sha256.Size]byte
	grant *Grant
}

// TokenPrefix begins the hash of a token in the access file.
const TokenPrefix = "sha256:"

var callerName = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,64}$`)

// parsePolicy reads an access file. The error joins all faults. It never shows what stands where
// the hash of a token belongs: that may be a token.
func parsePolicy(path string, read func(path string) ([]byte, error)) (*policy, error) {
	b, err := read(path)
	if err != nil {
		return nil, err
	}
	var doc document
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), " in type access.document", ""))
	}
	p := &policy{callers: make(map[string]*Grant), names: make(map[string]*Grant), subjects: make(map[string]*Grant), revoked: make(map[string]bool)}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(doc.Callers) == 0 {
		fault("callers: nobody is named, so nobody could come in")
	}
	seen := make(map[string]string) // credentials and whose they are
	take := func(caller, credential string) bool {
		if other, ok := seen[credential]; ok {
			fault("callers: %s and %s have the same credential; each must be of one caller", other, caller)
			return false
		}
		seen[credential] = caller
		return true
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Callers)) {
		c := doc.Callers[name]
		if !callerName.MatchString(name) {
			fault("callers: %.64q: 1 to 64 of [A-Za-z0-9._@-]", name)
			continue
		}
		g := &Grant{Name: name, groups: c.Groups}
		for _, text := range c.Roles {
			r, err := parseRole(text)
			if err != nil {
				fault("callers: %s: %w", name, err)
				continue
			}
			g.roles |= r.role
			if r.pattern != "" {
				g.scoped = append(g.scoped, r)
			}
		}
		if len(c.Roles) == 0 {
			fault("callers: %s: no roles: it could do nothing", name)
		}
		if len(c.Certificates)+len(c.Tokens)+len(c.Subjects) == 0 {
			fault("callers: %s: no certificates, tokens or subjects: nobody could be it", name)
		}
		for i, san := range c.Certificates {
			if san == "" || strings.ContainsAny(san, "* ") {
				fault("callers: %s: certificates[%d]: a whole name, such as chat.example or spiffe://example/chat", name, i)
			} else if take(name, "certificate "+san) {
				p.names[san] = g
			}
		}
		for i, t := range c.Tokens {
			h, err := hex.DecodeString(strings.TrimPrefix(t, TokenPrefix))
			if err != nil || len(h) != sha256.Size || !strings.HasPrefix(t, TokenPrefix) {
				fault("callers: %s: tokens[%d]: %s and 64 hex digits, never the token itself; sio-edge token makes both", name, i, TokenPrefix)
			} else if take(name, "token "+string(h)) {
				p.tokens = append(p.tokens, staticToken{[sha256.Size]byte(h), g})
			}
		}
		for i, s := range c.Subjects {
			switch {
			case s == "":
				fault("callers: %s: subjects[%d]: the sub of a JWT", name, i)
			case doc.JWT == nil:
				fault("callers: %s: subjects: there is no jwt with the keys to check them", name)
			case take(name, "subject "+s):
				p.subjects[s] = g
			}
		}
		p.callers[name] = g
	}
	if doc.JWT != nil {
		paths, readable := slices.Clone(doc.JWT.Keys), true
		for i, k := range paths {
			if !filepath.IsAbs(k) {
				paths[i] = filepath.Join(filepath.Dir(path), k)
			}
			if _, err := read(paths[i]); err != nil {
				fault("jwt: keys: %s: %w", filepath.Base(k), err)
				readable = false
			}
		}
		if readable {
			v, err := newJWTs(doc.JWT.Issuer, doc.JWT.Audience, paths)
			if err != nil {
				fault("jwt: %w", err)
			}
			p.jwt = v
		}
	}
	for _, s := range doc.Revoked {
		serial := strings.ToLower(strings.TrimLeft(strings.ReplaceAll(s, ":", ""), "0"))
		if serial == "" || strings.Trim(serial, "0123456789abcdef") != "" {
			fault("revoked: %.64q: the serial number of a certificate in hex, as openssl x509 -serial prints it", s)
		}
		p.revoked[serial] = true
	}
	return p, errors.Join(faults...)
}

// bearers says whether anybody can come with a token instead of a certificate.
func (p *policy) bearers() bool { return len(p.tokens)+len(p.subjects) > 0 }

// certificate returns the grant of a certificate that the TLS layer has verified; nil if no
// caller, or more than one, has its names.
func (p *policy) certificate(c *x509.Certificate) *Grant {
	if p.revoked[c.SerialNumber.Text(16)] {
		return nil
	}
	var found *Grant
	meets := func(name string) (ok bool) {
		g := p.names[name]
		if g == nil {
			return true
		}
		ok = found == nil || found == g
		found = g
		return ok
	}
	for _, name := range c.DNSNames {
		if !meets(name) {
			return nil
		}
	}
	for _, uri := range c.URIs {
		if !meets(uri.String()) {
			return nil
		}
	}
	return found
}

// maxToken bounds a token, in bytes.
const maxToken = 8 << 10

// bearer returns the grant of a token and how long it lasts, zero for no end; nil if it is nobody's.
// All tokens are compared, each in constant time.
func (p *policy) bearer(text string, now time.Time) (found *Grant, until time.Time) {
	if len(text) > maxToken {
		return nil, until
	}
	hash := sha256.Sum256([]byte(text))
	for i := range p.tokens {
		if subtle.ConstantTimeCompare(p.tokens[i].hash[:], hash[:]) == 1 {
			found = p.tokens[i].grant
		}
	}
	if found == nil && p.jwt != nil && strings.Count(text, ".") == 2 {
		var subject string
		if subject, until = p.jwt.verify(text, hash, now); subject != "" {
			found = p.subjects[subject]
		}
	}
	return found, until
}
