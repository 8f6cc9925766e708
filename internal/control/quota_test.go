package control

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestP22_AStreamIsSlowedThenRefused: a second's worth at once, then at the rate, and after 5 s of
// pushing refused until the bucket has recovered.
func TestP22_AStreamIsSlowedThenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := quota{rate: 1000}
		begin := time.Now()
		admitted, refused := 0, 0
		var firstRefused time.Duration
		for time.Since(begin) < 8*time.Second {
			ok, err := q.admit(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				admitted += 100
				continue
			}
			if refused == 0 {
				firstRefused = time.Since(begin)
			}
			refused += 100
		}
		if admitted < 8900 || admitted > 9100 {
			t.Errorf("%d commands in 8 s of 1,000 a second and a bucket of 1,000", admitted)
		}
		if refused == 0 || refused > 30_000 || firstRefused < patience || firstRefused > patience+time.Second {
			t.Errorf("%d refused, the first after %v", refused, firstRefused)
		}
		time.Sleep(time.Second)
		if wait, no := q.take(1000, time.Now()); wait != 0 || no {
			t.Errorf("after a quiet second: wait %v, refused %v", wait, no)
		}
	})
}

// A hundred times the quota is taken for its patience at the rate of the quota, and refused then.
func TestG14_AHundredThousandCommandsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := quota{rate: 1000}
		begin := time.Now()
		done, refused := 0, 0
		for time.Since(begin) < 10*time.Second {
			ok, err := q.admit(t.Context(), 1000) // sent as fast as they are read
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				done += 1000
			} else {
				refused += 1000
			}
		}
		if done > 11_000 || refused == 0 {
			t.Errorf("%d done and %d refused in 10 s of 1,000 a second", done, refused)
		}
	})
}
