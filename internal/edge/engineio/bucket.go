package engineio

// bucket bounds how often a client may do what it has no need to do often: 10 times a second, 50
// times at once. It is the instant at which it will be full again.
type bucket int64

const (
	bucketEvery = int64(1e9 / 10)
	bucketBurst = 50
)

// take reports whether it may be done once more.
func (b *bucket) take(now int64) bool {
	full := max(int64(*b), now) + bucketEvery
	if full-now > bucketBurst*bucketEvery {
		return false
	}
	*b = bucket(full)
	return true
}
