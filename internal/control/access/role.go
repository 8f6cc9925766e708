package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sio-edge/sio-edge/internal/control/group"
)

// Roles is a set of roles.
type Roles uint8

// The roles. Backend and Emitter are held for the namespaces of a pattern, the others for the
// whole edge.
const (
	Backend      Roles = 1 << iota // attach, command and read sessions
	Emitter                        // emit, nothing else
	Observer                       // counts, groups and sessions, without what applications put there
	Drainer                        // drain the edge and make it ready again
	Admin                          // what an observer may, end any session, dead letters, seek, the tail
	PayloadDebug                   // where the others show events, with their arguments

	// Anyone who is let in.
	Anyone Roles = 1<<iota - 1
)

var roleNames = []struct {
	role Roles
	name string
}{
	{Backend, "backend"}, {Emitter, "emitter"}, {Observer, "observer"}, {Drainer, "drainer"}, {Admin, "admin"}, {PayloadDebug, "payload-debug"},
}

// String lists the roles as they are written in the access file.
func (r Roles) String() string {
	var names []string
	for _, n := range roleNames {
		if r&n.role != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// scoped is a role for the namespaces of a pattern.
type scoped struct {
	role    Roles
	pattern string
}

// parseRole reads one role of the access file: observer, or backend:/chat*.
func parseRole(text string) (scoped, error) {
	name, pattern, hasPattern := strings.Cut(text, ":")
	i := slices.IndexFunc(roleNames, func(n struct {
		role Roles
		name string
	}) bool {
		return n.name == name
	})
	if i < 0 {
		return scoped{}, fmt.Errorf("role %.64q: backend:NAMESPACE, emitter:NAMESPACE, observer, drainer, admin or payload-debug", text)
	}
	role := roleNames[i].role
	switch needs := role&(Backend|Emitter) != 0; {
	case needs && (!hasPattern || pattern == "" || pattern[0] != '/' && pattern[0] != '*' || strings.ContainsAny(pattern, ",? \t")):
		return scoped{}, fmt.Errorf("role %.64q: needs a namespace or a pattern, such as %s:/ or %s:/chat*", text, name, name)
	case !needs && hasPattern:
		return scoped{}, fmt.Errorf("role %.64q: %s is for the whole edge", text, name)
	}
	return scoped{role, pattern}, nil
}

// covers says whether a namespace, or every namespace of a pattern, is one of the role's. A * in
// the namespace is met by nothing but a * of the role.
func (s scoped) covers(namespace string) bool { return group.Matches(s.pattern, namespace) }
