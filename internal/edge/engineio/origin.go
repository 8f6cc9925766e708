package engineio

import (
	"net/http"
	"strings"
)

// pattern is one entry of Config.Origins.
type pattern struct {
	any    bool
	prefix string // scheme://
	suffix string // host[:port], or .domain[:port] behind a wildcard
	wild   bool
}

// browsers is what pages of other origins may do.
type browsers struct {
	origins []pattern
	config  *Config // of which only what concerns browsers is used
}

// SetBrowsers replaces what concerns browsers: Origins, RequireOrigin, Credentials, AllowedHeaders,
// ExposedHeaders and CORSMaxAge. cfg must be valid. Connections that are open stay.
func (s *Server) SetBrowsers(cfg Config) {
	b := &browsers{config: &cfg}
	for _, o := range cfg.Origins {
		if p, ok := parsePattern(o); ok {
			b.origins = append(b.origins, p)
		}
	}
	s.browsers.Store(b)
}

func parsePattern(s string) (pattern, bool) {
	if s == "*" {
		return pattern{any: true}, true
	}
	s = strings.ToLower(s)
	scheme, host, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || host == "" || strings.ContainsAny(host, "/@?#") {
		return pattern{}, false
	}
	p := pattern{prefix: scheme + "://", suffix: stripDefaultPort(scheme, host)}
	if rest, ok := strings.CutPrefix(p.suffix, "*."); ok {
		p.wild, p.suffix = true, "."+rest
	}
	return p, !strings.Contains(p.suffix, "*")
}

// match reports whether origin, lower-case and without a default port, is meant by the pattern.
// A wildcard stands for whole labels in front of a domain, never for the domain itself.
func (p pattern) match(origin string) bool {
	if p.any {
		return true
	}
	host, ok := strings.CutPrefix(origin, p.prefix)
	if !ok {
		return false
	}
	if !p.wild {
		return host == p.suffix
	}
	label, ok := strings.CutSuffix(host, p.suffix)
	return ok && label != "" && !strings.ContainsAny(label, ":@/")
}

func stripDefaultPort(scheme, host string) string {
	switch scheme {
	case "http", "ws":
		return strings.TrimSuffix(host, ":80")
	case "https", "wss":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// verdict is what an Origin header is worth.
type verdict uint8

const (
	originAllowed verdict = iota // also: there is none, and none is needed
	originForeign
	originBroken
)

// checkOrigin decides whether the page that sent a request may connect. Browsers do not ask for
// permission before they open a WebSocket, so that this is the only check there is.
func (b *browsers) checkOrigin(r *http.Request) verdict {
	origins := r.Header["Origin"]
	switch {
	case len(origins) == 0:
		if b.config.RequireOrigin {
			return originForeign
		}
		return originAllowed
	case len(origins) > 1:
		return originForeign
	}
	origin := origins[0]
	for i := range len(origin) {
		if c := origin[i]; c < ' ' && c != '\t' || c == 0x7f {
			return originBroken
		}
	}
	origin = strings.ToLower(origin)
	scheme, host, ok := strings.Cut(origin, "://")
	if ok {
		host = stripDefaultPort(scheme, host)
		own := strings.ToLower(r.Host)
		// Over TLS a page that was not is of another origin: whoever sits between could have written it.
		if (scheme == "https" || scheme == "http" && !secure(r)) && host != "" && host == stripDefaultPort(scheme, own) {
			return originAllowed
		}
		origin = scheme + "://" + host
	}
	for _, p := range b.origins {
		if p.match(origin) {
			return originAllowed
		}
	}
	return originForeign
}
