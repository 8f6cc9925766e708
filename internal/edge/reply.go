package edge

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"time"
)

// reply is the http.ResponseWriter of a request that a loop answers. An answer that is no takeover is
// short, and the last on its connection.
type reply struct {
	arrival *arrival
	ahead   []byte // what the client sent behind its request
	header  http.Header
	status  int // 0: not said yet
	body    []byte
}

// Header implements http.ResponseWriter.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *reply) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	return len(b), nil
}

// Hijack implements http.Hijacker.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a := w.arrival
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.door.leave(a)
	a.place.leave()
	r := new(bufio.Reader)
	if len(w.ahead) > 0 {
		r = bufio.NewReaderSize(bytes.NewReader(w.ahead), len(w.ahead))
		r.Peek(len(w.ahead))
	}
	nc := taken{a}
	return nc, bufio.NewReadWriter(r, bufio.NewWriterSize(nc, 16)), nil
}

// bytes is the answer.
func (w *reply) bytes() []byte {
	w.header.Set("Connection", "close")
	w.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.header.Set("Content-Length", strconv.Itoa(len(w.body)))
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(w.status) + " " + http.StatusText(w.status) + "\r\n")
	w.header.Write(&b) // into memory: cannot fail
	b.WriteString("\r\n")
	b.Write(w.body)
	return b.Bytes()
}
