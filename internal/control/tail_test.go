package control

import (
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// An emit is shown by asking for the session that is followed, which waits for an event of it that is
// being delivered, which is shown in turn: neither may wait for the other.
func TestTailAsksWithoutALock(t *testing.T) {
	s := &socketio.Socket{SID: "one", Nsp: &socketio.Namespace{Name: "/"}}
	tails := tails{hook: func(bool) {}}
	tails.session = func(string, string) (socketio.Session, error) {
		shown := make(chan struct{})
		go func() { // awaited below, unless it hangs
			tails.event(1, &socketio.Event{Kind: socketio.ClientEvent, Socket: s, Name: "say", Args: []byte("[]"), At: time.Now()})
			close(shown)
		}()
		select {
		case <-shown:
		case <-time.After(10 * time.Second):
			t.Error("an event waits for an emit that asks for its session")
		}
		return socketio.Session{SID: "one", Rooms: []string{"lobby"}}, nil
	}
	r := tails.open(&socketio.Target{Namespace: "/", SIDs: []string{"one"}}, nil, true)
	defer tails.close(r)
	tails.emitted(&socketio.Emit{Target: socketio.Target{Namespace: "/", Rooms: []string{"lobby"}}, Event: "said", Args: []byte("[]")}, socketio.Receipt{})
	if first, second := <-r.entries, <-r.entries; first.GetEvent() == nil || second.GetEmitted() == nil {
		t.Errorf("%v, %v", first, second)
	}
}
