package engineio

import "strings"

// pattern is one entry of Config.Origins.
type pattern struct {
	any    bool
	prefix string // scheme://
	suffix string // host[:port], or .domain[:port] behind a wildcard
	wild   bool
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
