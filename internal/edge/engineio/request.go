package engineio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"
)

// maxRefusal bounds the text that Config.AllowRequest may send to a client, in bytes.
const maxRefusal = 128

// refusal is how the protocol turns a request away (engine.io server, "error codes").
type refusal struct {
	code    int
	message string
}

var (
	transportUnknown  = refusal{0, "Transport unknown"}
	sessionUnknown    = refusal{1, "Session ID unknown"}
	badMethod         = refusal{2, "Bad handshake method"}
	badRequest        = refusal{3, "Bad request"}
	forbidden         = refusal{4, "Forbidden"}
	versionNotCarried = refusal{5, "Unsupported protocol version"}
)

// query holds the parameters that the protocol knows. All others belong to the application.
type query struct {
	eio, transport, sid string
	jsonp               bool
}

// parseQuery is strict where a proxy in front of us might read a request otherwise than we do:
// it refuses repeated protocol parameters and broken escapes.
func parseQuery(raw string, params int) (q query, ok bool) {
	seen := 0
	for n := 0; raw != ""; n++ {
		if n == params {
			return q, false
		}
		var param string
		param, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(param, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			return q, false
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return q, false
		}
		bit := 0
		switch key {
		case "EIO":
			bit, q.eio = 1, value
		case "transport":
			bit, q.transport = 2, value
		case "sid":
			bit, q.sid = 4, value
		case "j":
			q.jsonp = true
		}
		if seen&bit != 0 {
			return q, false
		}
		seen |= bit
	}
	return q, true
}

// owns reports whether a path is ours: Config.Path with a slash behind it, or anything below.
func (s *Server) owns(path string) bool {
	return strings.HasPrefix(path, s.path) || s.config.BarePath && path == s.config.Path
}

// ServeHTTP answers one request: a handshake, a GET or POST of a polling session, or a WebSocket.
// The order of the checks is the official server's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.owns(r.URL.Path) {
		s.refused("http", "path")
		http.NotFound(w, r)
		return
	}
	browsers := s.browsers.Load()
	verdict := browsers.checkOrigin(r)
	if len(browsers.origins) > 0 {
		browsers.addCORS(w.Header(), r, verdict == originAllowed)
		if r.Method == http.MethodOptions && verdict == originAllowed {
			browsers.preflight(w, r)
			return
		}
	}
	q, ok := parseQuery(r.URL.RawQuery, s.config.MaxParams)
	if s.closing.Load() && (q.sid == "" || s.find(q.sid) == nil) { // who is here is served until its turn
		s.refused("http", "shutdown")
		s.turnAway(w, http.StatusServiceUnavailable)
		return
	}
	upgrade := websocket.IsWebSocketUpgrade(r)
	refuse := func(reason string, f refusal) {
		s.refused("http", reason)
		s.refuse(w, upgrade, f)
	}
	switch {
	case !ok:
		refuse("query", badRequest)
	case !(q.transport == Polling && s.polling) && !(q.transport == WebSocket && s.webSocket):
		refuse("transport", transportUnknown)
	case verdict == originBroken:
		refuse("origin", badRequest)
	case verdict == originForeign:
		s.refused("http", "origin")
		s.refuseForbidden(w, upgrade)
	case q.jsonp && q.transport == Polling:
		refuse("jsonp", badRequest)
	case upgrade && q.transport == Polling:
		refuse("transport mismatch", badRequest)
	case q.sid != "":
		s.serveSession(w, r, q, upgrade, refuse)
	case r.Method != http.MethodGet:
		refuse("method", badMethod)
	case q.transport == WebSocket && !upgrade:
		refuse("handshake", badRequest)
	default:
		if ok, message := s.config.AllowRequest(r); !ok {
			f := forbidden
			if message != "" {
				f.message = message[:min(len(message), maxRefusal)]
			}
			refuse("forbidden", f)
			return
		}
		if q.eio != "4" {
			refuse("version", versionNotCarried)
			return
		}
		if !s.admit(w, r) {
			return
		}
		if upgrade {
			s.openWebSocket(w, r)
		} else {
			s.openPolling(w, r)
		}
	}
}

// serveSession answers a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, q query, upgrade bool, refuse func(string, refusal)) {
	sock := s.find(q.sid)
	if sock != nil {
		sock.met(r.RemoteAddr)
	}
	switch {
	case sock == nil:
		refuse("sid", sessionUnknown)
	case !s.config.Binding.Holds(sock.Handshake.RemoteAddr, r.RemoteAddr):
		s.refused("http", "bound")
		s.refuseForbidden(w, upgrade)
	case q.transport == WebSocket && !upgrade:
		refuse("transport mismatch", badRequest)
	case q.eio != "4":
		refuse("protocol mismatch", badRequest)
	case upgrade:
		s.upgradeWebSocket(w, r, sock)
	case sock.Transport() != Polling:
		refuse("transport mismatch", badRequest)
	case !sock.mayAsk():
		s.refused("polling", "too often")
		s.turnAway(w, http.StatusTooManyRequests)
	case r.Method == http.MethodGet:
		s.servePoll(w, r, sock)
	case r.Method == http.MethodPost:
		s.servePost(w, r, sock)
	default:
		s.refused("http", "method")
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// refuse answers with an error: as JSON, or as bare text to who asked for a WebSocket.
func (s *Server) refuse(w http.ResponseWriter, upgrade bool, f refusal) {
	status := http.StatusBadRequest
	if f.code == forbidden.code && !upgrade {
		status = http.StatusForbidden
	}
	s.writeRefusal(w, upgrade, status, f)
}

// refuseForbidden answers a page that may not connect, whatever the transport.
func (s *Server) refuseForbidden(w http.ResponseWriter, upgrade bool) {
	s.writeRefusal(w, upgrade, http.StatusForbidden, forbidden)
}

func (s *Server) writeRefusal(w http.ResponseWriter, upgrade bool, status int, f refusal) {
	h := w.Header()
	if upgrade {
		h.Set("Connection", "close")
		h.Set("Content-Type", "text/html")
		h.Set("Content-Length", strconv.Itoa(len(f.message)))
		w.WriteHeader(status)
		w.Write([]byte(f.message))
		return
	}
	body, _ := json.Marshal(struct { // cannot fail
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{f.code, f.message})
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// addHeaders adds the configured headers, which successful responses carry.
func (s *Server) addHeaders(h http.Header) {
	for name, values := range s.config.Headers {
		h[name] = append(h[name], values...)
	}
}
