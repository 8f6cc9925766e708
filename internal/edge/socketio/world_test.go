package socketio_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a Socket.IO floor on a real Engine.IO floor, in virtual time. Clients speak HTTP
// long-polling to it without a network in between.
type world struct {
	t       *testing.T
	sockets *socketio.Server
	engine  *engineio.Server
	backend *backend
	from    string // the address of clients; empty: that of httptest
}

// inWorld runs f in virtual time.
func inWorld(t *testing.T, cfg socketio.Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, backend: &backend{free: map[string]bool{"/": true, "/custom": true}}}
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		w.sockets = socketio.NewServer(cfg, w.backend, nil, log)
		w.engine = engineio.NewServer(engineio.Config{Budget: cfg.Budget}, w.sockets, log)
		f(w)
		w.engine.Close(t.Context())
		w.sockets.Close()
	})
}

// backend records what goes up.
type backend struct {
	mu      sync.Mutex
	free    map[string]bool
	asked   map[string]bool
	pattern string // of namespaces that are there on demand
	refuses bool
	events  []*socketio.Event
	changes []socketio.Change
	decides bool // a group begins to decide while the next client comes
}

func (b *backend) Deliver(ev *socketio.Event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, ev)
	return !b.refuses
}

func (b *backend) Release(*socketio.Event) {}

func (b *backend) Changed(c socketio.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes = append(b.changes, c)
}

func (b *backend) Admission(nsp string) socketio.Admission {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.decides { // from the next call on
		b.decides = false
		b.asked = map[string]bool{nsp: true}
		return socketio.Free
	}
	switch {
	case b.asked[nsp]:
		return socketio.Asked
	case b.free[nsp], b.pattern != "" && strings.HasPrefix(nsp, b.pattern):
		return socketio.Free
	}
	return socketio.Unknown
}

// story is what went up, one word an event: "opened", `say["hi"]`, "closed: ping timeout".
func (b *backend) story() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var words []string
	for _, ev := range b.events {
		switch ev.Kind {
		case socketio.ConnectRequested:
			words = append(words, "asked")
		case socketio.Opened:
			words = append(words, "opened")
		case socketio.Suspended:
			words = append(words, "suspended: "+string(ev.Life.Reason))
		case socketio.Resumed:
			words = append(words, fmt.Sprintf("resumed: %d %v", ev.Life.Replayed, ev.Life.Complete))
		case socketio.Closed:
			words = append(words, "closed: "+string(ev.Life.Reason))
		case socketio.ClientEvent:
			words = append(words, ev.Name+string(ev.Args))
		}
	}
	return strings.Join(words, ", ")
}

// last is the newest event.
func (b *backend) last() *socketio.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events[len(b.events)-1]
}

// client speaks Engine.IO over polling.
type client struct {
	w    *world
	sid  string
	dead bool
}

func (w *world) http(method, query, body string) (int, string) {
	r := httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
	if w.from != "" {
		r.RemoteAddr = w.from
	}
	rec := httptest.NewRecorder()
	w.engine.ServeHTTP(rec, r.WithContext(w.t.Context()))
	return rec.Code, rec.Body.String()
}

// open makes a connection that is in no namespace yet.
func (w *world) open() *client {
	w.t.Helper()
	code, body := w.http(http.MethodGet, "", "")
	_, rest, ok := strings.Cut(body, `"sid":"`)
	if code != http.StatusOK || !ok {
		w.t.Fatalf("handshake: %d %s", code, body)
	}
	return &client{w: w, sid: rest[:strings.IndexByte(rest, '"')]}
}

// connect makes a connection that has joined "/", and returns it with its sid and pid.
func (w *world) connect() (*client, string, string) {
	w.t.Helper()
	c := w.open()
	c.send("40")
	sid, pid := ids(c.recv())
	if sid == "" {
		w.t.Fatal("not let in")
	}
	return c, sid, pid
}

// ids takes sid and pid out of a CONNECT packet.
func ids(packet string) (sid, pid string) {
	field := func(name string) string {
		_, rest, ok := strings.Cut(packet, `"`+name+`":"`)
		if !ok {
			return ""
		}
		return rest[:strings.IndexByte(rest, '"')]
	}
	return field("sid"), field("pid")
}

func (c *client) send(packets ...string) int {
	code, _ := c.w.http(http.MethodPost, "&sid="+c.sid, strings.Join(packets, "\x1e"))
	return code
}

// recv waits for what the edge sends next and returns it as one payload.
func (c *client) recv() string {
	code, body := c.w.http(http.MethodGet, "&sid="+c.sid, "")
	if code != http.StatusOK {
		c.dead = true
		return fmt.Sprint(code)
	}
	if body == "2" {
		c.send("3")
		return c.recv()
	}
	return body
}

// quiet says whether nothing comes within a second.
func (c *client) quiet() bool {
	got := make(chan string, 1)
	go func() { got <- c.recv() }()
	time.Sleep(time.Second)
	synctest.Wait()
	select {
	case packet := <-got:
		c.w.t.Logf("not quiet: %q", packet)
		return false
	default:
	}
	// Release the poll, so that it does not take what comes later.
	c.w.emit(socketio.Emit{Target: socketio.Target{Everyone: true}, Event: "flush", Volatile: true})
	<-got
	return true
}

// lose ends the connection as a client that vanishes does.
func (c *client) lose() {
	c.send("1")
	synctest.Wait()
}

func (w *world) apply(cmd socketio.Command) (socketio.Receipt, error) {
	var f socketio.Flush
	r, err := w.sockets.Apply(cmd, &f)
	f.Do()
	return r, err
}

func (w *world) emit(e socketio.Emit) socketio.Receipt {
	w.t.Helper()
	r, err := w.apply(&e)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func everyone() socketio.Target { return socketio.Target{Everyone: true} }

func to(sids ...string) socketio.Target { return socketio.Target{SIDs: sids} }

func (w *world) want(story string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.backend.story(); got != story {
		w.t.Errorf("went up: %s\nwant:    %s", got, story)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
