package latency

import (
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	for _, tt := range []struct {
		took   time.Duration
		bucket int
	}{
		{-time.Second, 0}, {0, 0}, {16*time.Microsecond - 1, 0}, {16 * time.Microsecond, 1}, {32*time.Microsecond - 1, 1},
		{32 * time.Microsecond, 2}, {time.Second, 16}, {67108864*time.Microsecond - 1, 22}, {67108864 * time.Microsecond, 23},
		{time.Hour, 23},
	} {
		var c Counts
		c.Add(tt.took)
		var h Histogram
		h.Add(tt.took)
		if c.Buckets[tt.bucket] != 1 || h.Counts() != c {
			t.Errorf("%v: %v and %v, want bucket %d", tt.took, c, h.Counts(), tt.bucket)
		}
		if tt.bucket < Buckets-1 && tt.took >= Bound(tt.bucket) {
			t.Errorf("%v is in the bucket below %v", tt.took, Bound(tt.bucket))
		}
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h Histogram
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Add(time.Millisecond)
		}
	})
}
