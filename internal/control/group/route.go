package group

import (
	"slices"
	"strings"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Route selects events. All its conditions must hold.
type Route struct {
	Namespace string          // a name or a pattern with *; empty: "/"
	Events    []string        // names of client events, or patterns with *; empty: all
	Kinds     []socketio.Kind // empty: all but ConnectRequested
}

// pattern is a name in which * stands for any text, also none.
type pattern struct {
	text string
	star bool
}

func compile(text string) pattern { return pattern{text, strings.Contains(text, "*")} }

// Matches says whether a pattern stands for a name. The name may be a pattern itself: its * are met
// by those of the first only, so that all it stands for is then among what the first stands for.
func Matches(pattern, name string) bool { return compile(pattern).match(name) }

func (p pattern) match(s string) bool {
	if !p.star {
		return p.text == s
	}
	// The last * met takes as little as possible and gives way when the rest does not fit.
	t, back, from := 0, -1, 0
	for i := 0; i < len(s); {
		switch {
		case t < len(p.text) && p.text[t] == '*':
			back, from = t, i
			t++
		case t < len(p.text) && p.text[t] == s[i]:
			t++
			i++
		case back >= 0:
			from++
			t, i = back+1, from
		default:
			return false
		}
	}
	return strings.Trim(p.text[t:], "*") == ""
}

// kinds is a set of socketio.Kind.
type kinds uint8

const everything = kinds(1<<socketio.Opened | 1<<socketio.Suspended | 1<<socketio.Resumed |
	1<<socketio.Closed | 1<<socketio.ClientEvent)

func (k kinds) has(kind socketio.Kind) bool { return k&(1<<kind) != 0 }

// route is a compiled Route.
type route struct {
	namespace pattern
	kinds     kinds
	names     []pattern // nil: all
}

// routes is what a group takes.
type routes struct {
	all []route
	// partial is set if there are events of a session that the group does not get, so that the
	// seq of the one before must be remembered.
	partial bool
}

func compileRoutes(specs []Route) routes {
	var rs routes
	for _, spec := range specs {
		orDefault(&spec.Namespace, "/")
		r := route{namespace: compile(spec.Namespace), kinds: everything}
		if len(spec.Kinds) > 0 {
			r.kinds = 0
			for _, k := range spec.Kinds {
				r.kinds |= 1 << k
			}
		}
		if !slices.Contains(spec.Events, "*") {
			for _, name := range spec.Events {
				r.names = append(r.names, compile(name))
			}
		}
		// Routes that are complete only together count as partial, which is safe.
		if r.kinds&everything != 0 && (r.kinds&everything != everything || r.names != nil) {
			rs.partial = true
		}
		rs.all = append(rs.all, r)
	}
	return rs
}

func (rs *routes) match(namespace string, ev *socketio.Event) bool {
	for i := range rs.all {
		r := &rs.all[i]
		if !r.kinds.has(ev.Kind) || !r.namespace.match(namespace) {
			continue
		}
		if r.names == nil || ev.Kind != socketio.ClientEvent {
			return true
		}
		for _, name := range r.names {
			if name.match(ev.Name) {
				return true
			}
		}
	}
	return false
}

// forgets says whether the event ends what the group remembers of its session although it does
// not get it.
func (rs *routes) forgets(ev *socketio.Event) bool { return rs.partial && ev.Kind == socketio.Closed }

// sessions says whether the group gets anything of sessions of the namespace.
func (rs *routes) sessions(namespace string) bool {
	return slices.ContainsFunc(rs.all, func(r route) bool {
		return r.kinds&everything != 0 && r.namespace.match(namespace)
	})
}

func (rs *routes) admission(namespace string) socketio.Admission {
	found := socketio.Unknown
	for i := range rs.all {
		if rs.all[i].namespace.match(namespace) {
			if rs.all[i].kinds.has(socketio.ConnectRequested) {
				return socketio.Asked
			}
			found = socketio.Free
		}
	}
	return found
}

// routing is who takes what, replaced as a whole when it changes.
type routing struct {
	namespaces []pattern // of Config
	groups     []routed  // by name
}

type routed struct {
	*group
	routes
}

// decidesMore says whether a group decides about clients of a namespace about which none did before.
func (r *routing) decidesMore(before *routing) bool {
	for i := range r.groups {
		for _, route := range r.groups[i].routes.all {
			if route.kinds.has(socketio.ConnectRequested) && !before.decides(route.namespace) {
				return true
			}
		}
	}
	return false
}

// decides says whether some route for just this name, or pattern, asks for connect requests.
func (r *routing) decides(namespace pattern) bool {
	return slices.ContainsFunc(r.groups, func(g routed) bool {
		return slices.ContainsFunc(g.routes.all, func(route route) bool {
			return route.namespace == namespace && route.kinds.has(socketio.ConnectRequested)
		})
	})
}

func (r *routing) admission(namespace string) socketio.Admission {
	found := socketio.Unknown
	for i := range r.groups {
		found = max(found, r.groups[i].routes.admission(namespace))
	}
	if found == socketio.Unknown &&
		slices.ContainsFunc(r.namespaces, func(p pattern) bool { return p.match(namespace) }) {
		return socketio.Free
	}
	return found
}
