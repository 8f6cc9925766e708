package socketio_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func TestR01_R04_R05_R06_Targets(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		var sids []string
		for range 4 {
			_, sid, _ := w.connect()
			sids = append(sids, sid)
		}
		join := func(i int, rooms ...string) { w.apply(&socketio.Join{Target: to(sids[i]), Rooms: rooms}) }
		join(0, "a")
		join(1, "a", "b")
		join(2, "b")
		for _, row := range []struct {
			name   string
			target socketio.Target
			want   int
		}{
			{"R01 everyone", everyone(), 4},
			{"R04 a room", socketio.Target{Rooms: []string{"a"}}, 2},
			{"R05 two rooms, each session once", socketio.Target{Rooms: []string{"a", "b"}}, 3},
			{"R03 everyone but the sender", socketio.Target{Everyone: true, ExceptSIDs: sids[:1]}, 3},
			{"R06 but a room", socketio.Target{Everyone: true, ExceptRooms: []string{"b"}}, 2},
			{"R06 a room but a room", socketio.Target{Rooms: []string{"a"}, ExceptRooms: []string{"b"}}, 1},
			{"sids and rooms", socketio.Target{Rooms: []string{"a"}, SIDs: []string{sids[0], sids[3]}}, 3},
			{"nobody is there", socketio.Target{Rooms: []string{"c"}, SIDs: []string{"x"}}, 0},
			{"N6 a room cannot shadow a sid", socketio.Target{Rooms: []string{sids[0]}}, 0},
		} {
			if r := w.emit(socketio.Emit{Target: row.target, Event: "x"}); r.Matched != row.want {
				t.Errorf("%s: matched %d, want %d", row.name, r.Matched, row.want)
			}
		}
	})
}

func TestCommandsThatAreRefused(t *testing.T) {
	inWorld(t, socketio.Config{RoomsPerSocket: 2}, func(w *world) {
		_, sid, _ := w.connect()
		for _, row := range []struct {
			name   string
			cmd    socketio.Command
			reason string
		}{
			{"an empty target", &socketio.Emit{Event: "x"}, socketio.TargetEmpty},
			{"an unknown namespace", &socketio.Emit{Target: socketio.Target{Namespace: "/no", Everyone: true}, Event: "x"}, socketio.NamespaceUnknown},
			{"D14 a reserved name", &socketio.Emit{Target: everyone(), Event: "connect"}, socketio.EventInvalid},
			{"G9 a name too long", &socketio.Emit{Target: everyone(), Event: strings.Repeat("x", 129)}, socketio.EventInvalid},
			{"G9 arguments that are no JSON", &socketio.Emit{Target: everyone(), Event: "x", Args: []byte(`[1,]`)}, socketio.PayloadInvalid},
			{"G9 attachments that nobody names", &socketio.Emit{Target: everyone(), Event: "x", Args: []byte(`[]`), Attachments: [][]byte{{1}}}, socketio.PayloadInvalid},
			{"J5 invalid UTF-8", &socketio.Emit{Target: everyone(), Event: "x", Args: []byte("[\"\xff\"]")}, socketio.PayloadInvalid},
			{"N6 a room without a name", &socketio.Join{Target: to(sid), Rooms: []string{""}}, socketio.TargetInvalid},
			{"N6 a room's name too long", &socketio.Join{Target: to(sid), Rooms: []string{strings.Repeat("x", 257)}}, socketio.TargetInvalid},
			{"V3 too many rooms", &socketio.Join{Target: to(sid), Rooms: []string{"a", "b", "c"}}, socketio.LimitExceeded},
			{"a session that has gone", &socketio.Update{SID: "x", Set: map[string]string{"a": "b"}}, socketio.SessionGone},
			{"another revision", &socketio.Update{SID: sid, IfRevision: 99}, socketio.RevisionMismatch},
		} {
			_, err := w.apply(row.cmd)
			var e *socketio.Error
			if !errors.As(err, &e) || e.Reason != row.reason {
				t.Errorf("%s: %v, want %s", row.name, err, row.reason)
			}
		}
	})
}

func TestF01_F03_VolatileIsDroppedUnlessItCanGoAtOnce(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		got := make(chan string, 1)
		go func() { got <- c.recv() }()
		synctest.Wait()
		var f socketio.Flush
		dropped := 0
		for i := range 3 {
			r, _ := w.sockets.Apply(&socketio.Emit{Target: to(sid), Event: "v", Args: fmt.Appendf(nil, "[%d]", i), Volatile: true}, &f)
			dropped += r.Dropped
		}
		f.Do()
		equal(t, "of three at once", <-got, `42["v",0]`)
		if dropped != 2 {
			t.Errorf("dropped %d", dropped)
		}
		if r := w.emit(socketio.Emit{Target: to(sid), Event: "v", Volatile: true}); r.Dropped != 1 {
			t.Error("F01: written although nobody polls")
		}
		w.emit(socketio.Emit{Target: to(sid), Event: "regular"})
		equal(t, "F04 the next regular one", c.recv(), `42["regular"]`)
	})
}

func TestZ05_DisconnectClosesEveryNamespace(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		c.send("40/custom,")
		c.recv()
		w.apply(&socketio.Disconnect{Target: to(sid), Close: true})
		equal(t, "packets", c.recv(), "41\x1e41/custom,")
		equal(t, "the end", c.recv(), "1")
		w.want("opened, opened, closed: server namespace disconnect, closed: server namespace disconnect")
	})
}

func TestQ05_EmitThenDisconnectArriveInThatOrder(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		var f socketio.Flush
		w.sockets.Apply(&socketio.Emit{Target: to(sid), Event: "bye"}, &f)
		w.sockets.Apply(&socketio.Disconnect{Target: to(sid)}, &f)
		f.Do()
		equal(t, "packets", c.recv(), `42["bye"]`+"\x1e41")
	})
}

// TestRoomsAgainstAModel does random joins, leaves and goodbyes beside a plain map.
func TestRoomsAgainstAModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	inWorld(t, socketio.Config{}, func(w *world) {
		model := make(map[string]map[string]bool) // sid to rooms
		for range 2000 {
			room := fmt.Sprint("r", random.IntN(5))
			sids := slices.Sorted(maps.Keys(model))
			switch op := random.IntN(10); {
			case len(sids) < 3 || op == 0 && len(sids) < 20:
				_, sid, _ := w.connect()
				model[sid] = make(map[string]bool)
			case op == 1:
				sid := sids[random.IntN(len(sids))]
				w.apply(&socketio.Disconnect{Target: to(sid)})
				delete(model, sid)
			case op < 6:
				sid := sids[random.IntN(len(sids))]
				w.apply(&socketio.Join{Target: to(sid), Rooms: []string{room}})
				model[sid][room] = true
			case op < 9:
				sid := sids[random.IntN(len(sids))]
				w.apply(&socketio.Leave{Target: to(sid), Rooms: []string{room}})
				delete(model[sid], room)
			default:
				from := fmt.Sprint("r", random.IntN(5))
				w.apply(&socketio.Join{Target: socketio.Target{Rooms: []string{from}}, Rooms: []string{room}})
				for _, rooms := range model {
					if rooms[from] {
						rooms[room] = true
					}
				}
			}
			want := make(map[string]int)
			for _, rooms := range model {
				for r := range rooms {
					want[r]++
				}
			}
			list, _ := w.sockets.Rooms("/", "", "", 100)
			got := make(map[string]int)
			for _, r := range list {
				got[r.Name] = r.Sessions
			}
			if !maps.Equal(got, want) {
				t.Fatalf("rooms %v, want %v", got, want)
			}
		}
	})
}
