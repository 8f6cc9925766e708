package group

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// The errors that end a membership.
var (
	// ErrFenced: a newer instance of the member has attached.
	ErrFenced = errors.New("a newer instance of this member has attached")
	// ErrDetached: Detach was called.
	ErrDetached = errors.New("the member is detached")
	// ErrClosed: the Groups are closed.
	ErrClosed = errors.New("the edge stops")
	// ErrTooManyGroups: Config.MaxGroups is reached.
	ErrTooManyGroups = errors.New("too many groups")
)

// Groups are the backend services of an edge. They are a socketio.Backend. All methods may be
// called concurrently.
type Groups struct {
	// Static after construction.
	cfg      Config
	sessions Sessions
	log      *slog.Logger
	start    time.Time
	unpause  func(*socketio.Socket)
	parse    func([]byte) (*socketio.Event, error) // set by Restore, before anything is kept

	// Tap is told of every event that some group gets, while it is set. It is called with locks
	// held: it must not block and not call back.
	Tap atomic.Pointer[func(offset uint64, ev *socketio.Event)]
	// Settled is told of the end of every delivery that is not taken by Member.Take, while it
	// is set. It must not block.
	Settled atomic.Pointer[func(Settled)]

	pauses  pauses
	routing atomic.Pointer[routing]
	unheard atomic.Bool // it was said that nobody hears clients

	order  sync.Mutex // guards the following, and makes it the order of every queue
	offset uint64

	mu     sync.Mutex // guards the following
	groups map[string]*group
	closed bool
}

// Settled is the end of one delivery.
type Settled struct {
	Offset   uint64
	Event    *socketio.Event
	Group    string
	MemberID string
	Attempt  uint32
	Took     time.Duration // since the edge read the event
	Nacked   bool          // handed back
}

// New returns Groups without members. Start has to be called before anything else.
func New(cfg Config, log *slog.Logger) *Groups {
	gs := &Groups{
		cfg:     cfg.withDefaults(),
		log:     log,
		start:   time.Now(),
		unpause: (*socketio.Socket).Unpause,
		pauses:  pauses{held: make(map[*socketio.Socket]int)},
		groups:  make(map[string]*group),
		offset:  cfg.Epoch << epochBits,
	}
	gs.rerouteLocked()
	return gs
}

// Start tells the groups where to find sessions. Groups and what delivers to them need each
// other, so it cannot be a parameter of New.
func (gs *Groups) Start(s Sessions) { gs.sessions = s }

// Close ends all members with ErrClosed and stops the timers. Nothing is delivered after it.
func (gs *Groups) Close() {
	gs.mu.Lock()
	gs.closed = true
	groups := gs.byNameLocked()
	gs.mu.Unlock()
	for _, g := range groups {
		g.end(ErrClosed)
	}
}

// now is the time on the monotonic clock; it is never 0.
func (gs *Groups) now() instant { return time.Since(gs.start) + 1 }

// at is what now was at a time of day, which was read from the clock.
func (gs *Groups) at(t time.Time) instant { return t.Sub(gs.start) + 1 }

// Deliver queues the event for every group that wants it and returns at once. It returns false
// if some group has no room for more of this client: Socket.Unpause is called when all have. That
// may happen at any time, also before Deliver's caller has stopped to read.
func (gs *Groups) Deliver(ev *socketio.Event) bool {
	sid, namespace := sidOf(ev.Socket), namespaceOf(ev.Socket)
	groups := gs.routing.Load().groups
	for i := range groups {
		if wanted := groups[i].match(namespace, ev); wanted || groups[i].forgets(ev) {
			return gs.deliver(ev, sid, namespace, groups[i:], wanted)
		}
	}
	return true
}

// deliver queues for the first of groups, which wants the event or forgets its session, and for
// the others.
func (gs *Groups) deliver(ev *socketio.Event, sid, namespace string, groups []routed, wanted bool) bool {
	gs.order.Lock()
	defer gs.order.Unlock()
	gs.offset++
	if tap := gs.Tap.Load(); tap != nil {
		(*tap)(gs.offset, ev)
	}
	ok := groups[0].enqueue(ev, sid, gs.offset, wanted)
	if ev.Kind == socketio.ConnectRequested {
		return ok // exactly one group decides
	}
	for i := range groups[1:] {
		g := &groups[1+i]
		if wanted := g.match(namespace, ev); wanted || g.forgets(ev) {
			ok = g.enqueue(ev, sid, gs.offset, wanted) && ok
		}
	}
	return ok
}

// Release lets the groups deliver an event that was delivered here with Held.
func (gs *Groups) Release(ev *socketio.Event) {
	for _, g := range gs.byName() {
		g.release(ev)
	}
}

// Admission says whether clients can join a namespace and who decides.
func (gs *Groups) Admission(namespace string) socketio.Admission {
	r := gs.routing.Load()
	found := r.admission(namespace)
	if found == socketio.Free && len(r.groups) == 0 && !gs.unheard.Swap(true) {
		gs.log.Warn("clients come in, but no backend has ever attached: what they send reaches nobody", "namespace", namespace)
	}
	return found
}

// Namespaces returns what clients can join, patterns included.
func (gs *Groups) Namespaces() []string {
	var all []string
	r := gs.routing.Load()
	for _, p := range r.namespaces {
		all = append(all, p.text)
	}
	for i := range r.groups {
		for _, route := range r.groups[i].routes.all {
			all = append(all, route.namespace.text)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Routed returns the namespaces, or patterns, of which a group gets events; none if there is no
// such group.
func (gs *Groups) Routed(name string) []string {
	var all []string
	for _, g := range gs.routing.Load().groups {
		if g.name != name {
			continue
		}
		for _, route := range g.routes.all {
			all = append(all, route.namespace.text)
		}
	}
	return all
}

// rerouteLocked publishes who takes what.
func (gs *Groups) rerouteLocked() {
	r := &routing{}
	for _, n := range gs.cfg.Namespaces {
		r.namespaces = append(r.namespaces, compile(n))
	}
	for _, g := range gs.byNameLocked() {
		g.mu.Lock()
		r.groups = append(r.groups, routed{g, g.routes})
		g.mu.Unlock()
	}
	gs.routing.Store(r)
}

func (gs *Groups) byNameLocked() []*group {
	all := make([]*group, 0, len(gs.groups))
	for _, g := range gs.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int { return strings.Compare(a.name, b.name) })
	return all
}

func (gs *Groups) byName() []*group {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	return gs.byNameLocked()
}

// group returns a group, made if it was not there.
func (gs *Groups) group(name string) (*group, error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.closed {
		return nil, ErrClosed
	}
	g := gs.groups[name]
	if g == nil {
		if len(gs.groups) >= gs.cfg.MaxGroups {
			return nil, ErrTooManyGroups
		}
		g = newGroup(gs, name)
		gs.groups[name] = g
	}
	return g, nil
}

// respec puts a group's spec in force: the newest Hello counts.
func (gs *Groups) respec(g *group, spec Spec) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	spec = spec.over(gs.cfg.Spec)
	g.respec(spec)
	gs.rerouteLocked()
	g.save()
}

// forget drops a group that has had no member for Config.Retention.
func (gs *Groups) forget(g *group) {
	gs.mu.Lock()
	if gs.groups[g.name] != g || !g.forgotten() {
		gs.mu.Unlock()
		return
	}
	delete(gs.groups, g.name)
	gs.rerouteLocked()
	if gs.cfg.Log != nil { // before a new group of this name can save anything
		gs.cfg.Log.SaveGroup(g.name, nil)
	}
	gs.mu.Unlock()
	gs.log.Warn("group forgotten: no member for long", "group", g.name, "after", gs.cfg.Retention)
	g.end(ErrClosed)
}
