package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sio-edge/sio-edge/internal/control/convert"
)

// Grant is what one caller may do. Its methods may be called concurrently; they cost a look into a
// map.
type Grant struct {
	// Name is that of the caller in the access file; empty where everybody may do everything.
	Name string

	// Static after construction.
	everything bool
	roles      Roles    // held for any namespace
	scoped     []scoped // those of Backend and Emitter
	groups     []string // that it may attach to; nil: any

	mu    sync.RWMutex // guards the following
	known map[string]Roles
}

var everybody = &Grant{everything: true}

// Everybody is the grant of all calls where there is no access control.
func Everybody() *Grant { return everybody }

// nobody is the grant of a call that nobody let in.
var nobody = &Grant{}

// maxKnown bounds the namespaces whose roles are remembered: who asks names them.
const maxKnown = 1024

// Everything says whether there is nothing to check.
func (g *Grant) Everything() bool { return g.everything }

// In returns the roles that are held in a namespace, "" meaning "/".
func (g *Grant) In(namespace string) Roles {
	if g.everything {
		return Anyone
	}
	if namespace == "" {
		namespace = "/"
	}
	g.mu.RLock()
	r, ok := g.known[namespace]
	g.mu.RUnlock()
	if ok {
		return r
	}
	r = g.roles &^ (Backend | Emitter)
	for _, s := range g.scoped {
		if s.covers(namespace) {
			r |= s.role
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || len(g.known) >= maxKnown {
		g.known = make(map[string]Roles)
	}
	g.known[namespace] = r
	return r
}

// Sees says whether sessions of the namespace may be shown, and with what applications put there.
func (g *Grant) Sees(namespace string) (seen, whole bool) {
	r := g.In(namespace)
	return r&(Backend|Observer|Admin) != 0, r&(Backend|PayloadDebug) != 0
}

// Payloads says whether events may be shown with their arguments.
func (g *Grant) Payloads() bool { return g.everything || g.roles&PayloadDebug != 0 }

// Attach says whether the caller may attach to a group that gets events of these namespaces, or
// patterns. The error is a status.
func (g *Grant) Attach(group string, namespaces []string) error {
	if g.everything {
		return nil
	}
	if g.groups != nil && !slices.Contains(g.groups, group) {
		return denied("GROUP_DENIED", "caller "+g.Name+" may not attach to group "+quoted(group)+": it is not among its groups")
	}
	for _, n := range namespaces {
		if g.In(n)&Backend == 0 {
			return denied("NAMESPACE_DENIED", "caller "+g.Name+" may not get events of "+quoted(n)+": it has no role backend there")
		}
	}
	return nil
}

// Does says whether the caller may do an operation in a namespace. known is false if the
// namespace is to look to it as one that is not there; otherwise the error is a status.
func (g *Grant) Does(op protoreflect.Name, namespace string) (known bool, err error) {
	if g.everything {
		return true, nil
	}
	have, need := g.In(namespace), Operations[op]
	switch {
	case have&need != 0:
		return true, nil
	case have == 0:
		return false, nil
	}
	return true, denied("ROLE_MISSING", "caller "+g.Name+" may not "+string(op)+" in "+quoted(namespace)+": it takes one of: "+need.String())
}

// Only says whether the caller may do an operation in a namespace by this role and no other.
func (g *Grant) Only(role Roles, op protoreflect.Name, namespace string) bool {
	return !g.everything && g.In(namespace)&Operations[op] == role
}

// call says whether the caller may call a method. The error is a status.
func (g *Grant) call(path string) (method, error) {
	m, ok := methods[path]
	if !ok {
		return m, denied("METHOD_DENIED", "no role allows this method")
	}
	if !g.everything && g.roles&m.Roles == 0 {
		return m, denied("ROLE_MISSING", "caller "+g.Name+" may not call "+string(m.name)+": it takes one of: "+m.Roles.String())
	}
	if !g.everything && g.roles&m.Also != m.Also {
		return m, denied("ROLE_MISSING", "caller "+g.Name+" may not call "+string(m.name)+": it takes also: "+m.Also.String())
	}
	return m, nil
}

// same says whether two grants are alike.
func (g *Grant) same(o *Grant) bool {
	return o != nil && g.Name == o.Name && g.roles == o.roles && slices.Equal(g.scoped, o.scoped) &&
		(g.groups == nil) == (o.groups == nil) && slices.Equal(g.groups, o.groups)
}

// quoted shows a name that a caller made up.
func quoted(name string) string { return fmt.Sprintf("%.128q", name) }

// cut shortens what may hold text of a peer.
func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), 128)], "") }

func denied(reason, text string) error {
	return convert.Failure(codes.PermissionDenied, reason, text).Err()
}

type grantKey struct{}

// From returns the grant of the call that ctx belongs to: one that allows nothing if nobody let
// the call in.
func From(ctx context.Context) *Grant {
	if g, ok := ctx.Value(grantKey{}).(*Grant); ok {
		return g
	}
	return nobody
}
