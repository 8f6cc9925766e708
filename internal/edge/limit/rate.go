// Package limit bounds how often something may happen, and how much of it one address may do.
package limit

import "time"

// Rate is how often something may happen, and how much of it at once. The zero value is no bound.
type Rate struct {
	every int64 // nanoseconds for one
	burst int64 // nanoseconds for all that may come at once
}

// PerSecond is n a second, and burst at once. n = 0 is no bound.
func PerSecond(n, burst int) Rate {
	if n <= 0 {
		return Rate{}
	}
	every := max(int64(time.Second)/int64(n), 1)
	return Rate{every, every * int64(burst)}
}

// PerMinute is n a minute, all of which may be at once. n = 0 is no bound.
func PerMinute(n int) Rate {
	if n <= 0 {
		return Rate{}
	}
	every := max(int64(time.Minute)/int64(n), 1)
	return Rate{every, every * int64(n)}
}

// On reports whether there is a bound.
func (r Rate) On() bool { return r.every > 0 }

// Bucket counts towards a Rate. It is the instant at which it will be full again, in nanoseconds
// of the caller's clock; the zero value is full. Its owner guards it.
type Bucket int64

// Take reports whether it may happen once more, and counts it if so.
func (b *Bucket) Take(now int64, r Rate) bool {
	full := max(int64(*b), now) + r.every
	if full-now > r.burst {
		return false
	}
	*b = Bucket(full)
	return true
}

// Empty reports whether Take would not take.
func (b Bucket) Empty(now int64, r Rate) bool { return !b.Take(now, r) }

// TakeN is Take for n at once, which may be more than the burst: then all of it has to be there.
func (b *Bucket) TakeN(now int64, n int, r Rate) bool {
	full := max(int64(*b), now) + min(int64(n)*r.every, r.burst)
	if full-now > r.burst {
		return false
	}
	*b = Bucket(full)
	return true
}

// Owe counts n that have happened, and says how long it takes until the Rate is kept again.
func (b *Bucket) Owe(now int64, n int, r Rate) time.Duration {
	full := max(int64(*b), now) + int64(n)*r.every
	*b = Bucket(full)
	return time.Duration(max(full-now-r.burst, 0))
}

// Full is how much of the burst is there, from 0 to 1.
func (b Bucket) Full(now int64, r Rate) float64 {
	return 1 - min(float64(max(int64(b)-now, 0))/float64(r.burst), 1)
}
