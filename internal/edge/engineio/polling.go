package engineio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
)

// polls is the polling side of a Socket. Socket.mu guards it.
type polls struct {
	waiting *poll                    // the GET that waits for something to send
	posting *http.ResponseController // of the POST that is being received or handled
	resumed chan struct{}            // closed by Unpause and by Close; nil unless a POST waits
	last    deadline                 // closed, and the client does not know yet
	probe   *conn                    // the WebSocket that wants to take over
	probes  int                      // how often it was tried out
}

// poll is one waiting GET.
type poll struct {
	done chan struct{} // closed once out is set
	out  *queue
}

// probed reports whether an upgrade is under way: until it is settled no GET may wait.
func (p *polls) probed() bool { return p.probe != nil && p.probes > 0 }

// answerLocked hands everything that is queued to the waiting GET.
func (s *Socket) answerLocked() {
	p := s.polls.waiting
	s.polls.waiting = nil
	p.out = s.takeLocked()
	close(p.done)
}

// takeLocked removes everything that is queued. A client that gets it from a closed Socket has
// heard of the end.
func (s *Socket) takeLocked() *queue {
	out := s.out
	s.out = nil
	if s.reason != 0 {
		s.polls.last.remove()
		s.server.forget(s)
	}
	return out
}

// releaseLocked answers the GET that waits, if one does, with a noop unless there is more to say.
func (s *Socket) releaseLocked() {
	if s.polls.waiting == nil {
		return
	}
	if s.out == nil {
		s.queueLocked(noopPacket)
	}
	s.answerLocked()
}

// closePollsLocked ends the polling side. It returns false if the Socket has to stay known until
// the client polls and learns that it is closed.
func (s *Socket) closePollsLocked(graceful bool) (forget bool) {
	p := s.polls
	if p.resumed != nil {
		close(p.resumed)
		p.resumed = nil
	}
	if p.probe != nil {
		p.probe.abandonLocked()
	}
	switch {
	case s.conn != nil:
	case p.waiting != nil && s.reason == TransportClose:
		s.queueLocked(noopPacket)
		s.answerLocked()
	case p.waiting != nil:
		s.queueLocked(closePacket)
		s.answerLocked()
	case graceful && s.reason != ServerShutdown:
		s.queueLocked(closePacket)
		s.server.deadlines[dueLastPoll].add(&p.last, s)
		return false
	default:
		s.dropLocked()
	}
	return true
}

// openPolling answers a handshake.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request) {
	sock := s.newSocket(r, Polling)
	if sock == nil {
		s.refuse(w, false, badRequest)
		return
	}
	if s.config.Cookie != nil {
		c := *s.config.Cookie
		c.Value = sock.SID
		http.SetCookie(w, &c)
	}
	sock.recvMu.Lock()
	sock.greet(s.upgrades)
	sock.mu.Lock()
	sock.corked = false
	out := sock.takeLocked()
	sock.mu.Unlock()
	sock.recvMu.Unlock()
	if out == nil { // closed by the Handler, without a word
		s.refuse(w, false, sessionUnknown)
		return
	}
	sock.respond(w, r, out)
}

// servePoll answers a GET: at once if something is queued, otherwise as soon as something is.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request, sock *Socket) {
	sock.mu.Lock()
	p := sock.polls
	switch {
	case sock.conn != nil: // upgraded since it was looked up
		sock.mu.Unlock()
		s.refused("http", "transport mismatch")
		s.refuse(w, false, badRequest)
		return
	case sock.reason != 0:
		out := sock.takeLocked()
		sock.mu.Unlock()
		if out == nil {
			s.refused("http", "sid")
			s.refuse(w, false, sessionUnknown)
			return
		}
		sock.respond(w, r, out)
		return
	case p.waiting != nil:
		sock.closeLocked(TransportError)
		sock.mu.Unlock()
		s.refused("polling", "overlap")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !sock.corked && (sock.out != nil || p.probed()) {
		if sock.out == nil {
			sock.queueLocked(noopPacket)
		}
		out := sock.takeLocked()
		sock.mu.Unlock()
		sock.respond(w, r, out)
		return
	}
	poll := &poll{done: make(chan struct{})}
	p.waiting = poll
	sock.mu.Unlock()
	select {
	case <-poll.done:
	case <-r.Context().Done():
		sock.mu.Lock()
		if p.waiting == poll {
			p.waiting = nil
			s.refused("polling", "aborted")
			sock.closeLocked(TransportError)
			sock.mu.Unlock()
			return
		}
		sock.mu.Unlock()
	}
	sock.respond(w, r, poll.out)
}

// respond writes messages as a payload. It consumes out.
func (s *Socket) respond(w http.ResponseWriter, r *http.Request, out *queue) {
	size := 0
	for _, m := range out.pending() {
		size += m.payloadSize()
	}
	var buf scratch
	defer buf.free()
	var payload []byte
	if size <= scratchSize {
		payload = buf.get()[:0]
	} else {
		payload = make([]byte, 0, size)
	}
	for _, m := range out.pending() {
		payload = m.appendPayload(payload)
	}
	out.recycle()

	h := w.Header()
	s.server.addHeaders(h)
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Content-Length", strconv.Itoa(len(payload)))
	h.Set("Cache-Control", "no-store")
	guardOldBrowsers(h, r)
	rc := http.NewResponseController(w)
	// A recorder in a test has no deadlines, and needs none.
	rc.SetWriteDeadline(time.Now().Add(s.server.config.WriteTimeout))
	_, err := w.Write(payload)
	if err == nil {
		err = rc.Flush()
	}
	rc.SetWriteDeadline(time.Time{})
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.server.refused("polling", "slow")
		s.Close(lossReason(err))
	}
}

// guardOldBrowsers stops browsers that guess content types from running what they are sent.
func guardOldBrowsers(h http.Header, r *http.Request) {
	if ua := r.UserAgent(); strings.Contains(ua, ";MSIE") || strings.Contains(ua, "Trident/") {
		h.Set("X-XSS-Protection", "0")
	}
}

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
		p.posting.SetReadDeadline(time.Unix(1, 0)) // ends the first one
	case isOctetStream(r.Header.Get("Content-Type")):
		reason, status = "content type", http.StatusBadRequest
	case r.Header.Get("Content-Encoding") != "":
		reason, status = "content encoding", http.StatusUnsupportedMediaType
	case r.ContentLength > int64(s.config.MaxPayload):
		reason, status = "too large", http.StatusRequestEntityTooLarge
	}
	if status != 0 {
		sock.closeLocked(TransportError)
		sock.mu.Unlock()
		s.refusePost(w, reason, status)
		return
	}
	p.posting = rc
	sock.mu.Unlock()

	rc.SetReadDeadline(time.Now().Add(s.config.BodyTimeout))
	body, err := readBody(r, s.config.MaxPayload)
	verdict := TransportError
	switch {
	case errors.Is(err, errTooLarge):
		reason, status = "too large", http.StatusRequestEntityTooLarge
	case isTimeout(err):
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
		case stop&stopPaused == 0:
			return true
		}
		s.mu.Lock()
		s.uncorkLocked()
		var resumed chan struct{}
		if s.pause != nil && s.reason == 0 {
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

// readBody reads a body of at most limit bytes. What it holds grows with what arrives.
func readBody(r *http.Request, limit int) ([]byte, error) {
	end := limit + 1
	if r.ContentLength >= 0 {
		end = int(r.ContentLength)
	}
	buf := make([]byte, 0, min(end, 4096))
	for {
		if len(buf) > limit {
			return nil, errTooLarge
		}
		if len(buf) == end {
			return buf, nil
		}
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), end))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
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

// lossReason is why a connection that failed with err is gone.
func lossReason(err error) Reason {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return TransportClose
	case isTimeout(err):
		return SlowConsumer
	}
	return TransportError
}
