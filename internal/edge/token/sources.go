package token

import (
	"net/http"
	"net/url"
	"strings"
)

// Sources says where in a request a token is looked for. (A CONNECT packet may hold another.)
type Sources struct {
	Header bool   // Authorization: Bearer
	Query  string // the name of a parameter; empty: none
	Keep   bool   // the request keeps the token
}

// Take returns the token of a request, empty if it has none, and removes it: what becomes of the
// rest is then free to be handed on and kept. A parameter that is there twice is none.
func (s Sources) Take(r *http.Request) string {
	token := ""
	if s.Header {
		scheme, rest, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		if ok && strings.EqualFold(scheme, "Bearer") && len(r.Header["Authorization"]) == 1 {
			token = strings.TrimSpace(rest)
			if !s.Keep {
				r.Header.Del("Authorization")
			}
		}
	}
	if s.Query == "" {
		return token
	}
	params := strings.Split(r.URL.RawQuery, "&")
	found := ""
	n := 0
	for i, p := range params {
		name, value, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(name); err != nil || plain != s.Query {
			continue
		}
		n++
		found, _ = url.QueryUnescape(value)
		if !s.Keep {
			params[i] = name + "=" + redacted
		}
	}
	if n > 0 {
		r.URL.RawQuery = strings.Join(params, "&")
	}
	if token == "" && n == 1 {
		token = found
	}
	return token
}
