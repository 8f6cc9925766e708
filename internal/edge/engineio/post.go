package engineio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
)

// servePost handles the packets of a POST.
func (s *Server) servePost(w http.ResponseWriter, r *http.Request, sock *Socket) {
	rc := http.NewResponseController(w)
	sock.mu.Lock()
	p := sock.polls
	reason, status := "", 0
	switch {
	case sock.conn != nil:
		sock.mu.Unlock()
		s.refused("http", "transport mismatch")
		s.refuse(w, false, badRequest)
		return
	case sock.reason != 0:
		sock.mu.Unlock()
		s.finishPost(w, r) // the next GET tells the client
		return
	case p.posting != nil:
		reason, status = "overlap", http.StatusBadRequest
	case isOctetStream(r.Header.Get("Content-Type")):
		reason, status = "content type", http.StatusBadRequest
	case r.Header.Get("Content-Encoding") != "":
		reason, status = "content encoding", http.StatusUnsupportedMediaType
	case r.ContentLength > int64(s.config.MaxPayload):
		reason, status = "too large", http.StatusRequestEntityTooLarge
	}
	if status != 0 {
		sock.closeLocked(TransportError)
		if p.posting != nil {
			p.posting.SetReadDeadline(time.Unix(1, 0)) // ends the first one, which sees why: closed comes before
		}
		sock.mu.Unlock()
		s.refusePost(w, reason, status)
		return
	}
	p.posting = rc
	rc.SetReadDeadline(time.Now().Add(s.config.BodyTimeout)) // with the lock: not after one that ends it
	sock.mu.Unlock()

	body, err := s.readBody(r)
	defer func() { s.config.Budget.Free(budget.Input, cap(body)) }()
	verdict := TransportError
	switch {
	case errors.Is(err, errTooLarge):
		reason, status = "too large", http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoMemory):
		reason, status = "memory", http.StatusServiceUnavailable
	case isTimeout(err) && sock.stop.Load()&stopClosed == 0: // else another POST has ended this one
		reason, status = "timeout", http.StatusRequestTimeout
	case err != nil:
		reason, status = "aborted", http.StatusBadRequest
	case !utf8.Valid(body):
		reason, status = "utf-8", http.StatusBadRequest
		verdict = ParseError
	default:
		rc.SetReadDeadline(time.Time{})
		verdict = sock.receivePayload(body)
		if verdict == ParseError || verdict == TransportError {
			reason, status = "parse", http.StatusBadRequest
		}
	}

	sock.mu.Lock()
	if verdict != 0 {
		sock.closeLocked(verdict)
	}
	p.posting = nil
	sock.goOnLocked(stopPost)
	sock.mu.Unlock()
	if status != 0 {
		s.refusePost(w, reason, status)
		return
	}
	s.finishPost(w, r)
}

// receivePayload handles the packets of a body, and returns why the Socket has to close, or 0.
func (s *Socket) receivePayload(body []byte) Reason {
	// A message that is kept must not keep the others of its body.
	several := bytes.IndexByte(body, eio.Separator) >= 0
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	s.cork()
	defer s.uncork()
	n := 0
	for p, err := range eio.Packets(body) {
		if !s.awaitResume() {
			return 0
		}
		if err != nil {
			return ParseError
		}
		if n++; n > s.server.config.MaxPackets {
			return TransportError
		}
		if several {
			p.Data = bytes.Clone(p.Data)
		}
		if r := s.receive(p); r != 0 {
			return r
		}
	}
	return 0
}

// awaitResume waits while the Socket is paused, and lets go of recvMu meanwhile. It returns false
// if the Socket is closed.
func (s *Socket) awaitResume() bool {
	for {
		switch stop := s.stop.Load(); {
		case stop&stopClosed != 0:
			return false
		case stop&stopReading == 0:
			return true
		}
		s.mu.Lock()
		s.uncorkLocked()
		var resumed chan struct{}
		if s.deafLocked() && s.reason == 0 {
			if s.polls.resumed == nil {
				s.polls.resumed = make(chan struct{})
			}
			resumed = s.polls.resumed
		}
		s.mu.Unlock()
		if resumed != nil {
			s.recvMu.Unlock()
			<-resumed
			s.recvMu.Lock()
		}
		s.cork()
	}
}

func (s *Server) finishPost(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	s.addHeaders(h)
	h.Set("Content-Type", "text/html")
	h.Set("Content-Length", "2")
	h.Set("Cache-Control", "no-store")
	guardOldBrowsers(h, r)
	io.WriteString(w, "ok")
}

// refusePost answers a POST whose packets are lost, and with them the session.
func (s *Server) refusePost(w http.ResponseWriter, reason string, status int) {
	s.refused("polling", reason)
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
}

var errTooLarge = errors.New("body exceeds the limit")

var errNoMemory = errors.New("no memory for the body")

// readBody reads a body of at most Config.MaxPayload bytes. What it holds grows with what arrives,
// and is charged before. The caller frees the charge for the capacity of what it returns.
func (s *Server) readBody(r *http.Request) ([]byte, error) {
	limit := s.config.MaxPayload
	end := limit + 1
	if r.ContentLength >= 0 {
		end = int(r.ContentLength)
	}
	var buf []byte
	for size := min(end, 4096); ; size = min(2*size, end) {
		if !s.config.Budget.Take(budget.Input, size-cap(buf)) {
			return buf, errNoMemory
		}
		grown := make([]byte, len(buf), size)
		copy(grown, buf)
		buf = grown
		for len(buf) < cap(buf) {
			n, err := r.Body.Read(buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			switch {
			case len(buf) > limit:
				return buf, errTooLarge
			case err == io.EOF:
				return buf, nil
			case err != nil:
				return buf, err
			}
		}
		if len(buf) == end {
			return buf, nil
		}
	}
}

func isOctetStream(contentType string) bool {
	const octetStream = "application/octet-stream"
	return len(contentType) >= len(octetStream) && strings.EqualFold(contentType[:len(octetStream)], octetStream)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
