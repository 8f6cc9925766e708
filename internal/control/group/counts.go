package group

import (
	"math/bits"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// counts are totals since the edge started. The group's lock, which whoever counts holds anyway,
// guards them.
type counts struct {
	delivered, redelivered, settled, nacked, late, ignored, dropped uint64

	latency Latency
}

// settle counts a delivery that was handled.
func (c *counts) settle(e *entry, now time.Time) {
	c.settled++
	if e.kind == socketio.ClientEvent {
		c.latency.add(now.Sub(e.at))
	}
}

// Latency is how long client events took from the edge's reading them to their being settled.
type Latency struct {
	// Buckets counts by powers of two: the first holds what took less than LatencyBound(0), the
	// i-th what took less than LatencyBound(i) and not less than LatencyBound(i-1). The last
	// holds the rest.
	Buckets [latencyBuckets]uint64
	Sum     time.Duration
}

const latencyBuckets = 22

// LatencyBound is the upper end of a bucket: 64 µs, 128 µs, … about 67 s. The last has none.
func LatencyBound(bucket int) time.Duration { return 64 * time.Microsecond << bucket }

func (l *Latency) add(took time.Duration) {
	l.Sum += took
	l.Buckets[min(bits.Len64(uint64(max(took, 0)/LatencyBound(0))), latencyBuckets-1)]++
}
