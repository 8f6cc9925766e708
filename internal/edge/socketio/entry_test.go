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

// Whoever came in while no group decided has to come again once one does.
func TestClientsThatNobodyDecidedAboutHaveToComeAgain(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, _, pid := w.connect()
		away, _, _ := w.connect()
		away.lose()
		if n := w.sockets.EndUndecided(); n != 0 {
			t.Errorf("%d ended, though no group decides", n)
		}
		w.backend.mu.Lock()
		w.backend.asked = map[string]bool{"/": true}
		w.backend.mu.Unlock()
		if n := w.sockets.EndUndecided(); n != 2 {
			t.Errorf("%d ended, want the one that is there and the one that is away", n)
		}
		equal(t, "what a stock client takes for a lost connection", c.recv(), "1")
		w.want("opened, opened, suspended: transport close, closed: forced server close, closed: forced server close")

		_, got := w.decide(`{"pid":"` + pid + `"}`)
		if _, now := ids(got); now == "" || now == pid {
			t.Errorf("got %q, want a new session", got)
		}
		if n := w.sockets.EndUndecided(); n != 0 {
			t.Errorf("%d ended that a group has let in", n)
		}
	})
}

// A group may begin to decide at the very moment in which a client is let in.
func TestAClientThatCameAsAGroupBeganToDecideHasToComeAgain(t *testing.T) {
	for _, gone := range []bool{false, true} {
		inWorld(t, recovering, func(w *world) {
			w.connect() // nobody decided about this one either
			w.backend.mu.Lock()
			w.backend.decides = true
			w.backend.mu.Unlock()
			c := w.open()
			if gone {
				c.send("40", "1")
			} else {
				c.send("40")
			}
			w.want("opened, opened, closed: forced server close, closed: forced server close")
		})
	}
}

// decide opens a connection and lets it in as a group does.
func (w *world) decide(auth string) (*client, string) {
	w.t.Helper()
	c := w.open()
	c.send("40" + auth)
	synctest.Wait()
	var f socketio.Flush
	if err := w.sockets.Accept(w.backend.last(), &socketio.Accept{}, &f); err != nil {
		w.t.Fatal(err)
	}
	f.Do()
	return c, c.recv()
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
