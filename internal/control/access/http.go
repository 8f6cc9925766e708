package access

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Ops is the Guard of an HTTP server for operators. Listener, Context and Handler belong together.
type Ops struct {
	guard  *Guard
	secure bool
}

// Ops returns the Guard of a server for operators, which speaks TLS if it is to be secure.
func (g *Guard) Ops(secure bool) *Ops { return &Ops{g, secure} }

// Secure says whether the server speaks TLS.
func (o *Ops) Secure() bool { return o.secure }

// Listener wraps what the server listens on: the Guard knows its connections.
func (o *Ops) Listener(l net.Listener) net.Listener {
	l = &listener{l, o}
	if o.secure {
		l = tls.NewListener(l, o.guard.tls(false, "http/1.1"))
	}
	return l
}

type listener struct {
	net.Listener
	ops *Ops
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	own := l.ops.guard.track(c, l.ops.secure)
	own.isKnown() // health needs nobody, and net/http has its own patience
	return own, nil
}

type connKey struct{}

// Context is the http.Server.ConnContext of the server.
func (o *Ops) Context(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// Handler lets in those whom the Guard knows, as far as [Methods] and [Pages] allow, by certificate
// or with a token: as a bearer, or as the password of any user, which is how a browser asks for it.
// What serves a request is what the mux would choose: its pattern is looked up, not the path.
func (o *Ops) Handler(mux *http.ServeMux) http.Handler {
	g := o.guard
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		path := pattern[strings.IndexByte(pattern, ' ')+1:]
		page := Pages[path]
		if page.Open {
			mux.ServeHTTP(w, r)
			return
		}
		c := r.Context().Value(connKey{}).(*conn)
		if r.TLS != nil {
			c.verified(r.TLS.PeerCertificates)
		}
		k, err := g.admit(c, tokenOf(r))
		if err != nil {
			g.cfg.Refused("control", Credential)
			g.denials.note("caller unknown", "", "peer", hostOf(c.RemoteAddr()), "page", pattern)
			w.Header().Set("WWW-Authenticate", `Basic realm="a token of sio-edge as the password", charset="UTF-8"`)
			refuse(w, http.StatusUnauthorized, err)
			return
		}
		if _, isMethod := methods[path]; isMethod {
			_, err = k.grant.call(path)
		} else if k.grant.roles&page.Roles == 0 {
			err = denied("ROLE_MISSING", "caller "+k.grant.Name+" may not see this page: it takes one of: "+page.Roles.String())
		}
		if err != nil {
			g.Denied(k.grant, err)
			refuse(w, http.StatusForbidden, err)
			return
		}
		defer c.begin(&k)()
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, k.grant)))
	})
}

// tokenOf returns the token of a request, empty for none.
func tokenOf(r *http.Request) string {
	if len(r.Header["Authorization"]) == 1 {
		if _, password, ok := r.BasicAuth(); ok {
			return password
		}
	}
	return bearerOf(r.Header["Authorization"])
}

// refuse answers in the form of the JSON calls.
func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	name := "permission_denied"
	if status.Code(err) == codes.Unauthenticated {
		name = "unauthenticated"
	}
	json.NewEncoder(w).Encode(map[string]string{"code": name, "message": messageOf(err)})
}
