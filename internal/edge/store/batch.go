package store

import "math"

// Table is one kind of record.
type Table uint8

// The tables. Some hold a table of their own for each sub: a namespace, a group.
const (
	Sessions   Table = iota + 1 // by number
	Packets                     // of a namespace, by offset
	Events                      // of a group, by offset
	Groups                      // what a group wants: of the group, by 0
	Letters                     // dead letters of a group, by offset
	Namespaces                  // by number
	Settled                     // settled events of a group, by offset
)

var tableNames = [...]string{Sessions: "sessions", Packets: "packets", Events: "events", Groups: "groups",
	Letters: "letters", Namespaces: "namespaces", Settled: "settled"}

// change names a record.
type change struct {
	table Table
	sub   string
	key   uint64
}

// place is where records of one table lie together.
type place struct {
	table Table
	sub   string
}

func (c change) place() place { return place{c.table, c.sub} }

// batch is the changes that wait for a commit, in the order of seq.
type batch struct {
	seq     uint64
	values  map[change]value
	cuts    map[place][]cut
	waiters []func(error)
	grown   int64 // by how many bytes of records apply has made the file richer
}

// value is the newest bytes of a record; nil removes it.
type value struct {
	bytes []byte
	seq   uint64
	// fresh: the file has no record under this key, so there is nothing to remove either.
	fresh bool
}

// cut removes all records below key that were put before it.
type cut struct{ key, seq uint64 }

func (b *batch) put(c change, bytes []byte, fresh bool) {
	if b.values == nil {
		b.values = make(map[change]value)
	}
	b.seq++
	if old, waits := b.values[c]; waits {
		fresh = old.fresh
	}
	if bytes == nil && fresh {
		delete(b.values, c) // came and went between two commits
		return
	}
	b.values[c] = value{bytes, b.seq, fresh}
}

func (b *batch) trim(p place, key uint64) {
	b.seq++
	b.cut(p, cut{key, b.seq})
}

// cut adds c, the newest of its place. Of those before it only the ones that reach further count.
func (b *batch) cut(p place, c cut) {
	if b.cuts == nil {
		b.cuts = make(map[place][]cut)
	}
	cuts := b.cuts[p]
	for len(cuts) > 0 && cuts[len(cuts)-1].key <= c.key {
		cuts = cuts[:len(cuts)-1]
	}
	b.cuts[p] = append(cuts, c)
}

// gone says whether a value was cut off after it was put.
func (b *batch) gone(c change, v value) bool {
	for _, cut := range b.cuts[c.place()] {
		if cut.seq > v.seq && c.key < cut.key {
			return true
		}
	}
	return false
}

// each hands over the records that the batch leaves where there was nothing.
func (b *batch) each(put func(change, []byte) error) error {
	for c, v := range b.values {
		if v.bytes == nil || b.gone(c, v) {
			continue
		}
		if err := put(c, v.bytes); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) changes() int { return len(b.values) + len(b.cuts) }

func (b *batch) size() int { return b.changes() + len(b.waiters) }

// take empties b and returns what was in it. The next values go to spare, an empty map or nil.
func (b *batch) take(spare map[change]value) batch {
	taken := *b
	*b = batch{seq: b.seq, values: spare}
	return taken
}

// behind puts what could not be committed back under what came since.
func (b *batch) behind(failed *batch) {
	newer := *b
	*b = batch{seq: b.seq, values: failed.values, cuts: failed.cuts, waiters: newer.waiters}
	for c, v := range b.values {
		v.fresh = false // it may be in the file all the same
		b.values[c] = v
	}
	for p, cuts := range newer.cuts {
		for _, c := range cuts {
			b.cut(p, c)
		}
	}
	if b.values == nil {
		b.values = newer.values
		return
	}
	for c, v := range newer.values {
		if _, older := b.values[c]; older {
			v.fresh = false
		}
		b.values[c] = v
	}
}

// tops is the highest key that was ever put in each place: a higher one is new to the file.
type tops map[place]uint64

// fresh notes key and says whether it is new to its place.
func (t tops) fresh(p place, key uint64) bool {
	top, known := t[p]
	if known && key <= top {
		return false
	}
	t[p] = key
	return true
}

// trim notes that everything below key goes.
func (t tops) trim(p place, key uint64) {
	if key == math.MaxUint64 {
		delete(t, p)
	}
}
