package protocol

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds every wait. It is generous, since only a failing test waits for it to end.
const patience = 20 * time.Second

// browser sends the requests of the tests: HTTP/1.1 without compression and without redirects.
var browser = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
}

// reply is an HTTP response that was read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// roundTrip sends one request. Header lines are given as "Name: value".
func roundTrip(ctx context.Context, method, url, body string, header ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := browser.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols { // there is no end to read to
		return reply{Status: res.StatusCode, Header: res.Header}, nil
	}
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b)}, err
}

// do is roundTrip for requests that have to be answered.
func do(t *testing.T, method, url, body string, header ...string) reply {
	t.Helper()
	r, err := roundTrip(t.Context(), method, url, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// want fails unless the reply has the status and, if body is not "*", the body.
func (r reply) want(t *testing.T, status int, body string) {
	t.Helper()
	if r.Status != status || body != "*" && r.Body != body {
		t.Fatalf("got %d %q, want %d %q", r.Status, r.Body, status, body)
	}
}

// opening is the handshake of Engine.IO as clients see it.
type opening struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	MaxPayload   int      `json:"maxPayload"`
}

// parseOpening reads an open packet and fails unless it has exactly the specified keys.
func parseOpening(t *testing.T, packet string) opening {
	t.Helper()
	var keys map[string]json.RawMessage
	var o opening
	text, isOpen := strings.CutPrefix(packet, "0")
	if !isOpen || json.Unmarshal([]byte(text), &keys) != nil || json.Unmarshal([]byte(text), &o) != nil {
		t.Fatalf("handshake is %q, want 0 and a JSON object", packet)
	}
	specified := []string{"maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, specified) {
		t.Fatalf("handshake has the keys %v, want %v", got, specified)
	}
	if o.Upgrades == nil || o.SID == "" {
		t.Fatalf("handshake is %s, want a list of upgrades and a sid", text)
	}
	return o
}

// polling is a session that is carried by HTTP requests.
type polling struct {
	opening
	url string
}

// poll opens a polling session on the server at base, such as "http://host/socket.io/".
func poll(t *testing.T, base string) polling {
	t.Helper()
	url := base + "?EIO=4&transport=polling"
	r := do(t, "GET", url, "")
	r.want(t, 200, "*")
	o := parseOpening(t, r.Body)
	return polling{o, url + "&sid=" + o.SID}
}

func (p polling) get(t *testing.T) reply               { t.Helper(); return do(t, "GET", p.url, "") }
func (p polling) post(t *testing.T, body string) reply { t.Helper(); return do(t, "POST", p.url, body) }

// send posts packets that the server has to take.
func (p polling) send(t *testing.T, body string) {
	t.Helper()
	p.post(t, body).want(t, 200, "ok")
}

// receive polls until n packets have come, in the order of their coming.
func (p polling) receive(t *testing.T, n int) []string {
	t.Helper()
	var packets []string
	for len(packets) < n {
		r := p.get(t)
		r.want(t, 200, "*")
		packets = append(packets, strings.Split(r.Body, "\x1e")...)
	}
	return packets
}

// wantGone fails unless the session ends: a POST, which never waits, is refused in the end.
func (p polling) wantGone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r, err := roundTrip(t.Context(), "POST", p.url, "3")
		if err == nil && r.Status == 400 && strings.Contains(r.Body, `"code":1`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session is still there: %d %q, %v", r.Status, r.Body, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// start sends a GET and returns once it is on its way; its outcome comes by the channel. Status 0
// means that the connection was closed without an answer.
func (p polling) start(ctx context.Context) <-chan reply {
	wrote := make(chan struct{}, 8) // a request on a stale connection is written again
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote <- struct{}{} },
	})
	done := make(chan reply, 1)
	go func() {
		r, _ := roundTrip(ctx, "GET", p.url, "")
		done <- r
	}()
	select {
	case <-wrote:
	case <-time.After(patience): // the test will see what became of it
	}
	return done
}

// frame is a WebSocket message.
type frame struct {
	binary bool
	data   string
}

// String shows a frame as a polling payload would hold it.
func (f frame) String() string {
	if f.binary {
		return "b" + base64.StdEncoding.EncodeToString([]byte(f.data))
	}
	return f.data
}

// ws is one WebSocket. A goroutine reads it until it ends.
type ws struct {
	*websocket.Conn
	frames chan frame // closed after the last
	err    error      // why it ended; read it after frames is closed
}

// dial opens a WebSocket on the server at base with the query. The test closes it.
func dial(t *testing.T, base, query string, header ...string) *ws {
	t.Helper()
	w, r, err := tryDial(t.Context(), base, query, header...)
	if err != nil {
		t.Fatalf("dial %s?%s: %v %d %q", base, query, err, r.Status, r.Body)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// tryDial is dial for handshakes that may be refused; the reply is the refusal.
func tryDial(ctx context.Context, base, query string, header ...string) (*ws, reply, error) {
	fields := http.Header{}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		fields.Set(name, value)
	}
	conn, res, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(base, "http")+"?"+query, fields)
	if err != nil {
		var r reply
		if res != nil {
			body, _ := io.ReadAll(res.Body)
			r = reply{res.StatusCode, res.Header, string(body)}
		}
		return nil, r, err
	}
	w := &ws{Conn: conn, frames: make(chan frame, 4096)}
	go w.readLoop()
	return w, reply{Status: res.StatusCode, Header: res.Header}, nil
}

func (w *ws) readLoop() {
	defer close(w.frames)
	for {
		kind, b, err := w.ReadMessage()
		if err != nil {
			w.err = err
			return
		}
		w.frames <- frame{kind == websocket.BinaryMessage, string(b)}
	}
}

// next waits for a frame.
func (w *ws) next(t *testing.T) frame {
	t.Helper()
	select {
	case f, open := <-w.frames:
		if !open {
			t.Fatalf("the WebSocket ended: %v", w.err)
		}
		return f
	case <-time.After(patience):
		t.Fatal("no frame came")
	}
	panic("unreachable")
}

// want fails unless exactly these frames come next; binary ones are written b<base64>.
func (w *ws) want(t *testing.T, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if got := w.next(t).String(); got != f {
			t.Fatalf("got the frame %q, want %q", got, f)
		}
	}
}

func (w *ws) send(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := w.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatalf("send %q: %v", text, err)
		}
	}
}

func (w *ws) sendBinary(t *testing.T, b ...byte) {
	t.Helper()
	if err := w.WriteMessage(websocket.BinaryMessage, b); err != nil {
		t.Fatal(err)
	}
}

// wantEnd fails unless the server ends the WebSocket. Frames before the end are passed over, pings
// among them are answered: a server that only waits for its ping timeout does not end it.
func (w *ws) wantEnd(t *testing.T) []frame {
	t.Helper()
	var seen []frame
	limit := time.After(patience)
	for {
		select {
		case f, open := <-w.frames:
			if !open {
				return seen
			}
			if f.data == "2" {
				_ = w.WriteMessage(websocket.TextMessage, []byte("3")) // it may have ended meanwhile
				continue
			}
			seen = append(seen, f)
		case <-limit:
			t.Fatalf("the WebSocket is still open; it sent %q", seen)
		}
	}
}

// engine opens a session by WebSocket.
func engine(t *testing.T, base string) *ws {
	t.Helper()
	w := dial(t, base, "EIO=4&transport=websocket")
	parseOpening(t, w.next(t).data)
	return w
}

// join opens a session by WebSocket and connects the main namespace; the frames that the
// backend greets with are consumed.
func join(t *testing.T, base string) *ws {
	t.Helper()
	w := engine(t, base)
	w.send(t, "40")
	wantConnected(t, w.next(t).data, "40")
	w.want(t, `42["auth",{}]`)
	return w
}

// wantConnected fails unless the packet is the prefix and an object with sid as its only key, and
// returns the sid.
func wantConnected(t *testing.T, packet, prefix string) string {
	t.Helper()
	var answer struct{ SID string }
	decoder := json.NewDecoder(bytes.NewReader([]byte(strings.TrimPrefix(packet, prefix))))
	decoder.DisallowUnknownFields()
	if !strings.HasPrefix(packet, prefix+"{") || decoder.Decode(&answer) != nil || answer.SID == "" {
		t.Fatalf("got %q, want %s{\"sid\":…}", packet, prefix)
	}
	return answer.SID
}
