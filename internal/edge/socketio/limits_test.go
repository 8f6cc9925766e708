package socketio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

const mib = 1 << 20

// shortOf returns a configuration with recovery and a budget, of which so much is used by others.
func shortOf(limit, used int64) (socketio.Config, *budget.Budget) {
	b := budget.New(budget.Config{Limit: limit})
	b.Add(budget.Kernel, int(used))
	return socketio.Config{RecoveryWindow: 5 * time.Minute, Budget: b}, b
}

// From 80 % on volatile emits reach nobody, others go on; from 95 % on no emit does that must be
// kept. Nothing of it is told to clients.
func TestP20_EmitsWhileMemoryRunsShort(t *testing.T) {
	cfg, b := shortOf(10*mib, 0)
	inWorld(t, cfg, func(w *world) {
		c, _, _ := w.connect()
		volatile := news(everyone(), `["v"]`)
		volatile.Volatile = true
		emit := func(e socketio.Emit) (socketio.Receipt, error) {
			var f socketio.Flush
			defer f.Do()
			return w.sockets.Apply(&e, &f)
		}
		b.Add(budget.Kernel, 8*mib)
		if r, err := emit(volatile); err != nil || r.Matched != 1 || r.Dropped != 1 || r.Written != 0 {
			t.Errorf("volatile while memory is tight: %+v, %v", r, err)
		}
		if r, err := emit(news(everyone(), `["a"]`)); err != nil || r.Written != 1 {
			t.Errorf("kept while memory is tight: %+v, %v", r, err)
		}
		equal(t, "received", c.recv(), `42["news","a","1"]`)
		b.Add(budget.Kernel, mib+mib/2)
		_, err := emit(news(everyone(), `["b"]`))
		var e *socketio.Error
		if !errors.As(err, &e) || e.Reason != socketio.MemoryShort {
			t.Errorf("kept while memory is spent: %v", err)
		}
		b.Free(budget.Kernel, 9*mib+mib/2)
		emit(volatile) // there is no GET that could take it, but it is not shed
		if b.WasShed(budget.ShedVolatile) != 1 || b.WasShed(budget.ShedEmit) != 1 {
			t.Errorf("shed %d, %d", b.WasShed(budget.ShedVolatile), b.WasShed(budget.ShedEmit))
		}
	})
}

// An emit that asks for acknowledgements is answered for everyone whom it did not reach.
func TestAVolatileEmitThatIsShedIsAnswered(t *testing.T) {
	cfg, _ := shortOf(10*mib, 8*mib)
	inWorld(t, cfg, func(w *world) {
		_, sid, _ := w.connect()
		acks := &acks{}
		e := news(everyone(), `[]`)
		e.Volatile, e.AckTimeout, e.Acks = true, time.Second, acks
		w.emit(e)
		if got := fmt.Sprint(acks.all, acks.sums); got != fmt.Sprintf("[%s 4] [{0 0 0 1}]", sid) {
			t.Errorf("answers %s", got)
		}
	})
}

type acks struct {
	all  []string
	sums []socketio.AckSummary
}

func (a *acks) Ack(k socketio.Ack)            { a.all = append(a.all, fmt.Sprint(k.SID, " ", k.Outcome)) }
func (a *acks) Summary(s socketio.AckSummary) { a.sums = append(a.sums, s) }

// While memory is tight clients that are back get what they missed at a bounded rate. Who would be
// too much loses the connection, comes again and has missed nothing.
func TestP20_ReplayWhileMemoryIsTight(t *testing.T) {
	cfg, b := shortOf(100*mib, 0)
	inWorld(t, cfg, func(w *world) {
		type away struct {
			sid, pid string
		}
		var all []away
		for range 12 {
			c, sid, pid := w.connect()
			c.lose()
			all = append(all, away{sid, pid})
		}
		w.emit(news(everyone(), `["`+strings.Repeat("x", 700<<10)+`"]`))
		conns := make([]*client, len(all)) // let in before memory becomes tight
		for i := range conns {
			conns[i] = w.open()
		}
		b.Add(budget.Kernel, 82*mib)
		resumed := 0
		var lost []away
		for i, a := range all {
			conns[i].send(`40{"pid":"` + a.pid + `","offset":"0"}`)
			synctest.Wait()
			if s, err := w.sockets.Get("/", a.sid); err != nil {
				t.Fatal(err)
			} else if s.State == socketio.Open {
				resumed++
			} else {
				lost = append(lost, a)
			}
		}
		if resumed != 5 || int(b.WasShed(budget.ShedReplay)) != len(lost) {
			t.Errorf("%d of %d resumed at once, %d were shed", resumed, len(all), b.WasShed(budget.ShedReplay))
		}
		time.Sleep(2 * time.Second)
		c := w.open()
		c.send(`40{"pid":"` + lost[0].pid + `","offset":"0"}`)
		if got := c.recv(); !strings.HasSuffix(got, `40{"sid":"`+lost[0].sid+`","pid":"`+lost[0].pid+`"}`) || len(got) < 700<<10 {
			t.Errorf("two seconds later: %d bytes, %.60q…", len(got), got[max(len(got)-80, 0):])
		}
	})
}

// Packets that are kept are charged, and let go of when they are too much. Who missed one gets to
// know it.
func TestTheLogIsChargedAndShortened(t *testing.T) {
	cfg, b := shortOf(100*mib, 0)
	inWorld(t, cfg, func(w *world) {
		c, _, pid := w.connect()
		c.lose()
		for range 20 {
			w.emit(news(everyone(), `["`+strings.Repeat("x", 100<<10)+`"]`))
		}
		kept := b.Used(budget.Log)
		if kept < 2000<<10 || kept > 2200<<10 {
			t.Errorf("%d bytes charged for 20 packets of 100 KiB", kept)
		}
		w.sockets.Shorten(mib)
		if got := b.Used(budget.Log); got > kept-mib*7/8 || got < kept-mib-mib/4 {
			t.Errorf("%d bytes charged once 1 MiB has gone, before %d", got, kept)
		}
		if n := b.WasShed(budget.ShedPacket); n != 11 {
			t.Errorf("%d packets were shed", n)
		}
		c = w.open()
		c.send(`40{"pid":"` + pid + `","offset":"0"}`)
		if got := c.recv(); strings.Contains(got, pid) || strings.Contains(got, "news") {
			t.Errorf("a client that missed what has gone: %.100q", got)
		}
		w.sockets.Shorten(1 << 40)
		if got := b.Used(budget.Log); got != 0 {
			t.Errorf("%d bytes charged for an empty log", got)
		}
	})
}

// Attachments that wait for others are charged, and refused where there is no memory.
func TestAttachmentsAreCharged(t *testing.T) {
	cfg, b := shortOf(mib, 0)
	inWorld(t, cfg, func(w *world) {
		c, _, _ := w.connect()
		c.send(`453-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]`)
		c.send("b" + strings.Repeat("AAAA", 100_000/3))
		if got := b.Used(budget.Input); got < 99_000 || got > 110_000 {
			t.Errorf("%d bytes charged for an attachment of 100,000", got)
		}
		c.send("bAAAA", "bAAAA")
		if got := b.Used(budget.Input); got != 0 {
			t.Errorf("%d bytes charged once the packet was complete", got)
		}
		w.want(`opened, file[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]`)

		c.send(`452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		b.Add(budget.Kernel, int(b.Limit()-b.Total())-100_000) // for the body, and nothing more
		c.send("b" + strings.Repeat("AAAA", 60_000/3))
		synctest.Wait()
		if story := w.backend.story(); !strings.HasSuffix(story, "suspended: forced server close") {
			t.Errorf("%.300s", story)
		}
		if got := b.Used(budget.Input); got != 0 {
			t.Errorf("%d bytes are left charged", got)
		}
	})
}
