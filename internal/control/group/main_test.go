package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge is the floor below: sessions that open, emit and close, each under its own lock as the
// real ones do.
type edge struct {
	t  testing.TB
	gs *Groups

	mu        sync.Mutex // guards the following
	sessions  map[string]*session
	abandoned []string // sids
	unpaused  []string
	settled   []Settled
	undecided int // calls of EndUndecided
}

type session struct {
	*socketio.Socket
	mu    sync.Mutex // guards the following, and the order of events
	seq   uint64
	live  bool
	rooms []string
}

// virtual runs f on virtual time with an edge whose Groups are closed in the end.
func virtual(t *testing.T, cfg Config, f func(t *testing.T, e *edge)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, cfg)
		defer e.gs.Close()
		f(t, e)
	})
}

func newEdge(t testing.TB, cfg Config) *edge {
	orDefault(&cfg.EdgeID, "edge")
	orDefault(&cfg.LogID, "log")
	e := &edge{t: t, gs: New(cfg, slog.New(slog.DiscardHandler)), sessions: make(map[string]*session)}
	e.gs.unpause = func(s *socketio.Socket) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.unpaused = append(e.unpaused, s.SID)
	}
	e.gs.Start(e)
	return e
}

func (e *edge) EachSID(f func(sid, namespace string)) {
	for _, s := range e.all() {
		f(s.SID, s.Nsp.Name)
	}
}

func (e *edge) all() []*session {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*session
	for _, s := range e.sessions {
		all = append(all, s)
	}
	return all
}

func (e *edge) Session(sid string) (socketio.Session, bool) {
	s := e.session(sid)
	if s == nil {
		return socketio.Session{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return socketio.Session{SID: sid, Namespace: s.Nsp.Name, Rooms: slices.Clone(s.rooms), Transport: "websocket"}, s.live
}

func (e *edge) Abandon(ev *socketio.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandoned = append(e.abandoned, ev.Socket.SID)
}

func (e *edge) EndUndecided() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.undecided++
	return 0
}

// recorded returns what a recorder holds; its writers run on timers.
func (e *edge) recorded(l *[]string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return sorted(*l)
}

func (e *edge) session(sid string) *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[sid]
}

func newSession(sid, namespace string) *session {
	return &session{Socket: &socketio.Socket{SID: sid, Nsp: &socketio.Namespace{Name: namespace}}}
}

// deliver hands up an event. s.mu is held.
func (e *edge) deliver(s *session, ev *socketio.Event) bool {
	ev.Socket, ev.At = s.Socket, time.Now()
	if ev.Kind != socketio.ConnectRequested {
		s.seq++
		ev.Seq = s.seq
	}
	return e.gs.Deliver(ev)
}

// open opens a session in the namespace that the sid names: "/chat#1".
func (e *edge) open(sid string) {
	namespace, _, _ := strings.Cut(sid, "#")
	s := newSession(sid, namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.mu.Lock()
	e.sessions[sid] = s
	e.mu.Unlock()
	s.live = true
	e.deliver(s, &socketio.Event{Kind: socketio.Opened, Life: &socketio.Life{}})
}

func (e *edge) emit(sid, name string) bool {
	s := e.session(sid)
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.deliver(s, &socketio.Event{Kind: socketio.ClientEvent, Name: name, Args: []byte("[]")})
}

func (e *edge) close(sid string) {
	s := e.session(sid)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.mu.Lock()
	delete(e.sessions, sid)
	e.mu.Unlock()
	s.live = false
	e.deliver(s, &socketio.Event{Kind: socketio.Closed, Life: &socketio.Life{}})
}

// ask asks for a session of the namespace that the sid names.
func (e *edge) ask(sid string, timeout time.Duration) {
	namespace, _, _ := strings.Cut(sid, "#")
	e.deliver(newSession(sid, namespace), &socketio.Event{Kind: socketio.ConnectRequested,
		Life: &socketio.Life{AnswerBy: time.Now().Add(timeout)}})
}

// member is a Member with what it was told.
type member struct {
	*Member
	t        testing.TB
	snapshot []string
	lost     []string
	gained   []string
	changed  []Change
	told     []Told
}

func hello(memberID string) Hello {
	return Hello{Group: "g", MemberID: memberID, InstanceID: memberID + "/1"}
}

func (e *edge) attach(h Hello, want Outcome) *member {
	e.t.Helper()
	m, outcome, err := e.gs.Attach(h)
	if err != nil || outcome != want {
		e.t.Fatalf("Attach(%s) = %v, %v; want outcome %v", h.MemberID, outcome, err, want)
	}
	k := &member{Member: m, t: e.t}
	if outcome != Continued {
		err := m.Snapshot(7, func(part []socketio.Session) error {
			for _, s := range part {
				k.snapshot = append(k.snapshot, s.SID)
			}
			return nil
		})
		if err != nil {
			e.t.Fatalf("Snapshot: %v", err)
		}
	}
	return k
}

// next returns what is there for the member within a moment.
func (m *member) next() []Delivery {
	m.t.Helper()
	var all []Delivery
	for {
		b := Batch{Deliveries: make([]Delivery, 0, 8)}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		err := m.Next(ctx, &b)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return all
		}
		if err != nil {
			m.t.Fatalf("Next: %v", err)
		}
		m.lost = append(m.lost, b.Lost...)
		for _, s := range b.Gained {
			m.gained = append(m.gained, s.SID)
		}
		m.changed = append(m.changed, b.Changed...)
		m.told = append(m.told, b.Told...)
		all = append(all, b.Deliveries...)
	}
}

// show writes deliveries as "id:sid name×attempt", without the attempt if it is the first.
func show(ds []Delivery) string {
	var words []string
	for _, d := range ds {
		name := d.Event.Name
		switch d.Event.Kind {
		case socketio.Opened:
			name = "+"
		case socketio.Closed:
			name = "-"
		case socketio.ConnectRequested:
			name = "?"
		}
		w := fmt.Sprintf("%d:%s %s", d.ID, d.Event.Socket.SID, name)
		if d.Attempt > 1 {
			w += fmt.Sprintf("×%d", d.Attempt)
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}

func (m *member) expect(want string) []Delivery {
	m.t.Helper()
	ds := m.next()
	if got := show(ds); got != want {
		m.t.Errorf("member %s got  %s\nwant %s", m.place.id, got, want)
	}
	return ds
}

// settle settles everything there is and returns it.
func (m *member) settle() []Delivery {
	m.t.Helper()
	var all []Delivery
	for {
		ds := m.next()
		if len(ds) == 0 {
			return all
		}
		all = append(all, ds...)
		m.Done(ds[0].ID, ds[len(ds)-1].ID)
	}
}

func (e *edge) info() Info {
	e.t.Helper()
	list := e.gs.List()
	if len(list) != 1 {
		e.t.Fatalf("%d groups, want 1", len(list))
	}
	return list[0]
}

// idle checks that a group in which nothing is pending remembers nothing.
func (e *edge) idle() {
	e.t.Helper()
	for _, g := range e.gs.byName() {
		g.mu.Lock()
		if n := len(g.lines); n != 0 || g.log.head != nil || g.due.head != nil || g.asked.head != nil ||
			len(g.later) != 0 || len(g.paused) != 0 || g.events != 0 || g.bytes != 0 || g.scan != nil {
			e.t.Errorf("group %s: %d lines, %d events, %d bytes, %d paused left", g.name, n, g.events, g.bytes, len(g.paused))
		}
		for _, p := range g.places {
			if p.ready.head != nil || p.member != nil && (p.member.events != 0 || p.member.bytes != 0 || len(p.member.flight.pages) != 0) {
				e.t.Errorf("group %s: member %s still has something", g.name, p.id)
			}
		}
		g.mu.Unlock()
	}
	e.gs.pauses.mu.Lock()
	defer e.gs.pauses.mu.Unlock()
	if n := len(e.gs.pauses.held); n != 0 {
		e.t.Errorf("%d sockets are still paused", n)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
