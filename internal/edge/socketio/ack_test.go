package socketio_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// answers is an AckSink that writes down what it is told.
type answers struct {
	mu    sync.Mutex
	lines []string
}

func (a *answers) Ack(k socketio.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	what := map[socketio.Outcome]string{socketio.Acked: "acked ", socketio.TimedOut: "timed out",
		socketio.Disconnected: "disconnected", socketio.Dropped: "dropped"}[k.Outcome]
	a.lines = append(a.lines, what+string(k.Args))
}

func (a *answers) Summary(s socketio.AckSummary) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(a.lines, fmt.Sprint("sum ", s.Acked, " ", s.TimedOut, " ", s.Disconnected, " ", s.Dropped))
}

func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.lines, "; ")
}

func ask(target socketio.Target, sink socketio.AckSink, timeout time.Duration) socketio.Emit {
	return socketio.Emit{Target: target, Event: "q", Args: []byte(`[]`), AckTimeout: timeout, Acks: sink}
}

func TestA13_A18_EachRecipientHasAnOutcome(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		a, _, _ := w.connect()
		_, _, _ = w.connect()
		c, _, _ := w.connect()
		sink := &answers{}
		w.emit(ask(everyone(), sink, 10*time.Second))
		equal(t, "packet", a.recv(), `420["q"]`)
		a.send(`430["yes"]`)
		c.lose()
		equal(t, "so far", sink.String(), `acked ["yes"]; disconnected`)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		equal(t, "A14 all", sink.String(), `acked ["yes"]; disconnected; timed out; sum 1 1 1 0`)
	})
}

func TestA15_NobodyToAsk(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		w.connect()
		sink := &answers{}
		w.emit(ask(socketio.Target{Rooms: []string{"empty"}}, sink, time.Minute))
		equal(t, "answers", sink.String(), "sum 0 0 0 0")
	})
}

func TestP17_A07_A10_A1_LateRepeatedAndUnknownAcksAreIgnored(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		sink := &answers{}
		w.emit(ask(to(sid), sink, time.Second))
		c.send(`4377[]`)
		time.Sleep(2 * time.Second)
		c.send(`430["late"]`)
		synctest.Wait()
		equal(t, "answers", sink.String(), "timed out; sum 0 1 0 0")
		w.emit(ask(to(sid), sink, time.Second))
		c.send(`431[]`, `431["again"]`)
		synctest.Wait()
		equal(t, "answers", sink.String(), "timed out; sum 0 1 0 0; acked []; sum 1 0 0 0")
		if code := c.send("3"); code != 200 {
			t.Error("the connection was closed")
		}
	})
}

func TestA1_AFloodOfStrayAcksCloses(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, _, _ := w.connect()
		stray := make([]string, 100)
		for i := range stray {
			stray[i] = "439[]"
		}
		c.send(stray[:99]...)
		w.want("opened")
		c.send(stray...)
		w.want("opened, closed: forced server close")
	})
}

func TestA09_AReplyIsWrittenOnce(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, _, _ := w.connect()
		c.send(`4217["sum",1,2]`)
		synctest.Wait()
		var f socketio.Flush
		if err := w.sockets.Reply(w.backend.last(), []byte(`[3]`), nil, &f); err != nil {
			t.Fatal(err)
		}
		f.Do()
		equal(t, "A11 the id as it came", c.recv(), `4317[3]`)
	})
}

func TestA03_A16_BinaryAnswersBothWays(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, sid, _ := w.connect()
		c.send(`4212["give"]`)
		synctest.Wait()
		var f socketio.Flush
		w.sockets.Reply(w.backend.last(), []byte(`[{"_placeholder":true,"num":0}]`), [][]byte{{1, 2}}, &f)
		f.Do()
		equal(t, "binary ack", c.recv(), `461-12[{"_placeholder":true,"num":0}]`+"\x1ebAQI=")
		sink := &answers{}
		w.emit(ask(to(sid), sink, time.Minute))
		c.recv()
		c.send(`461-0[{"_placeholder":true,"num":0}]`, "bAQI=")
		synctest.Wait()
		equal(t, "answers", sink.String(), `acked [{"_placeholder":true,"num":0}]; sum 1 0 0 0`)
	})
}

func TestA4_AnEmitThatHalfOfTenThousandAnswer(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		const all = 10_000
		clients := make([]*client, all)
		for i := range clients {
			clients[i], _, _ = w.connect()
		}
		sink := &answers{}
		w.emit(ask(everyone(), sink, 5*time.Second))
		for i, c := range clients {
			c.recv()
			if i%2 == 0 {
				c.send(`430[]`)
			}
		}
		synctest.Wait()
		if got := strings.Count(sink.String(), "acked"); got != all/2 {
			t.Errorf("%d answers before the time is over, want %d", got, all/2)
		}
		time.Sleep(6 * time.Second)
		if got := sink.String(); !strings.HasSuffix(got, "sum 5000 5000 0 0") || strings.Count(got, "timed out") != all/2 {
			t.Errorf("it ended with %.200q", got[max(0, len(got)-200):])
		}
	})
}
