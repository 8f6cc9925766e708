package engineio

import (
	"reflect"
	"testing"
)

// What is carried now and what was done, through every way in which a Socket changes.
func TestStats(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		f := &floor{}
		e := newEdgeOn(t, over, Config{}, f)
		ws, _ := e.ws()
		sid, _ := e.poll()
		e.poll()
		want := func(now [3]int64, done [3]uint64, closed map[string]uint64) {
			t.Helper()
			for _, cause := range causes[1:] {
				closed[cause] += 0
			}
			expected := Stats{Polling: now[0], WebSocket: now[1], Paused: now[2],
				OpenedPolling: done[0], OpenedWebSocket: done[1], Upgraded: done[2], Closed: closed}
			eventually(t, "the counts", func() bool {
				got := e.server.Stats()
				got.Handshake, got.Flush = expected.Handshake, expected.Flush // they depend on how long it took
				return reflect.DeepEqual(got, expected)
			})
		}
		want([3]int64{2, 1, 0}, [3]uint64{2, 1, 0}, map[string]uint64{})

		up := e.probe(sid)
		up.say("2probe")
		up.want("3probe")
		up.say("5", "4there")
		up.want("4there")
		want([3]int64{1, 2, 0}, [3]uint64{2, 1, 1}, map[string]uint64{})

		s := e.server.find(sid)
		s.Pause()
		s.Pause()
		want([3]int64{1, 2, 1}, [3]uint64{2, 1, 1}, map[string]uint64{})
		s.Unpause()
		s.Unpause()
		want([3]int64{1, 2, 0}, [3]uint64{2, 1, 1}, map[string]uint64{})
		s.Pause()
		s.Close(SlowConsumer)
		s.Close(ForcedClose)
		want([3]int64{1, 1, 0}, [3]uint64{2, 1, 1}, map[string]uint64{"slow consumer": 1})
		ws.say("1")
		want([3]int64{1, 0, 0}, [3]uint64{2, 1, 1}, map[string]uint64{"slow consumer": 1, "transport close": 1})
	})
}
