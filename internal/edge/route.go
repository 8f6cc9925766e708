package edge

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
)

// route answers a request on the public listener or finds who does. It goes by the decoded path
// as it is: nothing is cleaned, so that a proxy in front sees the same path as we do.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if r.Method == methodRefused {
		s.refuse(w, r)
		return
	}
	if !plainPath(r.URL.Path) {
		s.answer(w, http.StatusNotFound, "")
		return
	}
	if s.config.TLS != nil {
		r.URL.Scheme = "https" // how the Engine knows
	}
	if len(s.config.TrustedProxies) > 0 {
		if f := behindProxy(r, s.config.TrustedProxies); f != nil {
			s.config.Refused("http", f.reason)
			s.answer(w, f.status, f.reason)
			return
		}
	}
	rest, below := strings.CutPrefix(r.URL.Path, s.config.Path)
	switch {
	case below && (rest == "" || rest[0] == '/'):
		sid := sidIn(r.URL.RawQuery)
		full := ""
		switch {
		case sid != "":
			if p := placeOf(r); p != nil && !p.known.Load() && s.engine.Knows(sid) {
				p.identify()
			}
		case int64(s.engine.Connections()) >= s.limit.Load():
			full = tooManyClients
		case s.config.Budget.Level() >= budget.Tight:
			full = noMemory
		}
		if full != "" {
			s.config.Refused("http", full)
		}
		if full != "" || sid == "" && s.draining.Load() { // the Engine knows who else is here
			// A stock client takes this for a network error, and comes back.
			w.Header().Set("Retry-After", "5")
			s.answer(w, http.StatusServiceUnavailable, "")
			return
		}
		s.engine.ServeHTTP(w, r)
	case s.static != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(30 * time.Second))
		s.static.serve(w, r)
	default:
		s.answer(w, http.StatusNotFound, "")
	}
}

// sidIn is the session that a query names, as it stands there. An engine that reads more into it
// finds no such session: a sid needs no escapes.
func sidIn(query string) string {
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		if sid, ok := strings.CutPrefix(param, "sid="); ok {
			return sid
		}
	}
	return ""
}

// plainPath reports whether a decoded path means the same to everyone.
func plainPath(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsAny(p, "\x00\\") &&
		!strings.Contains(p, "//") && !strings.Contains(p+"/", "/../") && !strings.Contains(p+"/", "/./")
}

// refuse answers the request that stands for one that was turned away.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	s.config.Refused("http", c.fault.reason)
	s.answer(w, c.fault.status, c.fault.reason)
	http.NewResponseController(w).Flush()
	c.linger()
}

// answer is the last one on its connection.
func (s *Server) answer(w http.ResponseWriter, status int, reason string) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Second))
	w.Header().Set("Connection", "close")
	plain(w, status, reason)
}

func plain(w http.ResponseWriter, status int, text string) {
	if text == "" {
		text = http.StatusText(status)
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
