package engineio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/deadline"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
)

// polls is the polling side of a Socket. Socket.mu guards it.
type polls struct {
	waiting *poll                    // the GET that waits for something to send
	posting *http.ResponseController // of the POST that is being received or handled
	resumed chan struct{}            // closed by Unpause and by Close; nil unless a POST waits
	last    deadline.Deadline        // closed, and the client does not know yet
	goodbye bool                     // the close packet is to follow what is queued
	probe   *conn                    // the WebSocket that wants to take over
	probes  int                      // how often it was tried out
	asked   limit.Bucket
}

// poll is one waiting GET.
type poll struct {
	done  chan struct{} // closed once out is set
	out   *queue
	leave bool // the connection is to be closed; set before done is closed
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
//
// What was queued before the end and the close packet go in two responses: stock clients look at
// the packets of a response one turn after another, but act on its close at once.
func (s *Socket) takeLocked() *queue {
	out := s.out
	s.out = nil
	if s.reason != 0 && s.polls.goodbye {
		s.polls.goodbye = false
		s.queueLocked(closePacket)
		return out
	}
	if s.reason != 0 {
		s.polls.last.Remove()
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
	case graceful && s.reason != ServerShutdown && s.out != nil:
		p.goodbye = true
		s.server.deadlines[dueLastPoll].Add(&p.last, s)
		if p.waiting != nil {
			s.answerLocked()
		}
		return false
	case p.waiting != nil && s.reason == TransportClose:
		s.queueLocked(noopPacket)
		s.answerLocked()
	case p.waiting != nil:
		s.queueLocked(closePacket)
		s.answerLocked()
	case graceful && s.reason != ServerShutdown:
		s.queueLocked(closePacket)
		s.server.deadlines[dueLastPoll].Add(&p.last, s)
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
		s.dismissed(r)
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
	if poll.leave {
		w.Header().Set("Connection", "close")
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
		s.server.config.Budget.Add(budget.Queues, size)
		defer s.server.config.Budget.Free(budget.Queues, size)
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
