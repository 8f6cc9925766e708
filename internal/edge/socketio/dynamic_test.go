package socketio_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Namespaces that only a pattern declares exist while somebody is in them.
func TestN21_N22_N25_N26_N28_DynamicNamespaces(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.backend.pattern = "/tenant-"
		var clients [8]*client
		var wg sync.WaitGroup
		for i := range clients {
			clients[i] = w.open()
			wg.Go(func() { clients[i].send("40/tenant-1,") })
		}
		wg.Wait()
		all := socketio.Target{Namespace: "/tenant-1", Everyone: true}
		if open, _, err := w.sockets.Count(&all); open != len(clients) || err != nil {
			t.Errorf("N25: %d sessions in one namespace, %v", open, err)
		}
		for _, c := range clients {
			if got := c.recv(); !strings.HasPrefix(got, "40/tenant-1,") {
				t.Errorf("N21: %q", got)
			}
			c.send("41/tenant-1,")
		}
		if rooms, err := w.sockets.Rooms("/tenant-1", "", "", 10); len(rooms) != 0 || err != nil {
			t.Errorf("N26: rooms %v, %v", rooms, err)
		}
		clients[0].send("40/tenant-1,")
		if got := clients[0].recv(); !strings.HasPrefix(got, "40/tenant-1,") {
			t.Errorf("N28: %q", got)
		}
	})
}

func TestN23_ANamespaceThatNoPatternMatches(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.backend.pattern = "/tenant-"
		c := w.open()
		c.send("40/other,")
		equal(t, "reply", c.recv(), `44/other,{"message":"Invalid namespace"}`)
	})
}

func TestM06_TheSessionIsNotThereBeforeTheDecision(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.backend.asked = map[string]bool{"/": true}
		c := w.open()
		c.send("40")
		if r := w.emit(socketio.Emit{Target: everyone(), Event: "x"}); r.Matched != 0 {
			t.Errorf("matched %d", r.Matched)
		}
		var f socketio.Flush
		w.sockets.Accept(w.backend.last(), &socketio.Accept{}, &f)
		f.Do()
		if r := w.emit(socketio.Emit{Target: everyone(), Event: "x"}); r.Matched != 1 {
			t.Errorf("matched %d afterwards", r.Matched)
		}
	})
}
