package bench

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"
)

// broadcast lets one connection ask for events that go to everyone, two of them at a time or at a
// rate, and counts what everyone gets.
type broadcast struct {
	rate float64
	tail []byte // what follows the number

	sent uint64
	owed float64
	at   time.Time
	open map[uint64]*sending
}

// sending is an event that has not reached everyone.
type sending struct {
	at   time.Time
	left int
}

const broadcastWindow = 2

func newBroadcast(s Scenario, size int) *broadcast {
	return &broadcast{rate: s.Rate, tail: []byte(`,"` + strings.Repeat("y", size) + `"`), open: make(map[uint64]*sending)}
}

func (b *broadcast) start(context.Context, *load) error {
	b.at = time.Now()
	return nil
}

func (b *broadcast) tick(l *load, now time.Time) {
	if b.rate == 0 {
		for len(b.open) < broadcastWindow {
			b.ask(l)
		}
		return
	}
	b.owed += now.Sub(b.at).Seconds() * b.rate
	b.at = now
	for ; b.owed >= 1; b.owed-- {
		b.ask(l)
	}
}

func (b *broadcast) ask(l *load) {
	packet := strconv.AppendUint([]byte(`42["bcast",`), b.sent, 10)
	l.send(l.conns[0], append(append(packet, b.tail...), ']'))
	b.open[b.sent] = &sending{at: time.Now(), left: len(l.conns) - int(l.dropped)}
	b.sent++
}

func (b *broadcast) message(l *load, c *conn, op byte, payload []byte) {
	rest, ok := bytes.CutPrefix(payload, []byte(`42["bcast",`))
	i := bytes.IndexByte(rest, ',')
	if !ok || i < 0 || op != opText || !bytes.HasPrefix(rest[i:], b.tail) { // an offset may follow
		l.wrong++
		return
	}
	n, _ := strconv.ParseUint(string(rest[:i]), 10, 64)
	s := b.open[n]
	if s == nil || n < c.next {
		l.wrong++ // twice, or never asked for
		return
	}
	if n > c.next {
		l.reordered++
	}
	c.next = n + 1
	l.done++
	if l.measuring {
		l.latencies = append(l.latencies, time.Since(s.at))
	}
	if s.left--; s.left == 0 {
		if l.measuring {
			l.last = append(l.last, time.Since(s.at))
		}
		delete(b.open, n)
	}
}

func (b *broadcast) outstanding(*load) (n uint64) {
	for _, s := range b.open {
		n += uint64(s.left)
	}
	return n
}
