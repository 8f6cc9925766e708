// Package latency counts how long things took, in buckets by powers of two. Counts is for who
// holds a lock anyway, Histogram for who does not. Any floor may import it: it imports none.
package latency

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets is how many there are.
const Buckets = 24

// Bound is the upper end of a bucket: 16 µs, 32 µs, … about 67 s. The last bucket has none.
func Bound(bucket int) time.Duration { return 16 * time.Microsecond << bucket }

func bucketOf(took time.Duration) int {
	return min(bits.Len64(uint64(max(took, 0)/Bound(0))), Buckets-1)
}

// Counts is how long things took.
type Counts struct {
	// Buckets counts them: the i-th those that took less than Bound(i) and not less than
	// Bound(i-1), the last all that took longer.
	Buckets [Buckets]uint64
	Sum     time.Duration
}

// Add counts one. It takes some nanoseconds.
func (c *Counts) Add(took time.Duration) {
	c.Sum += took
	c.Buckets[bucketOf(took)]++
}

// Histogram is Counts that any goroutine may add to.
type Histogram struct {
	buckets [Buckets]atomic.Uint64
	sum     atomic.Int64
}

// Add counts one.
func (h *Histogram) Add(took time.Duration) {
	h.sum.Add(int64(took))
	h.buckets[bucketOf(took)].Add(1)
}

// Counts is what was counted so far.
func (h *Histogram) Counts() (c Counts) {
	c.Sum = time.Duration(h.sum.Load())
	for i := range h.buckets {
		c.Buckets[i] = h.buckets[i].Load()
	}
	return c
}
