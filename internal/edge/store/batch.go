package store

// Table is one kind of record.
type Table uint8

// The tables. Some hold a table of their own for each sub: a namespace, a group.
const (
	Sessions   Table = iota + 1 // by number
	Packets                     // of a namespace, by offset
	Events                      // by offset
	Groups                      // by number
	Letters                     // dead letters of a group, by offset
	Namespaces                  // by number
)

var tableNames = [...]string{Sessions: "sessions", Packets: "packets", Events: "events", Groups: "groups", Letters: "letters", Namespaces: "namespaces"}

// change names a record.
type change struct {
	table Table
	sub   string
	key   uint64
}

// batch is the changes that wait for a commit.
type batch struct {
	values  map[change][]byte // nil removes
	trims   map[trimmed]uint64
	waiters []func(error)
}

type trimmed struct {
	table Table
	sub   string
}

func (b *batch) put(c change, value []byte) {
	if b.values == nil {
		b.values = make(map[change][]byte)
	}
	b.values[c] = value
}

func (b *batch) trim(t Table, sub string, key uint64) {
	if b.trims == nil {
		b.trims = make(map[trimmed]uint64)
	}
	k := trimmed{t, sub}
	b.trims[k] = max(b.trims[k], key)
}

func (b *batch) size() int { return len(b.values) + len(b.trims) + len(b.waiters) }

// behind puts what could not be committed back under what came since.
func (b *batch) behind(failed *batch) {
	for c, v := range failed.values {
		if _, newer := b.values[c]; !newer {
			b.put(c, v)
		}
	}
	for k, key := range failed.trims {
		b.trim(k.table, k.sub, key)
	}
}
