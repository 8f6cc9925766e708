package access

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Every method of the descriptors has a row and every row is about one, and what touches
// something is not for everybody.
func TestTheTableIsWhole(t *testing.T) {
	there := make(map[protoreflect.FullName]bool)
	for _, f := range files {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				name := methods.Get(j).FullName()
				there[name] = true
				if _, ok := Methods[name]; !ok {
					t.Errorf("%s has no row: nobody may call it", name)
				}
			}
		}
	}
	for name, row := range Methods {
		if !there[name] {
			t.Errorf("the row of %s is about nothing", name)
		}
		if row.Roles == 0 || row.Touches != Nothing && row.Roles == Anyone {
			t.Errorf("%s: roles %v", name, row.Roles)
		}
	}
	ops := (&pb.Command{}).ProtoReflect().Descriptor().Oneofs().ByName("op").Fields()
	for i := range ops.Len() {
		if Operations[ops.Get(i).Name()] == 0 {
			t.Errorf("command %s has no row", ops.Get(i).Name())
		}
	}
	if len(Operations) != ops.Len() {
		t.Errorf("%d commands, want %d", len(Operations), ops.Len())
	}
}

// A path is that of a method to the letter, or of nothing.
func TestG2_PathsThatOnlyLookAlike(t *testing.T) {
	admin := &Grant{Name: "x", roles: Anyone}
	const path = "/sioedge.v1.AdminService/SeekGroup"
	if _, err := admin.call(path); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", "/", path[1:], "/" + path, path + "/", path + "?x", path + "\x00", strings.ToUpper(path), strings.ToLower(path),
		strings.Replace(path, "/S", "//S", 1), "/sioedge.v1.AdminService%2FSeekGroup", "/sioedge.v1.AdminService/./SeekGroup", "/AdminService/SeekGroup"} {
		if _, err := admin.call(p); err == nil {
			t.Errorf("%q is let in", p)
		}
	}
	if _, err := nobody.call("/grpc.health.v1.Health/Check"); err == nil {
		t.Error("nobody is let in")
	}
}

// A role covers a pattern if and only if it covers every name that the pattern stands for.
func TestRolesCoverPatterns(t *testing.T) {
	const letters = "/ab*"
	r := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return "/" + string(b)
	}
	covered := 0
	for range 20_000 {
		role, asked := scoped{Backend, word(letters)}, word(letters)
		names := []string{strings.ReplaceAll(asked, "*", "")}
		for range 20 {
			var b strings.Builder
			for _, c := range asked {
				if c == '*' {
					b.WriteString(word("/abc"))
				} else {
					b.WriteRune(c)
				}
			}
			names = append(names, b.String())
		}
		all := !slices.ContainsFunc(names, func(n string) bool { return !role.covers(n) })
		if role.covers(asked) {
			covered++
			if !all {
				t.Fatalf("%s covers %s, but not all of %q", role.pattern, asked, names)
			}
		} else if all && !strings.Contains(asked, "*") {
			t.Fatalf("%s does not cover %s", role.pattern, asked)
		}
	}
	if covered < 100 {
		t.Errorf("only %d were covered", covered)
	}
}

func TestGrants(t *testing.T) {
	g := &Grant{Name: "x", roles: Backend | Emitter | Observer, scoped: []scoped{{Backend, "/chat*"}, {Emitter, "/"}}}
	for namespace, want := range map[string]Roles{"": Emitter | Observer, "/": Emitter | Observer, "/chat": Backend | Observer,
		"/chat-2": Backend | Observer, "/shop": Observer, "/chat*": Backend | Observer, "*": Observer} {
		for range 2 { // the second is remembered
			if got := g.In(namespace); got != want {
				t.Errorf("in %q: %s, want %s", namespace, got, want)
			}
		}
	}
	for i := range 3 * maxKnown {
		g.In("/" + strings.Repeat("x", i))
	}
	if len(g.known) > maxKnown {
		t.Errorf("%d namespaces are remembered", len(g.known))
	}
}

func BenchmarkGrant(b *testing.B) {
	g := &Grant{Name: "x", roles: Backend, scoped: []scoped{{Backend, "/chat*"}}}
	b.ReportAllocs()
	for b.Loop() {
		if known, err := g.Does("emit", "/chat"); !known || err != nil {
			b.Fatal(err)
		}
	}
}
