package socketio

import (
	"sync"
	"time"
)

// deadlines calls fire with each value a fixed time after it was added. Because the time is the
// same for all, the values stay in order by themselves and one timer serves them all: a session
// that waits costs an entry, not a timer. Nothing is removed early; fire decides whether the
// value still matters.
type deadlines[T any] struct{ *queueOf[T] }

type queueOf[T any] struct {
	// Static after construction.
	after time.Duration
	fire  func(T)

	mu      sync.Mutex // guards the following
	waiting []deadline[T]
	timer   *time.Timer
	closed  bool
	firing  sync.WaitGroup
}

type deadline[T any] struct {
	at    time.Time
	value T
}

func newDeadlines[T any](after time.Duration, fire func(T)) deadlines[T] {
	return deadlines[T]{&queueOf[T]{after: after, fire: fire}}
}

// add schedules value and returns when it is due.
func (q *queueOf[T]) add(value T) time.Time {
	at := time.Now().Add(q.after)
	q.addAt(at, value)
	return at
}

// addAt schedules value for a time that is not before any that waits.
func (q *queueOf[T]) addAt(at time.Time, value T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.waiting = append(q.waiting, deadline[T]{at, value})
	if len(q.waiting) == 1 {
		q.armLocked()
	}
}

func (q *queueOf[T]) armLocked() {
	wait := max(0, time.Until(q.waiting[0].at))
	if q.timer == nil {
		q.timer = time.AfterFunc(wait, q.run)
		return
	}
	q.timer.Reset(wait)
}

func (q *queueOf[T]) run() {
	now := time.Now()
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	n := 0
	for n < len(q.waiting) && !q.waiting[n].at.After(now) {
		n++
	}
	due := q.waiting[:n:n]
	if n == len(q.waiting) {
		q.waiting = nil
	} else {
		q.waiting = q.waiting[n:] // append moves it to a fresh array in time
		q.armLocked()
	}
	q.firing.Add(1)
	q.mu.Unlock()
	defer q.firing.Done()
	for _, d := range due {
		q.fire(d.value)
	}
}

// close stops the timer and waits for the values that are firing.
func (q *queueOf[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.waiting = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.mu.Unlock()
	q.firing.Wait()
}
