package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/control"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// passed is what a test wants to know of one server-sent event.
type passed struct {
	Event struct {
		Sid         string
		ClientEvent struct{ Event string }
	}
	Emitted struct{ Emit struct{ Event string } }
}

func (w *world) tail(query string) <-chan string {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.ops.URL+control.TailPath+"?"+query, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != "text/event-stream" {
		w.t.Fatalf("%d %s", resp.StatusCode, ct)
	}
	lines, done := make(chan string, 100), make(chan struct{})
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				var p passed
				if err := json.Unmarshal([]byte(data), &p); err != nil {
					lines <- err.Error()
				}
				if p.Emitted.Emit.Event != "" {
					lines <- "< " + p.Emitted.Emit.Event
				} else if p.Event.ClientEvent.Event != "" {
					lines <- p.Event.Sid + " > " + p.Event.ClientEvent.Event
				}
			}
		}
	}()
	return lines
}

// A reader of server-sent events gets what it asked for: its sessions, and emits that reach them.
func TestTailAsServerSentEvents(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	a, asid := w.connect()
	b, bsid := w.connect()
	m.commands(&pb.Command{Op: &pb.Command_Join{Join: &pb.Join{Target: &pb.Target{Sids: []string{asid}}, Rooms: []string{"x"}}}})
	all, one := w.tail("event=say*&event=e*"), w.tail(url.Values{"sid": {asid}, "namespace": {"/"}, "event": {""}}.Encode())

	b.send(`42["say"]`)
	a.send(`42["other"]`)
	a.send(`42["say"]`)
	m.commands(emit("", "e1", `[]`, &pb.Target{Sids: []string{bsid}}), emit("", "e2", `[]`, &pb.Target{Rooms: []string{"y"}}),
		emit("", "e3", `[]`, &pb.Target{Rooms: []string{"x"}}), emit("", "e4", `[]`, &pb.Target{Everyone: true}), emit("", "e5", `[]`, &pb.Target{Sids: []string{asid}}))
	for _, tt := range []struct {
		lines <-chan string
		want  []string
	}{
		{all, []string{bsid + " > say", asid + " > say", "< e1", "< e2", "< e3", "< e4", "< e5"}},
		{one, []string{asid + " > other", asid + " > say", "< e3", "< e4", "< e5"}},
	} {
		for _, want := range tt.want {
			select {
			case got := <-tt.lines:
				if got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("nothing came, want %s", want)
			}
		}
	}

	resp, err := http.Get(w.ops.URL + control.TailPath + "?namespace=/nowhere&room=x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a namespace that is not there: %d", resp.StatusCode)
	}
}
