package group

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Config is what Groups are told. The zero value of a field means its default.
type Config struct {
	// EdgeID and LogID make a Cursor mean something: one of another edge or log is void.
	EdgeID, LogID string
	// Epoch counts the starts of the edge.
	Epoch uint64
	// Namespaces are there for clients whether a group names them or not; * in them stands for
	// any text.
	Namespaces []string
	// Spec fills what a group leaves open. Defaults: the namespace "/", 30 s, 5 attempts, 10 s,
	// 100,000 events, 256 MiB, PauseClients.
	Spec Spec
	// Window fills what a member leaves open. Defaults: 1,024 events, 8 MiB, 16 per session.
	Window Flow
	// Handover is how long events wait for a lost member while others are attached. Default
	// 500 ms.
	Handover time.Duration
	// SessionEvents is how many client events of one session may wait before reading from its
	// client pauses; it goes on at half of it. Default 256.
	SessionEvents int
	// MaxGroups bounds the groups. Default 256.
	MaxGroups int
	// Retention is how long a group without members is remembered, with its queue. A group that
	// was renamed must not pause clients for ever. Default 24 h, negative: for ever.
	Retention time.Duration
	// Log keeps the queues beyond the process. nil: they end with it.
	Log Log
	// Spill is how long a client event may wait before it is saved, if its group is not Durable.
	// Default 200 ms.
	Spill time.Duration
	// Budget is charged for what is queued. When it has no room for more, queues count as full. Default
	// nil: there is room for everything.
	Budget *budget.Budget
	// DeadLetters and DeadLetterBytes bound what each group sets aside; the oldest go first.
	// Defaults 1,000 and 16 MiB.
	DeadLetters     int
	DeadLetterBytes int64
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c Config) withDefaults() Config {
	c.Spec = c.Spec.over(Spec{
		Routes:           []Route{{Namespace: "/"}},
		AckDeadline:      30 * time.Second,
		MaxAttempts:      5,
		MemberGrace:      10 * time.Second,
		MaxBacklogEvents: 100_000,
		MaxBacklogBytes:  256 << 20,
		Overflow:         PauseClients,
		Mode:             AtLeastOnce,
	})
	c.Window = c.Window.over(Flow{Events: 1024, Bytes: 8 << 20, PerSession: 16})
	orDefault(&c.Handover, 500*time.Millisecond)
	orDefault(&c.SessionEvents, 256)
	orDefault(&c.MaxGroups, 256)
	orDefault(&c.Retention, 24*time.Hour)
	orDefault(&c.Spill, 200*time.Millisecond)
	orDefault(&c.DeadLetters, 1000)
	orDefault(&c.DeadLetterBytes, 16<<20)
	return c
}

// Spec is what a group wants. Zero values mean the defaults of Config.
type Spec struct {
	Routes           []Route       // what it gets: whatever matches any of them
	AckDeadline      time.Duration // a delivery not settled by then is delivered again
	MaxAttempts      int           // so many failures make a dead letter
	MemberGrace      time.Duration // how long a place is kept; negative: not at all
	MaxBacklogEvents int           // what may wait, outstanding deliveries included
	MaxBacklogBytes  int64
	Overflow         Overflow // what happens to client events beyond that
	Mode             Mode     // how events are kept
	// Retention is how long client events are kept once they are settled, counted from when they
	// were read, for Seek. They take no more than MaxBacklogBytes. 0: not at all. Only for Durable.
	Retention time.Duration
}

func (s Spec) over(d Spec) Spec {
	if len(s.Routes) == 0 {
		s.Routes = d.Routes
	}
	orDefault(&s.AckDeadline, d.AckDeadline)
	orDefault(&s.MaxAttempts, d.MaxAttempts)
	orDefault(&s.MemberGrace, d.MemberGrace)
	orDefault(&s.MaxBacklogEvents, d.MaxBacklogEvents)
	orDefault(&s.MaxBacklogBytes, d.MaxBacklogBytes)
	orDefault(&s.Overflow, d.Overflow)
	orDefault(&s.Mode, d.Mode)
	orDefault(&s.Retention, d.Retention)
	return s
}

// Overflow says what a full queue does to client events. Events of a session's life are never
// dropped.
type Overflow uint8

const (
	PauseClients Overflow = iota + 1 // stop reading from the clients whose events do not fit
	Reject                           // drop the new event
	DropOldest                       // drop the oldest client event that is not outstanding
)

// Flow is a member's window: nothing is delivered while what is outstanding reaches a bound.
// Zero values mean the defaults of Config.
type Flow struct {
	Events     int   // at most 65,536
	Bytes      int64 // at most 256 MiB; a single larger event is delivered all the same
	PerSession int
	Paused     bool // deliver nothing
}

func (f Flow) over(d Flow) Flow {
	orDefault(&f.Events, d.Events)
	orDefault(&f.Bytes, d.Bytes)
	orDefault(&f.PerSession, d.PerSession)
	f.Events = min(f.Events, 1<<16)
	f.Bytes = min(f.Bytes, 256<<20)
	return f
}

// Cursor is a position in an edge's event log.
type Cursor struct {
	EdgeID, LogID string
	Offset        uint64
}

// Hello introduces a member.
type Hello struct {
	Group, MemberID, InstanceID string
	SDK                         string // for people
	Spec                        Spec
	Flow                        Flow
	Resume                      *Cursor // nil: the member knows nothing
}

// Invalid is the error of a Hello that cannot be served.
type Invalid struct {
	Field  string // "group", "spec.routes[2].namespace"
	Reason string
}

// Error returns the sentence for people.
func (e *Invalid) Error() string { return e.Field + " " + e.Reason }

const (
	maxRoutes     = 256
	maxRouteNames = 1024
	maxName       = 128 // bytes of a member id, a namespace or an event name
)

var groupName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (h *Hello) validate() error {
	switch {
	case !groupName.MatchString(h.Group):
		return &Invalid{"group", "must be 1 to 64 of [A-Za-z0-9._-]"}
	case h.MemberID == "" || len(h.MemberID) > maxName:
		return &Invalid{"member_id", "must be 1 to 128 bytes"}
	case h.InstanceID == "" || len(h.InstanceID) > maxName:
		return &Invalid{"instance_id", "must be 1 to 128 bytes"}
	case h.Spec.AckDeadline != 0 && h.Spec.AckDeadline < 100*time.Millisecond:
		return &Invalid{"spec.ack_deadline", "must be at least 100ms"}
	case h.Spec.MaxAttempts < 0 || h.Spec.MaxBacklogEvents < 0 || h.Spec.MaxBacklogBytes < 0:
		return &Invalid{"spec", "must not have negative bounds"}
	case h.Spec.Overflow > DropOldest:
		return &Invalid{"spec.on_overflow", "is unknown"}
	case h.Spec.Mode > Durable:
		return &Invalid{"spec.delivery", "is unknown"}
	case h.Spec.Retention < 0 || h.Spec.Retention > 0 && h.Spec.Mode != Durable:
		return &Invalid{"spec.retention", "must not be negative and needs delivery DURABLE"}
	case len(h.Spec.Routes) > maxRoutes:
		return &Invalid{"spec.routes", fmt.Sprintf("are more than %d", maxRoutes)}
	}
	for i, r := range h.Spec.Routes {
		if field, reason := r.fault(); field != "" {
			return &Invalid{fmt.Sprintf("spec.routes[%d].%s", i, field), reason}
		}
	}
	return h.Flow.validate()
}

func (f Flow) validate() error {
	if f.Events < 0 || f.Bytes < 0 || f.PerSession < 0 {
		return &Invalid{"flow", "must not have negative bounds"}
	}
	return nil
}

func (r Route) fault() (field, reason string) {
	switch {
	case r.Namespace != "" && r.Namespace[0] != '/' && r.Namespace[0] != '*':
		return "namespace", "must begin with / or *"
	case len(r.Namespace) > maxName || strings.ContainsAny(r.Namespace, ",?"):
		return "namespace", "is longer than 128 bytes or holds , or ?"
	case len(r.Events) > maxRouteNames:
		return "events", fmt.Sprintf("are more than %d", maxRouteNames)
	}
	for _, name := range r.Events {
		if name == "" || len(name) > maxName {
			return "events", "must be 1 to 128 bytes each"
		}
	}
	for _, k := range r.Kinds {
		if k < socketio.ConnectRequested || k > socketio.ClientEvent {
			return "kinds", "holds an unknown kind"
		}
	}
	return "", ""
}
