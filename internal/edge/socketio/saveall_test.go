package socketio_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// TestSaveAllPutsEverythingAgain: a store that lost what it had gets the very records that it
// would have had.
func TestSaveAllPutsEverythingAgain(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		_, sid, pid := w.connect()
		_, other, _ := w.connect()
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"lobby", "b"}})
		w.emit(news(to(sid), `[]`))
		w.emit(news(to(sid), `[ {"a":[1,2,"]"]} , "x" ]`))
		w.emit(news(socketio.Target{Rooms: []string{"lobby"}, ExceptSIDs: []string{other}}, `["3"]`))
		binary := news(everyone(), `[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		binary.Attachments = [][]byte{{1, 2}, {}}
		binary.TTL = time.Hour
		w.emit(binary)
		ask := news(to(sid), `["sure?"]`)
		ask.AckTimeout, ask.Acks = time.Hour, &answers{}
		w.emit(ask)
		w.apply(&socketio.Leave{Target: to(sid), Rooms: []string{"b"}})
		settle()
		before := d.files
		d.files = newDisk().files
		w.sockets.SaveAll()
		settle()
		if len(d.files.sessions) != 2 || len(d.files.packets["/"]) != 5 {
			t.Fatalf("%d sessions, %d packets", len(d.files.sessions), len(d.files.packets["/"]))
		}
		replay := func() string {
			restart()
			_, got := w.resume(`{"pid":"` + pid + `"}`)
			return got
		}
		saved := files{maps.Clone(d.files.sessions), maps.Clone(d.files.packets), maps.Clone(d.files.namespaces)}
		got := replay()
		if n := strings.Count(got, "news"); n != 5 {
			t.Errorf("%d events in %q", n, got)
		}
		d.files = before
		equal(t, "replay", got, replay())
		// A restored packet is saved no less exactly than a new one.
		d.files = saved
		restart()
		d.files = newDisk().files
		w.sockets.SaveAll()
		settle()
		equal(t, "replay of what was saved twice", replay(), got)
	})
}
