package group

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"/", "/", true},
		{"/", "/chat", false},
		{"/tenant-*", "/tenant-7", true},
		{"/tenant-*", "/tenant-", true},
		{"/tenant-*", "/tenan", false},
		{"*", "", true},
		{"*:save", "doc:save", true},
		{"*:save", "doc:save:x", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a**", "a", true},
		{"*a*", "bab", true},
		{"a?", "ab", false},
		{"[a]", "a", false},
	} {
		if got := compile(c.pattern).match(c.text); got != c.want {
			t.Errorf("%q matches %q = %v, want %v", c.pattern, c.text, got, c.want)
		}
	}
}

func TestGroupsGetWhatTheirRoutesName(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Spec.Routes = []Route{
			{Namespace: "/chat", Events: []string{"say", "room:*"}, Kinds: []socketio.Kind{socketio.ClientEvent}},
			{Namespace: "/chat", Kinds: []socketio.Kind{socketio.Closed}},
		}
		a := e.attach(h, Fresh)
		other := hello("a")
		other.Group = "other"
		b := e.attach(other, Fresh)
		e.open("/chat#1")
		e.open("/#1")
		e.emit("/chat#1", "noise")
		e.emit("/chat#1", "say")
		e.emit("/chat#1", "noise")
		e.emit("/chat#1", "room:1")
		e.close("/chat#1")
		ds := a.expect("1:/chat#1 say, 2:/chat#1 room:1, 3:/chat#1 -")
		for i, want := range []uint64{0, 3, 5} {
			if ds[i].PrevSeq != want {
				t.Errorf("prev_seq of %d = %d, want %d", ds[i].Event.Seq, ds[i].PrevSeq, want)
			}
		}
		b.expect("1:/#1 +")
		if n := len(e.gs.groups["g"].last); n != 0 {
			t.Errorf("%d sessions remembered after their end", n)
		}
	})
}

func TestASessionIsForgottenWhenItsGroupDoesNotGetClosed(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		h := hello("a")
		h.Spec.Routes = []Route{{Events: []string{"say"}, Kinds: []socketio.Kind{socketio.ClientEvent}}}
		a := e.attach(h, Fresh)
		e.open("/#1")
		e.emit("/#1", "say")
		e.close("/#1")
		a.expect("1:/#1 say")
		a.Done(1, 1)
		e.idle()
		if n := len(e.gs.groups["g"].last); n != 0 {
			t.Errorf("%d sessions remembered", n)
		}
	})
}

func TestAdmission(t *testing.T) {
	virtual(t, Config{Namespaces: []string{"/open", "/files-*"}}, func(t *testing.T, e *edge) {
		expect := func(namespace string, want socketio.Admission) {
			t.Helper()
			if got := e.gs.Admission(namespace); got != want {
				t.Errorf("Admission(%s) = %v, want %v", namespace, got, want)
			}
		}
		expect("/", socketio.Unknown)
		expect("/open", socketio.Free)
		expect("/files-1", socketio.Free)
		h := hello("a")
		h.Spec.Routes = []Route{{}, {Namespace: "/private-*"},
			{Namespace: "/private-*", Kinds: []socketio.Kind{socketio.ConnectRequested}}}
		a := e.attach(h, Fresh)
		expect("/", socketio.Free)
		expect("/private-7", socketio.Asked)
		expect("/nowhere", socketio.Unknown)
		a.Leave()
		a.Detach()
		expect("/", socketio.Free) // stays known
		expect("/private-7", socketio.Asked)
		if n := e.gs.Namespaces(); len(n) != 4 {
			t.Errorf("namespaces %v", n)
		}
		e.attach(hello("a"), Fresh) // with another spec
		expect("/private-7", socketio.Unknown)
	})
}

func asking(group, member string) Hello {
	h := hello(member)
	h.Group = group
	h.Spec.Routes = []Route{{}, {Kinds: []socketio.Kind{socketio.ConnectRequested}}}
	return h
}

func TestOneGroupDecides(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		b := e.attach(asking("b", "m"), Fresh)
		a := e.attach(asking("a", "m"), Fresh)
		e.ask("/#1", 10*time.Second)
		a.expect("1:/#1 ?")
		b.expect("")
		if d, ok := a.Take(1); !ok || d.Event.Kind != socketio.ConnectRequested || d.PrevSeq != 0 {
			t.Errorf("Take = %+v, %v", d, ok)
		}
		e.idle()
		if len(e.recorded(&e.abandoned)) != 0 {
			t.Errorf("abandoned %v", e.recorded(&e.abandoned))
		}
	})
}

// Whoever came in before a group decided about anybody must not look like somebody it has let in.
func TestSessionsThatNobodyDecidedAboutEndWhenAGroupDecides(t *testing.T) {
	virtual(t, Config{Namespaces: []string{"/"}}, func(t *testing.T, e *edge) {
		ended := func(want int) {
			t.Helper()
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.undecided != want {
				t.Errorf("ended %d times, want %d", e.undecided, want)
			}
		}
		e.attach(hello("free"), Fresh)
		ended(0)
		e.attach(asking("b", "m"), Fresh)
		ended(1)
		e.attach(asking("b", "n"), Fresh) // no news
		e.attach(asking("a", "m"), Fresh)
		ended(1)
		h := asking("c", "m")
		h.Spec.Routes = []Route{{Namespace: "/*", Kinds: []socketio.Kind{socketio.ConnectRequested}}}
		e.attach(h, Fresh)
		ended(2)
	})
}

func TestARequestThatNobodyAnswersIsAbandoned(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(e *edge, a *member)
		want time.Duration
	}{
		"no member":  {func(e *edge, a *member) { a.Leave(); a.Detach(); e.ask("/#1", 10*time.Second) }, 10 * time.Second},
		"acked only": {func(e *edge, a *member) { e.ask("/#1", 10*time.Second); a.next(); a.Done(1, 1) }, 0},
		"set aside":  {func(e *edge, a *member) { e.ask("/#1", 10*time.Second); a.next(); a.Nack(1, 0, true, "") }, 0},
		"handed back too often": {func(e *edge, a *member) {
			e.ask("/#1", 10*time.Second)
			a.next()
			a.Nack(1, 20*time.Second, false, "")
		}, 10 * time.Second},
		"lost with its member": {func(e *edge, a *member) {
			e.ask("/#1", 10*time.Second)
			a.next()
			time.Sleep(11 * time.Second)
			a.Detach()
			time.Sleep(time.Millisecond)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, Config{}, func(t *testing.T, e *edge) {
				a := e.attach(asking("g", "m"), Fresh)
				c.run(e, a)
				time.Sleep(c.want - 10*time.Millisecond)
				if c.want > 0 && len(e.recorded(&e.abandoned)) != 0 {
					t.Error("abandoned too early")
				}
				time.Sleep(11 * time.Millisecond)
				if len(e.recorded(&e.abandoned)) != 1 {
					t.Errorf("abandoned %v, want once", e.recorded(&e.abandoned))
				}
				e.idle()
			})
		})
	}
}

// Clients that come before the first backend are let in, as the configuration says; that nobody
// hears them is said once, and not of groups that were there before a restart.
func TestClientsWithoutAnyBackendAreToldOfOnce(t *testing.T) {
	for _, known := range []bool{false, true} {
		var out strings.Builder
		gs := New(Config{Namespaces: []string{"/"}}, slog.New(slog.NewTextHandler(&out, nil)))
		gs.Start(nil)
		want := 1
		if known {
			want = 0
			g, _ := gs.group("chat")
			gs.respec(g, Spec{Routes: []Route{{Namespace: "/other"}}})
		}
		for range 3 {
			if a := gs.Admission("/"); a != socketio.Free {
				t.Errorf("admission %v", a)
			}
		}
		if n := strings.Count(out.String(), "reaches nobody"); n != want {
			t.Errorf("groups known %v: said %d times: %s", known, n, &out)
		}
		gs.Close()
	}
}
