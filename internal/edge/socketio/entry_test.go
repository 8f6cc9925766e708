package socketio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// passport reads tokens of the form subject or subject/lifetime. "later" cannot be verified for
// now, and "slow" takes a while.
type passport struct{}

func (passport) Verify(ctx context.Context, token string) (*socketio.Identity, error) {
	subject, life, _ := strings.Cut(token, "/")
	switch subject {
	case "", "bad":
		return nil, errors.New("not good")
	case "later":
		return nil, fmt.Errorf("fetch keys: %w", socketio.ErrNotNow)
	case "slow":
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return nil, socketio.ErrNotNow
		}
	case "stuck":
		<-ctx.Done()
		return nil, socketio.ErrNotNow
	}
	id := &socketio.Identity{Subject: subject, Attributes: map[string]string{"role": "user"}}
	if d, err := time.ParseDuration(life); err == nil {
		id.Expires = time.Now().Add(d)
	}
	return id, nil
}

// guarded is a Config whose namespaces are decided about in every way. Its audit log is the buffer.
func guarded(t *testing.T) (socketio.Config, *audit) {
	a := &audit{}
	return socketio.Config{RecoveryWindow: 5 * time.Minute, Tokens: passport{}, Audit: slog.New(slog.NewJSONHandler(a, nil)),
		Entries: []socketio.EntryRule{{"/free", socketio.EntryFree}, {"/group*", socketio.EntryGroup}, {"/both", socketio.EntryTokenAndGroup}, {"/", socketio.EntryToken}},
		Unproven: func(nsp, addr string, err error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.unproven++
		}}, a
}

type audit struct {
	mu       sync.Mutex
	lines    bytes.Buffer
	unproven int
}

func (a *audit) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lines.Write(b)
}

// story is what was audited: the message and why, one after the other.
func (a *audit) story() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for line := range strings.Lines(a.lines.String()) {
		var l struct{ Msg, Why, From, Before string }
		json.Unmarshal([]byte(line), &l)
		all = append(all, strings.TrimSpace(strings.Join([]string{l.Msg, l.Why, l.Before, "->", l.From}, " ")))
	}
	return strings.Join(all, "; ")
}

// try makes a connection, sends a CONNECT and returns the answer.
func (w *world) try(nsp, auth string) (*client, string) {
	w.t.Helper()
	c := w.open()
	if nsp != "/" {
		auth = nsp + "," + auth
	}
	c.send("40" + auth)
	return c, c.recv()
}

func TestEntry(t *testing.T) {
	cfg, a := guarded(t)
	inWorld(t, cfg, func(w *world) {
		for _, nsp := range []string{"/free", "/", "/both", "/asGroupsLike", "/group1", "/group2"} {
			w.backend.free[nsp] = true
		}
		w.backend.asked = map[string]bool{"/free": true, "/": true, "/both": true, "/group1": true}

		_, got := w.try("/free", "")
		if sid, _ := ids(got); sid == "" {
			t.Errorf("free, though a group asks: %q", got)
		}
		_, got = w.try("/asGroupsLike", "")
		if sid, _ := ids(got); sid == "" {
			t.Errorf("no rule: %q", got)
		}
		c := w.open()
		c.send(`40/group2,{"token":"alice"}`)
		if got := c.recv(); got != "1" {
			t.Errorf("a group has to decide, and none asks: %q", got)
		}

		// By a token: the user is its subject, and no group is asked or sees the token.
		_, got = w.try("/", `{"token":"alice","x":1}`)
		if sid, _ := ids(got); sid == "" {
			t.Fatalf("with a token: %q", got)
		}
		life := w.backend.last().Life
		if life.Session.UserID != "alice" || life.Session.Attributes["role"] != "user" || string(life.Auth) != `{"x":1}` {
			t.Errorf("opened: %+v, auth %s", life.Session, life.Auth)
		}
		for _, auth := range []string{"", "{}", `{"token":"bad"}`, `{"Token":"alice"}`, `{"token":["alice"]}`, `{"a":{"token":"alice"}}`} {
			if _, got := w.try("/", auth); got != `44{"message":"Not authorized"}` {
				t.Errorf("N3 %s: %q", auth, got)
			}
		}
		if a.unproven != 6 {
			t.Errorf("told of %d tokens", a.unproven)
		}
		c = w.open()
		c.send(`40{"token":"alice","token":"bob"}`)
		if got := c.recv(); got != "1" {
			t.Errorf("J8 token twice: %q", got)
		}

		// By a token and a group, which is told whom the token proves and may add to it.
		_, got = w.try("/both", `{"token":"bad"}`)
		equal(t, "bad token, before a group", got, `44/both,{"message":"Not authorized"}`)
		c = w.open()
		c.send(`40/both,{"token":"bob"}`)
		synctest.Wait()
		ev := w.backend.last()
		if ev.Kind != socketio.ConnectRequested || ev.Life.Identity == nil || ev.Life.Identity.Subject != "bob" || string(ev.Life.Auth) != "{}" {
			t.Fatalf("asked: %+v", ev.Life)
		}
		var f socketio.Flush
		if err := w.sockets.Accept(ev, &socketio.Accept{Attributes: map[string]string{"plan": "pro", "role": "admin"}}, &f); err != nil {
			t.Fatal(err)
		}
		f.Do()
		if sid, _ := ids(c.recv()); sid == "" {
			t.Error("not let in")
		}
		if s := w.backend.last().Life.Session; s.UserID != "bob" || s.Attributes["plan"] != "pro" || s.Attributes["role"] != "admin" {
			t.Errorf("opened: %+v", s)
		}
	})
}

// What cannot be verified for now is no reason to stop trying: a stock client comes back after the
// end of its connection, and never after a CONNECT_ERROR.
func TestTokensThatCannotBeVerifiedNow(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		_, got := w.try("/", `{"token":"later"}`)
		equal(t, "keys cannot be had", got, "1")
		begin := time.Now()
		_, got = w.try("/", `{"token":"stuck"}`)
		equal(t, "keys take too long", got, "1")
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A client whose token takes its time holds nobody up, not even itself.
func TestVerifyingDoesNotHoldUpTheReader(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		c := w.open()
		begin := time.Now()
		c.send(`40{"token":"slow"}`, "40/free,")
		w.backend.mu.Lock()
		w.backend.free["/free"] = true
		w.backend.mu.Unlock()
		if took := time.Since(begin); took != 0 {
			t.Errorf("sending took %v", took)
		}
		if got := c.recv(); !strings.HasPrefix(got, "44/free") && !strings.HasPrefix(got, "40/free") {
			t.Errorf("another namespace waits: %q", got)
		}
		got := c.recv()
		if sid, _ := ids(got); sid == "" || time.Since(begin) != 3*time.Second {
			t.Errorf("%q after %v", got, time.Since(begin))
		}
		// One who leaves meanwhile leaves nothing.
		c = w.open()
		c.send(`40{"token":"slow"}`)
		c.lose()
		time.Sleep(4 * time.Second)
		w.want("opened")
	})
}

func TestN5_ExpiryClosesTheConnection(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		begin := time.Now()
		c, got := w.try("/", `{"token":"alice/1h"}`)
		sid, pid := ids(got)
		for got = ""; got == ""; {
			if got = c.recv(); got == "6" {
				got = ""
			}
		}
		if took := time.Since(begin); got != "1" || took < time.Hour || took > time.Hour+5*time.Second {
			t.Errorf("%q after %v", got, took)
		}
		w.want("opened, suspended: forced server close")

		// With the same token there is no way back, with a new one it is the same session.
		_, got = w.try("/", `{"pid":"`+pid+`","token":"bad"}`)
		equal(t, "R3 not good", got, `44{"message":"Not authorized"}`)
		c, got = w.try("/", `{"pid":"`+pid+`","token":"alice/2h"}`)
		equal(t, "new token", got, `40{"sid":"`+sid+`","pid":"`+pid+`"}`)

		// The new token counts, and not the old one. One who has left is not closed.
		begin = time.Now()
		for got = ""; got == ""; {
			if got = c.recv(); got == "6" {
				got = ""
			}
		}
		if took := time.Since(begin); took < 2*time.Hour || took > 2*time.Hour+5*time.Second {
			t.Errorf("the new token: after %v", took)
		}
	})
}

func TestN5_ExpiryNotifies(t *testing.T) {
	cfg, _ := guarded(t)
	cfg.OnExpiry = socketio.ExpiryNotifies
	inWorld(t, cfg, func(w *world) {
		c, _ := w.try("/", `{"token":"alice/1m"}`)
		if got := c.recv(); !strings.HasPrefix(got, `42["auth_expired"`) {
			t.Errorf("got %q", got)
		}
		c.send(`42["still here"]`)
		w.want("opened, still here[]")
	})
}

func TestN5_ExpiryIgnored(t *testing.T) {
	cfg, _ := guarded(t)
	cfg.OnExpiry = socketio.ExpiryIgnored
	inWorld(t, cfg, func(w *world) {
		c, _ := w.try("/", `{"token":"alice/1s"}`)
		time.Sleep(10 * time.Second)
		if !c.quiet() {
			t.Error("something came")
		}
	})
}

func TestR3_N7_ResumeIsBoundToTheSubject(t *testing.T) {
	cfg, a := guarded(t)
	inWorld(t, cfg, func(w *world) {
		w.backend.free["/free"] = true
		c, got := w.try("/", `{"token":"alice"}`)
		sid, pid := ids(got)
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"secrets"}})
		c.lose()
		w.emit(socketio.Emit{Target: socketio.Target{Rooms: []string{"secrets"}}, Event: "secret"})

		for name, auth := range map[string]string{"R3 of another subject": `{"pid":"` + pid + `","token":"mallory"}`} {
			_, got := w.try("/", auth)
			if again, p := ids(got); again == "" || again == sid || p == pid || strings.Contains(got, "secret") {
				t.Errorf("%s: %q", name, got)
			}
		}
		_, got = w.try("/", `{"pid":"`+pid+`"}`)
		equal(t, "R3 no token", got, `44{"message":"Not authorized"}`)
		_, got = w.try("/free", `{"pid":"`+pid+`","token":"alice"}`)
		if again, p := ids(got); again == sid || p == pid {
			t.Errorf("N7 another namespace: %q", got)
		}
		equal(t, "audit", a.story(), "session not resumed of another subject  -> 192.0.2.1")

		// Its own subject gets everything.
		_, got = w.try("/", `{"pid":"`+pid+`","token":"alice"}`)
		if again, p := ids(got); again != sid || p != pid || !strings.Contains(got, "secret") {
			t.Errorf("its own subject: %q", got)
		}
	})
}

// The subject is bound over a restart too, and so is the network.
func TestR3_R7_AcrossARestart(t *testing.T) {
	cfg, a := guarded(t)
	cfg.Binding = engineio.BindPrefix
	inWorlds(t, cfg, func(w *world, d *disk, restart func()) {
		w.from = "198.51.100.1:1"
		c := w.open()
		c.send(`40{"token":"alice/1h"}`)
		settle()
		sid, pid := ids(c.recv())
		restart()
		resume := func(from, subject string) string {
			w.from = from
			_, got := w.resume(`{"pid":"` + pid + `","token":"` + subject + `"}`)
			again, _ := ids(got)
			return again
		}
		if again := resume("198.51.100.1:1", "mallory"); again == "" || again == sid {
			t.Error("R3 another subject resumed")
		}
		if again := resume("203.0.113.9:1", "alice"); again == "" || again == sid {
			t.Error("R7 another network resumed")
		}
		if again := resume("198.51.100.77:1", "alice"); again != sid {
			t.Error("the same network did not resume")
		}
		equal(t, "audit", a.story(), "session not resumed of another subject  -> 198.51.100.1; "+
			"session not resumed bound to another network 198.51.100.1 -> 203.0.113.9; "+
			"session resumed from another address  198.51.100.1 -> 198.51.100.77")
	})
}

// Two subjects may be one user to a group; a session is still of one of them, also when tokens are
// not asked for any more. The group is not even told that the other wants to resume.
func TestR3_OneUserTwoSubjects(t *testing.T) {
	cfg, _ := guarded(t)
	inWorlds(t, cfg, func(w *world, d *disk, restart func()) {
		accept := func(auth string) (again string, resuming bool) {
			w.backend.free["/both"], w.backend.asked = true, map[string]bool{"/both": true}
			c := w.open()
			c.send("40/both," + auth)
			synctest.Wait()
			ev := w.backend.last()
			var f socketio.Flush
			if err := w.sockets.Accept(ev, &socketio.Accept{UserID: "shared"}, &f); err != nil {
				t.Fatal(err)
			}
			f.Do()
			settle()
			got := c.recv()
			sid, pid := ids(got)
			return sid + " " + pid, ev.Life.Resuming
		}
		first, _ := accept(`{"token":"alice"}`)
		_, pid, _ := strings.Cut(first, " ")
		if got, resuming := accept(`{"token":"mallory","pid":"` + pid + `"}`); got == first || resuming {
			t.Errorf("another subject resumes: %v", resuming)
		}
		cfg.Entries[2].Entry = socketio.EntryGroup
		restart()
		if got, _ := accept(`{"pid":"` + pid + `"}`); got == first {
			t.Error("without a token the session is resumed")
		}
		cfg.Entries[2].Entry = socketio.EntryTokenAndGroup
		restart()
		if got, resuming := accept(`{"token":"alice","pid":"` + pid + `"}`); got != first || !resuming {
			t.Errorf("alice does not resume: %v", resuming)
		}
	})
}

func TestR7_ResumeFromAnotherAddressIsAudited(t *testing.T) {
	cfg, a := guarded(t)
	inWorld(t, cfg, func(w *world) {
		w.from = "[2001:db8::1]:1"
		c, got := w.try("/", `{"token":"alice"}`)
		sid, pid := ids(got)
		c.lose()
		w.from = "203.0.113.9:1"
		if _, got = w.try("/", `{"pid":"`+pid+`","token":"alice"}`); !strings.Contains(got, sid) {
			t.Errorf("not resumed: %q", got)
		}
		equal(t, "audit", a.story(), "session resumed from another address  2001:db8::1 -> 203.0.113.9")
	})
}

func TestR2_TakeoversAreBounded(t *testing.T) {
	cfg, a := guarded(t)
	inWorld(t, cfg, func(w *world) {
		_, got := w.try("/", `{"token":"alice"}`)
		sid, pid := ids(got)
		take := func() bool {
			_, got := w.try("/", `{"pid":"`+pid+`","token":"alice"}`)
			again, _ := ids(got)
			return again == sid
		}
		for i := range 5 {
			time.Sleep(time.Second)
			if !take() {
				t.Errorf("takeover %d did not happen", i)
			}
		}
		if take() {
			t.Error("the sixth within a minute happened")
		}
		if n := strings.Count(a.story(), "taken over from"); n != 5 || !strings.HasSuffix(a.story(), "taken over too often 192.0.2.1 -> 192.0.2.1") {
			t.Errorf("audit: %s", a.story())
		}
		time.Sleep(57 * time.Second)
		if !take() {
			t.Error("a minute after the first it did not happen")
		}
	})
}

// A resume is no takeover when the connection before it has ended, however often that is.
func TestResumesAreNotBounded(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		c, got := w.try("/", `{"token":"alice"}`)
		sid, pid := ids(got)
		for i := range 20 {
			c.lose()
			if c, got = w.try("/", `{"pid":"`+pid+`","token":"alice"}`); !strings.Contains(got, sid) {
				t.Fatalf("resume %d: %q", i, got)
			}
		}
	})
}

func TestR8_NoResumeAfterABackendsGoodbye(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		_, got := w.try("/", `{"token":"alice"}`)
		sid, pid := ids(got)
		w.apply(&socketio.Disconnect{Target: to(sid)})
		_, got = w.try("/", `{"pid":"`+pid+`","token":"alice"}`)
		if again, p := ids(got); again == "" || again == sid || p == pid {
			t.Errorf("got %q", got)
		}
	})
}

func TestN8_BadTokensCloseTheConnection(t *testing.T) {
	cfg, _ := guarded(t)
	inWorld(t, cfg, func(w *world) {
		c := w.open()
		for range 4 {
			c.send(`40{"token":"bad"}`)
			equal(t, "refused", c.recv(), `44{"message":"Not authorized"}`)
		}
		c.send(`40{"token":"bad"}`)
		if got := c.recv(); got != `44{"message":"Not authorized"}` {
			t.Errorf("the fifth: %q", got)
		}
		equal(t, "and then", c.recv(), "1")
	})
}
