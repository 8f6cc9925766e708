package socketio_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Everything that is counted, through the life of two clients.
func TestCounts(t *testing.T) {
	counts := make(map[string]*socketio.Counts)
	var mu sync.Mutex // guards refused
	refused := make(map[string]int)
	cfg := socketio.Config{RecoveryWindow: time.Minute,
		Counts: func(namespace string) *socketio.Counts {
			counts[namespace] = new(socketio.Counts)
			return counts[namespace]
		},
		Refused: func(reason string) {
			mu.Lock()
			refused[reason]++
			mu.Unlock()
		}}
	inWorld(t, cfg, func(w *world) {
		a, asid, apid := w.connect()
		b, bsid, _ := w.connect()
		usage := func(what, want string) {
			t.Helper()
			equal(t, what, fmt.Sprintf("%+v", w.sockets.Usages()["/"]), want)
		}
		w.apply(&socketio.Join{Target: everyone(), Rooms: []string{"x", "y"}})
		usage("two clients", `{Open:2 Away:0 Rooms:2 LogPackets:0 LogBytes:0 AwaitedAcks:0}`)
		a.send(`42["one",1]`, `420["two"]`)
		var f socketio.Flush
		w.sockets.Reply(w.backend.last(), []byte(`[]`), nil, &f)
		f.Do()
		a.recv()
		a.lose()
		w.emit(socketio.Emit{Target: everyone(), Event: "v", Volatile: true}) // b polls not: two are dropped
		m := w.emit(ask(to(asid, bsid), &answers{}, time.Second))
		if m.Written != 2 {
			t.Fatalf("%+v", m)
		}
		usage("one away", `{Open:1 Away:1 Rooms:2 LogPackets:1 LogBytes:10 AwaitedAcks:1}`)
		equal(t, "packet", b.recv(), `420["q"]`)
		b.send(`430[]`)

		c := w.open()
		c.send(`40{"pid":"` + apid + `"}`)
		c.recv()
		time.Sleep(2 * time.Second) // a does not acknowledge
		usage("back", `{Open:2 Away:0 Rooms:2 LogPackets:1 LogBytes:10 AwaitedAcks:0}`)
		b.send("41")
		c.send("42{")
		d := w.open()
		d.send(`40/nowhere,`) // b has left its only namespace, d never joins one
		time.Sleep(5 * time.Minute)
		usage("gone", `{Open:0 Away:0 Rooms:0 LogPackets:1 LogBytes:10 AwaitedAcks:0}`)

		n := counts["/"]
		var events []uint64
		for k := range n.Events {
			events = append(events, n.Events[k].Load())
		}
		for _, v := range []struct {
			what      string
			got, want any
		}{
			{"events by kind", fmt.Sprint(events), "[0 0 2 2 1 2 2]"},
			{"emits", n.Emits.Load(), uint64(2)},
			{"written", n.Written.Load(), uint64(2)},
			{"dropped", n.Dropped.Load(), uint64(2)},
			{"replies", n.Replies.Load(), uint64(1)},
			{"replayed", n.Replayed.Load(), uint64(1)},
			{"gaps", n.Gaps.Load(), uint64(0)},
			{"acked", n.Acks[socketio.Acked].Load(), uint64(1)},
			{"timed out", n.Acks[socketio.TimedOut].Load(), uint64(1)},
		} {
			if v.got != v.want {
				t.Errorf("%s: %v, want %v", v.what, v.got, v.want)
			}
		}
		equal(t, "refused", fmt.Sprint(refused), "map[namespace:1 no connect:2 packet:1]")
		for reason := range refused {
			if !slices.Contains(socketio.Refusals(), reason) {
				t.Errorf("%q is not among the Refusals", reason)
			}
		}
	})
}
