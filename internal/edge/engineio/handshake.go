package engineio

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// forwarding selects the request headers that are kept.
type forwarding struct {
	all   bool
	names map[string]bool // canonical
}

func newForwarding(names []string) forwarding {
	f := forwarding{names: make(map[string]bool)}
	for _, n := range names {
		if n == "*" {
			f.all = true
		}
		f.names[http.CanonicalHeaderKey(n)] = true
	}
	return f
}

func (f *forwarding) wants(name string) bool {
	if !f.all {
		return f.names[name]
	}
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	return !strings.HasPrefix(name, "Sec-Websocket-")
}

// lowerNames spares idle connections their own copies of the names that every client sends.
var lowerNames = func() map[string]string {
	m := make(map[string]string)
	for _, n := range []string{"accept", "accept-encoding", "accept-language", "authorization", "cache-control",
		"cookie", "dnt", "host", "origin", "pragma", "priority", "referer", "sec-ch-ua", "sec-ch-ua-mobile",
		"sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-gpc", "user-agent",
		"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id"} {
		m[http.CanonicalHeaderKey(n)] = n
	}
	return m
}()

// handshake copies out of a request what is kept for the life of a connection. All strings share
// one allocation, the sid included, and nothing keeps the request's own memory alive.
func (s *Server) handshake(r *http.Request, transport, sid string) (string, *Handshake) {
	token := s.config.Token(r)
	type header struct {
		name   string
		values []string
	}
	var fixed [24]header
	headers := fixed[:0]
	host := [1]string{r.Host}
	if r.Host != "" && s.forward.wants("Host") {
		headers = append(headers, header{"Host", host[:]})
	}
	for name, values := range r.Header {
		if s.forward.wants(name) {
			headers = append(headers, header{name, values})
		}
	}
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.name, b.name) })

	var buf [2048]byte
	text := append(buf[:0], sid...)
	text = append(text, r.RemoteAddr...)
	text = append(text, r.URL.RawQuery...)
	ownPath := r.URL.Path != s.path
	if ownPath {
		text = append(text, r.URL.Path...)
	}
	for _, h := range headers {
		if _, ok := lowerNames[h.name]; !ok {
			text = append(text, strings.ToLower(h.name)...)
		}
		for i, v := range h.values {
			if i > 0 {
				text = append(text, separatorOf(h.name)...)
			}
			text = append(text, v...)
		}
	}
	rest := string(text)
	cut := func(n int) string {
		part := rest[:n]
		rest = rest[n:]
		return part
	}

	sid = cut(sidSize)
	h := &Handshake{
		RemoteAddr: cut(len(r.RemoteAddr)),
		RawQuery:   cut(len(r.URL.RawQuery)),
		Path:       s.path,
		Transport:  transport,
		Secure:     secure(r),
		At:         time.Now(),
		Headers:    make([]string, 0, 2*len(headers)),
	}
	if token != "" {
		token = strings.Clone(token)
		h.Token = &token
	}
	if ownPath {
		h.Path = cut(len(r.URL.Path))
	}
	for _, hd := range headers {
		name, ok := lowerNames[hd.name]
		if !ok {
			name = cut(len(strings.ToLower(hd.name)))
		}
		n := 0
		for i, v := range hd.values {
			if i > 0 {
				n += len(separatorOf(hd.name))
			}
			n += len(v)
		}
		h.Headers = append(h.Headers, name, cut(n))
	}
	return sid, h
}

// secure says whether a request came over TLS: here, or to a proxy that the front door trusts.
func secure(r *http.Request) bool { return r.TLS != nil || r.URL.Scheme == "https" }

func separatorOf(name string) string {
	if name == "Cookie" {
		return "; "
	}
	return ", "
}
