package group

import (
	"testing"
	"time"
)

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
		if info.Total.Buckets[8] != 1 || info.Total.Sum != 4*time.Millisecond || info.Wait.Sum != 3*time.Millisecond {
			t.Errorf("wait %+v, total %+v", info.Wait, info.Total)
		}
		for _, mi := range info.Members {
			if mi.Sessions != 0 {
				t.Error("Figures counts sessions")
			}
		}
	})
}
