package group

import (
	"testing"
	"time"
)

func TestLatencyBuckets(t *testing.T) {
	for _, tt := range []struct {
		took   time.Duration
		bucket int
	}{
		{-time.Second, 0}, {0, 0}, {64*time.Microsecond - 1, 0}, {64 * time.Microsecond, 1}, {128*time.Microsecond - 1, 1},
		{128 * time.Microsecond, 2}, {time.Second, 14}, {67108864*time.Microsecond - 1, 20}, {67108864 * time.Microsecond, 21},
		{time.Hour, 21},
	} {
		var l Latency
		l.add(tt.took)
		if l.Buckets[tt.bucket] != 1 {
			t.Errorf("%v: %v, want bucket %d", tt.took, l.Buckets, tt.bucket)
		}
		if tt.bucket < latencyBuckets-1 && tt.took >= LatencyBound(tt.bucket) {
			t.Errorf("%v is in the bucket below %v", tt.took, LatencyBound(tt.bucket))
		}
	}
}

// Deliveries by how they ended.
func TestCounts(t *testing.T) {
	virtual(t, Config{Spec: Spec{AckDeadline: time.Second}}, func(t *testing.T, e *edge) {
		m := e.attach(hello("m1"), Fresh)
		e.open("/#1")
		m.settle()
		e.emit("/#1", "one")
		time.Sleep(3 * time.Millisecond) // and one in settle
		m.settle()
		e.emit("/#1", "two")
		d := m.next()
		m.Nack(d[0].ID, time.Millisecond, false, "later")
		time.Sleep(2 * time.Millisecond)
		d = m.next()
		time.Sleep(2 * time.Second)
		m.next()
		if _, ok := m.Take(d[0].ID); ok {
			t.Error("settled a delivery that had been taken back")
		}
		info := e.gs.Figures()[0]
		got := [...]uint64{info.Delivered, info.Redelivered, info.Settled, info.Nacked, info.Late, info.Ignored}
		if want := [...]uint64{5, 2, 2, 1, 1, 1}; got != want {
			t.Errorf("delivered, redelivered, settled, nacked, late, ignored: %v, want %v", got, want)
		}
		if info.Latency.Buckets[6] != 1 || info.Latency.Sum != 4*time.Millisecond {
			t.Errorf("latency: %+v", info.Latency)
		}
		for _, mi := range info.Members {
			if mi.Sessions != 0 {
				t.Error("Figures counts sessions")
			}
		}
	})
}
