package socketio_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// changed is what the backends were told since the last call, one word a session.
func (b *backend) changed() (words []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.changes {
		words = append(words, fmt.Sprint(c.Socket.SID, c.Rooms, c.By))
	}
	b.changes = nil
	slices.Sort(words)
	return words
}

func TestBackendsAreToldOfRoomsThatCommandsChange(t *testing.T) {
	inWorld(t, socketio.Config{RoomsPerSocket: 3}, func(w *world) {
		_, a, _ := w.connect()
		_, b, _ := w.connect()
		for _, row := range []struct {
			name string
			cmd  socketio.Command
			want []string
		}{
			{"a join", &socketio.Join{Target: to(a), Rooms: []string{"x", "y"}, By: 1}, []string{a + "[x y] 1"}},
			{"a join of who is in", &socketio.Join{Target: to(a), Rooms: []string{"x"}, By: 1}, nil},
			{"a join of one that is in, one that is not", &socketio.Join{Target: everyone(), Rooms: []string{"x"}, By: 2}, []string{b + "[x] 2"}},
			{"a join that finds no room", &socketio.Join{Target: to(a), Rooms: []string{"z", "more"}}, []string{a + "[z more] <nil>"}},
			{"a leave of who is not in", &socketio.Leave{Target: everyone(), Rooms: []string{"nowhere"}}, nil},
			{"a leave", &socketio.Leave{Target: everyone(), Rooms: []string{"z", "y"}, By: 3}, []string{a + "[z y] 3"}},
			{"a leave of all", &socketio.Leave{Target: everyone(), All: true, By: 4}, []string{a + "[x] 4", b + "[x] 4"}},
			{"an update", &socketio.Update{SID: a, Set: map[string]string{"k": "v"}}, nil},
		} {
			w.apply(row.cmd)
			slices.Sort(row.want)
			if got := w.backend.changed(); !slices.Equal(got, row.want) {
				t.Errorf("%s: told of %q, want %q", row.name, got, row.want)
			}
		}
	})
}

func TestN18AuthIsKeptForTheConnectionThatGaveIt(t *testing.T) {
	inWorld(t, socketio.Config{RecoveryWindow: time.Minute}, func(w *world) {
		auth := func(sid string) string {
			s, ok := w.sockets.Session(sid)
			if !ok {
				t.Fatal("no session")
			}
			for _, told := range []func() (socketio.Session, error){
				func() (socketio.Session, error) { return w.sockets.Get("/", sid) },
				func() (socketio.Session, error) {
					all, err := w.sockets.List(&socketio.Target{SIDs: []string{sid}}, "", 1)
					return all[0], err
				},
			} {
				if s, err := told(); err != nil || s.Auth != "" {
					t.Errorf("SessionService would tell %q, %v", s.Auth, err)
				}
			}
			return s.Auth
		}
		c := w.open()
		c.send(`40{"token":"one"}`)
		sid, pid := ids(c.recv())
		if got := auth(sid); got != `{"token":"one"}` {
			t.Errorf("auth is %s", got)
		}
		c.lose()
		if got := auth(sid); got != "" {
			t.Errorf("the auth of a connection that is lost is kept: %s", got)
		}
		c = w.open()
		c.send(`40{"pid":"` + pid + `","token":"two"}`)
		c.recv()
		if got := auth(sid); got != `{"token":"two"}` {
			t.Errorf("auth after the return is %s", got)
		}
		if ev := w.backend.last(); ev.Kind != socketio.Resumed || string(ev.Life.Auth) != `{"token":"two"}` {
			t.Errorf("the return was told as %v with auth %s", ev.Kind, ev.Life.Auth)
		}
		c = w.open()
		c.send("40")
		if sid, _ := ids(c.recv()); auth(sid) != "" {
			t.Errorf("auth of a client that gave none: %s", auth(sid))
		}
	})
}
