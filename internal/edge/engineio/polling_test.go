package engineio

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const sidUnknown = `{"code":1,"message":"Session ID unknown"}`

func TestPolling(t *testing.T) {
	t.Run("P01 P02 P03 P04 P15 P16 P17 P22 echo", func(t *testing.T) {
		e := newEdge(t, Config{}, &floor{})
		_, q := e.poll()
		for _, payload := range []string{
			"4hello", "4a\x1e4b\x1e4c", "4hello\x1ebAQIDBA==", "4€\x1e4\U0001F600 你好", "4", "bAQID", "b",
			"4" + strings.Repeat("x", 999_998), strings.Repeat("4x\x1e", 3000) + "4x",
		} {
			e.want(200, "ok", "POST", q, payload)
			e.want(200, payload, "GET", q, "")
		}
	})
	t.Run("a GET waits for a message", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("GET", q, "")
		s := f.last()
		eventually(t, "a GET waits", s.pollWaits)
		s.Queue(NewMessage([]byte("51-"), [][]byte{{1, 2, 3}}), false)
		s.Queue(NewMessage([]byte("2"), nil), false)
		s.Flush()
		if a := <-got; a.status != 200 || a.body != "451-\x1ebAQID\x1e42" {
			t.Errorf("%v", a)
		}
	})
	t.Run("P13 P14 body in chunks", func(t *testing.T) {
		e := newEdge(t, Config{}, &floor{})
		_, q := e.poll()
		r, w := io.Pipe()
		go func() {
			for _, b := range []byte("4€€€") {
				w.Write([]byte{b})
			}
			w.Close()
		}()
		req, _ := http.NewRequest("POST", e.base+"/socket.io/?"+q, r) // unknown length: chunked
		resp, err := e.rt.RoundTrip(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		e.want(200, "4€€€", "GET", q, "")
	})
	t.Run("P18 connection: close", func(t *testing.T) {
		e := newEdge(t, Config{}, &floor{})
		_, q := e.poll()
		e.do("POST", q, "4a", "Connection", "close")
		resp, body := e.do("GET", q, "", "Connection", "close")
		if resp.StatusCode != 200 || body != "4a" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		e.want(200, "ok", "POST", q, "4b")
	})
	t.Run("P11 body of exactly the limit", func(t *testing.T) {
		e := newEdge(t, Config{MaxPayload: 10}, &floor{})
		_, q := e.poll()
		e.want(200, "ok", "POST", q, "4123456789")
		e.want(200, "4123456789", "GET", q, "")
	})
}

// pollWaits reports whether a GET waits.
func (s *Socket) pollWaits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls.waiting != nil
}

// TestBadPosts shows every POST that costs the session.
func TestBadPosts(t *testing.T) {
	for _, tt := range []struct {
		id, body, header string
		status           int
		reason           Reason
	}{
		{"P05 rel/L7 invalid", "abc", "", 400, ParseError},
		{"rel/L7 empty", "", "", 400, ParseError},
		{"rel/L7 separator alone", "\x1e", "", 400, ParseError},
		{"rel/L7 separator behind", "4a\x1e", "", 400, ParseError},
		{"rel/L7 unknown type", "7", "", 400, ParseError},
		{"P09 rel/L8 octet-stream", "4a", "Content-Type: application/octet-stream", 400, TransportError},
		{"rel/L8 upper case", "4a", "Content-Type: Application/Octet-Stream; x=y", 400, TransportError},
		{"rel/H19 encoded", "4a", "Content-Encoding: gzip", 415, TransportError},
		{"P10 rel/L1 too large", "4" + strings.Repeat("x", 1_000_000), "", 413, TransportError},
		{"P10 rel/L1 too large, chunked", "4" + strings.Repeat("x", 1_000_000), "chunked", 413, TransportError},
		{"rel/L9 base64", "b###", "", 400, ParseError},
		{"rel/L9 unpadded", "bAQI", "", 400, ParseError},
		{"rel/L9 of another alphabet", "b__--", "", 400, ParseError},
		{"rel/L10 UTF-8", "4\xff", "", 400, ParseError},
		{"rel/L11 JSONP body", "d=4a", "", 400, ParseError},
		{"B10 rel/K3 ping", "2", "", 400, TransportError},
		{"rel/L3 too many packets", strings.Repeat("4\x1e", 16_384) + "4", "", 400, TransportError},
		{"rel/K4 pongs", strings.Repeat("3\x1e", 60) + "3", "", 400, TransportError},
	} {
		t.Run(tt.id, func(t *testing.T) {
			f := &floor{mute: true}
			e := newEdge(t, Config{}, f)
			_, q := e.poll()
			var body io.Reader = strings.NewReader(tt.body)
			if tt.header == "chunked" {
				body = struct{ io.Reader }{body}
			}
			req, _ := http.NewRequest("POST", e.base+"/socket.io/?"+q, body)
			if name, value, ok := strings.Cut(tt.header, ": "); ok {
				req.Header.Set(name, value)
			}
			resp, err := e.rt.RoundTrip(req)
			if err != nil {
				t.Logf("%v", err) // the connection may be cut while the body is still on its way
			} else {
				resp.Body.Close()
				if resp.StatusCode != tt.status || !resp.Close {
					t.Errorf("%d close %v, want %d and the connection closed", resp.StatusCode, resp.Close, tt.status)
				}
			}
			f.wantClosed(t, tt.reason)
			e.want(400, sidUnknown, "GET", q, "")
		})
	}
}

func TestPollingOverlap(t *testing.T) {
	t.Run("P06 rel/L4 two GETs", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		first := e.async("GET", q, "")
		eventually(t, "a GET waits", f.last().pollWaits)
		e.want(400, "", "GET", q, "")
		if a := <-first; a.status != 200 || a.body != "1" {
			t.Errorf("first: %v", a)
		}
		f.wantClosed(t, TransportError)
		e.want(400, sidUnknown, "GET", q, "")
	})
	t.Run("P08 rel/L5 two POSTs", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		slow := e.slowPost(q, "4abc")
		eventually(t, "a POST is read", func() bool {
			s := f.last()
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.polls.posting != nil
		})
		e.want(400, "", "POST", q, "4b")
		resp, err := http.ReadResponse(slow, nil)
		if err == nil && resp.StatusCode != 400 {
			t.Errorf("first: %d", resp.StatusCode)
		}
		f.wantClosed(t, TransportError)
	})
	t.Run("rel/L5 the first of two POSTs is ended by nothing but the end of the session", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		s := f.last()
		post := func(body io.Reader) *watchedPost {
			w := &watchedPost{ResponseRecorder: httptest.NewRecorder(), t: t, sock: s}
			r := httptest.NewRequest("POST", "/socket.io/?"+q, body)
			e.server.ServeHTTP(w, r)
			return w
		}
		body, rest := io.Pipe()
		first := make(chan *watchedPost, 1)
		go func() { first <- post(body) }()
		eventually(t, "a POST is read", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.polls.posting != nil
		})
		if w := post(strings.NewReader("4b")); w.Code != 400 {
			t.Errorf("second: %d", w.Code)
		}
		rest.CloseWithError(os.ErrDeadlineExceeded) // what the deadline does to a body
		if w := <-first; w.Code != 400 {
			t.Errorf("first: %d", w.Code)
		}
		f.wantClosed(t, TransportError)
	})
	t.Run("P07 L07 rel/L6 GET given up", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		nc, err := e.dialer()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(nc, "GET /socket.io/?"+q+" HTTP/1.1\r\nHost: edge.test\r\n\r\n")
		eventually(t, "a GET waits", f.last().pollWaits)
		nc.Close()
		f.wantClosed(t, TransportError)
		e.want(400, sidUnknown, "GET", q, "")
	})
}

// watchedPost answers a POST and looks at when deadlines are set for its body: with the Socket
// locked, so that none undoes a later one, and to the past only once the Socket is closed, which is
// what tells the POST that it was ended from one that took too long.
type watchedPost struct {
	*httptest.ResponseRecorder
	t    *testing.T
	sock *Socket
}

// SetReadDeadline is what http.ResponseController calls.
func (w *watchedPost) SetReadDeadline(at time.Time) error {
	if at.IsZero() {
		return nil // the body has been read
	}
	if w.sock.mu.TryLock() {
		w.sock.mu.Unlock()
		w.t.Error("the deadline of a body is set without the lock")
	}
	if at.Before(time.Now()) && w.sock.stop.Load()&stopClosed == 0 {
		w.t.Error("a POST is ended before the Socket is closed")
	}
	return nil
}

// slowPost sends the head of a POST, and its body but for the last byte.
func (e *edge) slowPost(q, body string) *bufio.Reader {
	e.t.Helper()
	nc, err := e.dialer()
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { nc.Close() })
	io.WriteString(nc, "POST /socket.io/?"+q+" HTTP/1.1\r\nHost: edge.test\r\nContent-Length: "+
		string(rune('0'+len(body)))+"\r\n\r\n"+body[:len(body)-1])
	return bufio.NewReader(nc)
}

func TestPollingClose(t *testing.T) {
	t.Run("L01 rel/K2 by the client", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("GET", q, "")
		eventually(t, "a GET waits", f.last().pollWaits)
		e.want(200, "ok", "POST", q, "1")
		if a := <-got; a.status != 200 || a.body != "6" {
			t.Errorf("%v", a)
		}
		f.wantClosed(t, TransportClose)
		e.want(400, sidUnknown, "GET", q, "")
	})
	t.Run("L03 by the server, GET waits", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("GET", q, "")
		eventually(t, "a GET waits", f.last().pollWaits)
		f.last().Queue(NewMessage([]byte("bye"), nil), false)
		f.last().Close(ForcedClose)
		if a := <-got; a.body != "4bye" { // L09
			t.Errorf("%v", a)
		}
		f.wantClosed(t, ForcedClose)
		e.want(200, "1", "GET", q, "") // apart, or a stock client acts on it first
		e.want(400, sidUnknown, "GET", q, "")
	})
	t.Run("P20 L09 by the server, no GET", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		f.last().Queue(NewMessage([]byte("bye"), nil), false)
		f.last().Close(ForcedClose)
		f.wantClosed(t, ForcedClose)
		e.want(200, "ok", "POST", q, "4into the void")
		e.want(200, "4bye", "GET", q, "")
		e.want(200, "1", "GET", q, "")
		e.want(400, sidUnknown, "GET", q, "")
	})
	t.Run("P20 nobody asks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &floor{}
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			sid, q := e.poll()
			f.last().Close(ForcedClose)
			time.Sleep(30*time.Second - 1)
			synctest.Wait()
			if e.server.find(sid) == nil {
				t.Error("forgotten too early")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if e.server.find(sid) != nil {
				t.Error("not forgotten")
			}
			e.want(400, sidUnknown, "GET", q, "")
		})
	})
	t.Run("L05 within a payload", func(t *testing.T) {
		f := &floor{hear: func(s *Socket, _ bool, data []byte) {
			if string(data) == "stop" {
				s.Close(ForcedClose)
			}
		}}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		e.want(200, "ok", "POST", q, "4a\x1e4stop\x1e4b")
		e.want(200, "1", "GET", q, "")
		if got := strings.Join(f.heard(), " "); got != "a stop" {
			t.Errorf("heard %s", got)
		}
	})
	t.Run("L06 while opening", func(t *testing.T) {
		f := &floor{open: func(s *Socket) { s.Close(ForcedClose) }}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		f.wantClosed(t, ForcedClose)
		e.want(200, "1", "GET", q, "")

		f = &floor{open: func(s *Socket) { s.Close(TransportError) }}
		e = newEdge(t, Config{}, f)
		e.want(400, sidUnknown, "GET", "EIO=4&transport=polling", "")
		f.wantClosed(t, TransportError)
	})
	t.Run("L08 L11 server stops", func(t *testing.T) {
		f := &floor{}
		e := newEdge(t, Config{}, f)
		_, q := e.poll()
		got := e.async("GET", q, "")
		eventually(t, "a GET waits", f.last().pollWaits)
		c, _ := e.ws()
		closed := make(chan error)
		go func() { closed <- e.server.Close(t.Context()) }()
		if a := <-got; a.body != "1" {
			t.Errorf("%v", a)
		}
		c.wantClose(1005)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		for _, r := range f.reasonsSoFar() {
			if r != ServerShutdown {
				t.Errorf("reason %v", r)
			}
		}
	})
}

func TestPollingTimeouts(t *testing.T) {
	t.Run("rel/L2 body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &floor{}
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			_, q := e.poll()
			begin := time.Now()
			resp, err := http.ReadResponse(e.slowPost(q, "4abc"), nil)
			if err != nil || resp.StatusCode != 408 || time.Since(begin) != 20*time.Second {
				t.Errorf("%v %v after %v", resp, err, time.Since(begin))
			}
			synctest.Wait()
			if got := f.reasonsSoFar(); len(got) != 1 || got[0] != TransportError {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("rel/L12 GET that is not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &floor{}
			e := startEdge(t, inMemory, Config{}, f)
			defer e.stop()
			_, q := e.poll()
			f.last().Queue(NewMessage(make([]byte, 100_000), nil), false)
			nc, err := e.dialer()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			io.WriteString(nc, "GET /socket.io/?"+q+" HTTP/1.1\r\nHost: edge.test\r\n\r\n")
			time.Sleep(10*time.Second - 1)
			synctest.Wait()
			if got := f.reasonsSoFar(); len(got) != 0 {
				t.Errorf("closed early: %v", got)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := f.reasonsSoFar(); len(got) != 1 || got[0] != SlowConsumer {
				t.Errorf("%v", got)
			}
		})
	})
}
