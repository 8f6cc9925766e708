package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

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

// A kill at any instant forgets neither address, also of a session that never changed.
func TestR7_ResumeFromAnotherAddressIsAuditedAfterAKill(t *testing.T) {
	cfg, a := guarded(t)
	inWorlds(t, cfg, func(w *world, d *disk, restart func()) {
		w.from = "[2001:db8::1]:1"
		c := w.open()
		c.send(`40{"token":"alice"}`)
		settle()
		sid, pid := ids(c.recv())
		restart()
		w.from = "203.0.113.9:1"
		c, got := w.resume(`{"pid":"` + pid + `","token":"alice"}`)
		if again, _ := ids(got); again != sid {
			t.Errorf("not resumed: %q", got)
		}
		c.lose()
		w.resume(`{"pid":"` + pid + `","token":"alice"}`) // from where it was
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
