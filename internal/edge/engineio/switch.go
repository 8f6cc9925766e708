package engineio

import (
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// maxProtocols bounds the sub-protocols a client may offer, in bytes.
const maxProtocols = 2048

// switchProtocols performs the WebSocket handshake as far as the answer, which it returns instead
// of sending it, so that the first packets leave in the same write. ahead is what the client has
// sent without waiting for the answer.
func (s *Server) switchProtocols(w http.ResponseWriter, r *http.Request) (answer []byte, nc net.Conn, ahead []byte, ok bool) {
	if answer = s.usualAnswer(r); answer != nil {
		nc, ahead, ok = s.hijack(w)
		return answer, nc, ahead, ok
	}
	header := http.Header{}
	s.addHeaders(header)
	size := 0
	for _, offer := range r.Header["Sec-Websocket-Protocol"] {
		size += len(offer)
	}
	fail := func(reason string) {
		s.refused("websocket", "handshake")
		w.Header().Set("Sec-WebSocket-Version", "13")
		s.writeRefusal(w, true, http.StatusBadRequest, refusal{message: reason})
	}
	if size > maxProtocols {
		fail("Sec-WebSocket-Protocol header too long")
		return
	}
	if len(r.Header["Sec-Websocket-Key"]) != 1 {
		fail("Missing or invalid Sec-WebSocket-Key header")
		return
	}
	if size > 0 {
		first, _, _ := strings.Cut(r.Header.Get("Sec-Websocket-Protocol"), ",")
		if first = strings.TrimSpace(first); first != "" {
			header.Set("Sec-Websocket-Protocol", first)
		}
	}
	var m memory
	u := websocket.Upgrader{
		ReadBufferSize:  128, // the connection is not used, only its answer
		WriteBufferPool: noBuffers{},
		CheckOrigin:     anyOrigin,
		Error:           func(_ http.ResponseWriter, _ *http.Request, _ int, reason error) { fail(reason.Error()) },
	}
	if _, err := u.Upgrade(&memoryResponse{w, &m}, r, header); err != nil {
		return
	}
	nc, ahead, ok = s.hijack(w)
	return m.out, nc, ahead, ok
}

// hijack takes the connection over. ahead is what the client has sent behind its request.
func (s *Server) hijack(w http.ResponseWriter) (nc net.Conn, ahead []byte, ok bool) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.log.Error("take a connection over", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return nil, nil, false
	}
	if n := rw.Reader.Buffered(); n > 0 {
		ahead = make([]byte, n)
		rw.Reader.Read(ahead)
	}
	nc.SetDeadline(time.Time{})
	return nc, ahead, true
}

// switching is how every answer to an upgrade begins.
const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

// usualAnswer is the answer to an upgrade as clients ask for it: without a sub-protocol, with
// nothing wrong. It is gorilla's, byte for byte; gorilla itself would make a connection for it that is
// thrown away, which was a tenth of what a visit allocates. Any other request is for gorilla: nil.
func (s *Server) usualAnswer(r *http.Request) []byte {
	key := r.Header["Sec-Websocket-Key"]
	if len(s.config.Headers) > 0 || r.Header["Sec-Websocket-Protocol"] != nil || len(key) != 1 || !validKey(key[0]) ||
		!isOnly(r.Header["Connection"], "upgrade", "keep-alive, upgrade") || !isOnly(r.Header["Upgrade"], "websocket") || !isOnly(r.Header["Sec-Websocket-Version"], "13") {
		return nil
	}
	var buf [keySize + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(buf[:0], key[0]...), acceptGUID...))
	answer := make([]byte, 0, len(switching)+32+len("\r\n\r\n"))
	answer = base64.StdEncoding.AppendEncode(append(answer, switching...), sum[:])
	return append(answer, "\r\n\r\n"...)
}

// acceptGUID is what RFC 6455, section 1.3, has hashed with the key, keySize the length of a key.
const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	keySize    = 24
)

// validKey says whether a key is 16 bytes in base64.
func validKey(key string) bool {
	var buf [18]byte
	if len(key) != keySize {
		return false
	}
	n, err := base64.StdEncoding.Decode(buf[:], []byte(key))
	return err == nil && n == 16
}

// isOnly says whether a field has one value, and that is one of those wanted, in letters of any size.
func isOnly(values []string, wanted ...string) bool {
	return len(values) == 1 && slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(values[0], w) })
}

// noBuffers keeps gorilla from allocating a write buffer for a connection that never writes.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}
