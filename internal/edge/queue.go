package edge

import "time"

// queue decides how many connections may wait in the kernel.
type queue struct {
	wait   time.Duration // Config.AcceptWait
	length int           // as it is now
	served int           // connections since measured

	measured time.Time
	waited   time.Time // when accepting had to wait last
}

// longestQueue is cut by the kernel to what it allows (somaxconn).
const longestQueue = 1 << 16

// Bounds of how often it is looked at, and of how short it can become.
const (
	queueEvery    = 100 * time.Millisecond
	shortestQueue = 64
)

// next is told of every turn, and whether accepting had to wait for it. It returns the length that
// the kernel's queue has to have from now on, 0 if it is right.
func (q *queue) next(now time.Time, waits bool) int {
	if waits {
		q.waited = now
	}
	span := now.Sub(q.measured)
	if span < queueEvery {
		return 0
	}
	want := longestQueue
	if now.Sub(q.waited) < time.Second {
		if span > time.Second { // it was quiet until now
			q.served, q.measured = 0, now
			return 0
		}
		want = max(int(float64(q.served)/span.Seconds()*(q.wait/4).Seconds()), shortestQueue)
	}
	q.served, q.measured = 0, now
	if want > q.length*3/4 && want <= q.length*5/4 {
		return 0
	}
	q.length = want
	return want
}
