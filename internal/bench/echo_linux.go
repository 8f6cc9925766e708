package bench

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"
)

// echo sends events with an acknowledgement and keeps window of them outstanding on each
// connection, or sends them at a rate over all: an event that is due while every connection has
// its window full waits for the next one that has not.
type echo struct {
	window     int
	rate       float64
	args       string // the JSON of the arguments, without the [
	attachment []byte // of each event, or nil

	next int
	owed float64
	at   time.Time
}

// asked is what one connection waits for.
type asked struct {
	id      uint64      // of the next event
	awaited uint64      // the oldest without an answer
	at      []time.Time // when each of the window was sent; zero when it is answered
	half    *uint64     // the answer whose attachment comes next
}

func newEcho(s Scenario, size int) *echo {
	return &echo{window: s.B, rate: s.Rate, args: `"` + strings.Repeat("x", size) + `"]`}
}

func newBinary(s Scenario, size int) *echo {
	return &echo{window: s.B, rate: s.Rate, args: `{"_placeholder":true,"num":0}]`, attachment: bytes.Repeat([]byte{0, 1, 2, 255}, size/4)}
}

func (e *echo) start(_ context.Context, l *load) error {
	e.at = time.Now()
	for _, c := range l.conns {
		c.asked = &asked{at: make([]time.Time, e.window)}
		for i := 0; e.rate == 0 && i < e.window; i++ {
			e.ask(l, c)
		}
	}
	return nil
}

func (e *echo) ask(l *load, c *conn) {
	a := c.asked
	var packet [64]byte
	text := append(packet[:0], "42"...)
	if e.attachment != nil {
		text = append(packet[:0], "451-"...)
	}
	text = strconv.AppendUint(text, a.id, 10)
	text = append(append(text, `["echo",`...), e.args...)
	l.send(c, text)
	if e.attachment != nil {
		l.sendFrame(c, opBinary, e.attachment)
	}
	a.at[a.id%uint64(e.window)] = time.Now()
	a.id++
}

func (e *echo) message(l *load, c *conn, op byte, payload []byte) {
	a := c.asked
	if a.half != nil {
		id := *a.half
		a.half = nil
		if op != opBinary || !bytes.Equal(payload, e.attachment) {
			l.wrong++
			return
		}
		e.answered(l, c, id)
		return
	}
	prefix := "43"
	if e.attachment != nil {
		prefix = "461-"
	}
	rest, ok := bytes.CutPrefix(payload, []byte(prefix))
	i := bytes.IndexByte(rest, '[')
	if !ok || i < 0 || op != opText || string(rest[i+1:]) != e.args {
		l.wrong++
		return
	}
	id, err := strconv.ParseUint(string(rest[:i]), 10, 64)
	if err != nil {
		l.wrong++
		return
	}
	if e.attachment != nil {
		a.half = &id
		return
	}
	e.answered(l, c, id)
}

func (e *echo) answered(l *load, c *conn, id uint64) {
	a, window := c.asked, uint64(e.window)
	if id < a.awaited || id >= a.id || a.at[id%window].IsZero() {
		l.wrong++ // nobody asked, or not again
		return
	}
	if id != a.awaited {
		l.reordered++
	}
	l.done++
	if l.measuring {
		l.latencies = append(l.latencies, time.Since(a.at[id%window]))
	}
	a.at[id%window] = time.Time{}
	for a.awaited < a.id && a.at[a.awaited%window].IsZero() {
		a.awaited++
	}
	if e.rate == 0 && !l.ending && a.id-a.awaited < window {
		e.ask(l, c)
	}
}

func (e *echo) tick(l *load, now time.Time) {
	if e.rate == 0 {
		return
	}
	e.owed = min(e.owed+now.Sub(e.at).Seconds()*e.rate, float64(len(l.conns)))
	e.at = now
	for tries := len(l.conns); e.owed >= 1 && tries > 0; tries-- {
		c := l.conns[e.next%len(l.conns)]
		e.next++
		if a := c.asked; a.id-a.awaited < uint64(e.window) && !c.closed {
			e.ask(l, c)
			e.owed--
		}
	}
}

func (e *echo) outstanding(l *load) (n uint64) {
	for _, c := range l.conns {
		for _, at := range c.asked.at {
			if !at.IsZero() {
				n++
			}
		}
	}
	return n
}
