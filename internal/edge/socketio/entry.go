package socketio

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Entry is who decides whether clients come into a namespace.
type Entry uint8

const (
	EntryAsGroups      Entry = iota // a group, if one asks for connect requests; otherwise everyone comes in
	EntryFree                       // everyone comes in, and no group is asked
	EntryToken                      // whoever has a token that is good
	EntryGroup                      // a group; nobody comes in while none asks for connect requests
	EntryTokenAndGroup              // a group, of those who have a token that is good
)

func (e Entry) token() bool { return e == EntryToken || e == EntryTokenAndGroup }
func (e Entry) group() bool { return e == EntryGroup || e == EntryTokenAndGroup }

// EntryRule sets the Entry of the namespaces that match a pattern, in which * stands for any text.
type EntryRule struct {
	Pattern string
	Entry   Entry
}

// Tokens verifies what clients show.
type Tokens interface {
	// Verify says whom a token proves. It may wait until ctx ends. An error that is ErrNotNow
	// says that the client may try again, any other that it need not. All methods may be called
	// concurrently.
	Verify(ctx context.Context, token string) (*Identity, error)
}

// ErrNotNow is why a token could not be verified although it may be good.
var ErrNotNow = errors.New("tokens cannot be verified for now")

// Identity is whom a token proves.
type Identity struct {
	Subject    string
	Attributes map[string]string
	Expires    time.Time
}

// entry returns who decides about a namespace: the first rule that matches.
func (s *Server) entry(nsp string) Entry {
	for _, r := range s.cfg.Entries {
		if match(r.Pattern, nsp) {
			return r.Entry
		}
	}
	return EntryAsGroups
}

// match reports whether a name is of a pattern, in which * stands for any text.
func match(pattern, name string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], after
	}
}

// show takes the token out of the request: that of the packet, or else that of the handshake.
func (r *request) show() string {
	token, rest := sio.StringKey(r.auth, "token")
	if token == "" || r.c.srv.cfg.NoAuthToken {
		if t := r.c.conn.Handshake.Token; t != nil {
			return *t
		}
		return ""
	}
	if !r.c.srv.cfg.KeepTokens {
		r.auth = rest
	}
	return token
}

// verify decides about a client by its token, on a goroutine of its own: the keys may have to be
// fetched, and the connection is read on by whoever reads many others.
func (r *request) verify(token string, groups bool) {
	if !r.wait() {
		return
	}
	s := r.c.srv
	s.opening.Add(1)
	go func() { // awaited by Server.Close
		defer s.opening.Done()
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.ConnectTimeout)
		defer cancel()
		id, err := s.cfg.Tokens.Verify(ctx, token)
		switch {
		case errors.Is(err, ErrNotNow):
			r.timeout()
			return
		case err != nil:
			r.unproven(err)
			return
		}
		r.identity = id
		r.recognize()
		if groups {
			r.deliver()
			return
		}
		if r.take() {
			var f Flush
			r.join(r.proven(&Accept{}), &f)
			f.Do()
		}
	}()
}

// unproven refuses a client whose token is not good.
func (r *request) unproven(err error) {
	if !r.take() {
		return
	}
	c := r.c
	nsp := r.socket.Nsp.Name
	c.srv.cfg.Refused(refusedToken)
	c.srv.cfg.Unproven(nsp, c.conn.Handshake.RemoteAddr, err)
	c.reject(nsp, "Not authorized", nil)
}

// recognize gives up to resume a session of somebody else, before anybody is asked about that.
func (r *request) recognize() {
	if !r.resume {
		return
	}
	n := r.socket.Nsp
	n.mu.Lock()
	stranger := r.socket.subjectLocked() != r.identity.Subject
	n.mu.Unlock()
	if stranger {
		r.anew("of another subject")
	}
}

// proven adds what the token proves to what a group, if one was asked, has accepted.
func (r *request) proven(a *Accept) *Accept {
	id := r.identity
	if id == nil {
		return a
	}
	if a.UserID == "" {
		a.UserID = id.Subject
	}
	if len(id.Attributes) > 0 {
		attrs := make(map[string]string, len(id.Attributes)+len(a.Attributes))
		for _, m := range []map[string]string{id.Attributes, a.Attributes} { // a group has the last word
			for name, v := range m {
				attrs[name] = v
			}
		}
		a.Attributes = attrs
	}
	return a
}

// anew makes a new session of a request for one that exists, and notes why.
func (r *request) anew(why string) {
	r.note("session not resumed", slog.String("why", why))
	r.socket = newSocket(r.socket.Nsp)
	r.resume = false
}

// note is for the audit log, once no lock is held. It says which session is meant, and from where
// the client comes.
func (r *request) note(what string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("namespace", r.socket.Nsp.Name), slog.String("session", r.socket.SID),
		slog.String("from", hostOf(r.c.conn.Handshake))}, attrs...)
	r.notes = append(r.notes, note{what, attrs})
}

type note struct {
	what  string
	attrs []slog.Attr
}

// tell writes the notes. No lock is held.
func (r *request) tell() {
	for _, n := range r.notes {
		r.c.srv.cfg.Audit.LogAttrs(context.Background(), slog.LevelInfo, n.what, n.attrs...)
	}
	r.notes = nil
}

func hostOf(h *engineio.Handshake) string {
	if h == nil {
		return ""
	}
	host := h.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}
