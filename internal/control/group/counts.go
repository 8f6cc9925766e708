package group

import (
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/latency"
)

// counts are totals since the edge started. The group's lock, which whoever counts holds anyway,
// guards them.
type counts struct {
	delivered, redelivered, settled, nacked, late, ignored, dropped uint64

	// Of client events: from reading one to its first delivery, from a delivery to its being
	// settled, and from reading to settling.
	wait, handle, total latency.Counts
}

// deliver counts a delivery; now is the group's time, at is the same as a time of day.
func (c *counts) deliver(e *entry, now instant, at time.Time) {
	c.delivered++
	e.delivered = now
	if e.attempts > 1 {
		c.redelivered++
	} else if e.kind == socketio.ClientEvent {
		c.wait.Add(at.Sub(e.at))
	}
}

// settle counts a delivery that was handled.
func (c *counts) settle(e *entry, now instant, at time.Time) {
	c.settled++
	if e.kind == socketio.ClientEvent {
		c.handle.Add(now - e.delivered)
		c.total.Add(at.Sub(e.at))
	}
}
