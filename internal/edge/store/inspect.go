package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt believes its pages: a damaged one makes it panic, loop, or end the process, and it shows
// a page of last week without a word. So every file is read here first, by a reader that believes
// nothing, and bbolt gets only files in which every page that can be reached is sound.

// finding is what inspect found in a file.
type finding struct {
	id     Identity
	pages  int                  // that can be reached
	faults []string             // what is wrong, the first few
	live   int64                // bytes of keys and records that passed their check
	places map[place]*inventory // what there is, and what there should be

	restored bool // put in place by Restore and not opened since
}

// inventory is the records of one place.
type inventory struct {
	good, bad int    // records that passed and failed their check
	sum       uint32 // of the checks of all
	top       uint64 // the highest key
	want      tally
}

const maxFaults = 8

func (f *finding) fault(format string, args ...any) {
	if len(f.faults) < maxFaults {
		f.faults = append(f.faults, fmt.Sprintf(format, args...))
	}
}

func (f *finding) at(p place) *inventory {
	v := f.places[p]
	if v == nil {
		v = &inventory{}
		f.places[p] = v
	}
	return v
}

// whole says whether the place holds exactly what was put there.
func (v *inventory) whole() bool {
	return v.bad == 0 && uint64(v.good) == v.want.records && v.sum == v.want.sum
}

// told says whether what is missing of the place is just its damaged records: nothing is hidden,
// nothing is of an older time.
func (v *inventory) told() bool {
	return v.whole() || v.bad > 0 && uint64(v.good+v.bad) == v.want.records
}

// sound says whether the file can be used as it is.
func (f *finding) sound() bool {
	if len(f.faults) > 0 {
		return false
	}
	for _, v := range f.places {
		if !v.whole() {
			return false
		}
	}
	return true
}

// inspector reads one file.
type inspector struct {
	finding
	file  io.ReaderAt
	size  int64
	page  int64  // bytes
	high  uint64 // no page has this number or a higher one
	seen  []uint64
	bufs  [][]byte // one for each level of the walk
	yield func(change, []byte) error
	err   error // of yield
}

// The form of bbolt's pages.
const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16
	branchPage   = 0x01
	leafPage     = 0x02
	bucketFlag   = 0x01
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	maxDepth     = 64
)

var order = binary.NativeEndian

// view is which state of a file is read.
type view uint8

const (
	newest  view = iota
	earlier      // that of the commit before, which the newest has not overwritten
)

// inspect reads the whole file and hands every record that passes its check to yield, if that is
// not nil, in order. The bytes are good until yield returns. The error is yield's, or errFormat,
// or that the file cannot be read.
func inspect(file io.ReaderAt, size int64, v view, yield func(change, []byte) error) (*finding, error) {
	in := &inspector{finding: finding{places: make(map[place]*inventory)}, file: file, size: size, yield: yield}
	root, err := in.metas(v)
	if err != nil {
		return nil, err
	}
	if root != 0 {
		in.bucket(root, nil, 0, in.table)
	}
	if in.err != nil {
		return nil, in.err
	}
	if in.id.EdgeID == "" {
		in.fault("its identity is missing")
	}
	return &in.finding, nil
}

// stop ends the walk.
func (in *inspector) stop(err error) {
	if in.err == nil {
		in.err = err
	}
}

// metas reads the two meta pages and returns the root of the one that is asked for.
func (in *inspector) metas(v view) (root uint64, err error) {
	var best, last uint64
	valid := 0
	take := func(offset int64) bool {
		var b [pageHeader + 64]byte
		if _, err := in.file.ReadAt(b[:], offset); err != nil {
			return false
		}
		m := b[pageHeader:]
		h := fnv.New64a()
		h.Write(m[:56])
		page := int64(order.Uint32(m[8:]))
		if order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion || order.Uint64(m[56:]) != h.Sum64() ||
			page < 1024 || page > 1<<16 || offset != 0 && offset != page || (order.Uint64(b[:]) == 0) != (offset == 0) {
			return false
		}
		txid := order.Uint64(m[48:])
		if valid > 0 && txid != last+1 && last != txid+1 {
			in.fault("its meta pages are not of two commits in a row")
		}
		last = txid
		if valid == 0 || txid > best == (v == newest) {
			best = txid
			in.page, root, in.high = page, order.Uint64(m[16:]), order.Uint64(m[40:])
		}
		valid++
		return true
	}
	if take(0) {
		take(in.page)
	} else {
		for page := int64(1024); page <= 1<<16 && !take(page); page *= 2 {
		}
	}
	switch {
	case in.size == 0:
		in.fault("the file is empty")
		return 0, nil
	case valid == 0:
		if _, err := in.file.ReadAt(make([]byte, 1), 0); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		in.fault("both meta pages failed their check")
		return 0, nil
	case valid == 1:
		in.fault("a meta page failed its check") // the other may be of an earlier commit
	}
	if high := uint64(in.size / in.page); in.high > high {
		in.fault("the file ends at page %d of %d", high, in.high)
		in.high = high
	}
	in.seen = make([]uint64, in.high/64+1)
	return root, nil
}

// read returns a page with what continues it, and marks it as seen. It reports what is wrong
// with it; nil: it cannot be used.
func (in *inspector) read(id uint64, level int) []byte {
	if id < 2 || id >= in.high {
		in.fault("page %d does not exist", id)
		return nil
	}
	if in.met(id) {
		in.fault("page %d is in two places", id)
		return nil
	}
	if level >= maxDepth {
		in.fault("page %d is too deep", id)
		return nil
	}
	for len(in.bufs) <= level {
		in.bufs = append(in.bufs, make([]byte, in.page))
	}
	buf := in.bufs[level][:in.page]
	if _, err := in.file.ReadAt(buf, int64(id)*in.page); err != nil {
		in.fault("page %d cannot be read: %v", id, err)
		return nil
	}
	if order.Uint64(buf) != id {
		in.fault("page %d is another", id)
		return nil
	}
	in.pages++
	more := uint64(order.Uint32(buf[12:]))
	if more == 0 {
		return buf
	}
	if id+more >= in.high {
		in.fault("page %d runs past the end", id)
		return nil
	}
	for i := range more {
		if in.met(id + 1 + i) {
			in.fault("page %d is in two places", id+1+i)
			return nil
		}
	}
	in.pages += int(more)
	size := int64(more+1) * in.page
	if int64(cap(in.bufs[level])) < size {
		in.bufs[level] = make([]byte, size)
	}
	buf = in.bufs[level][:size]
	if _, err := in.file.ReadAt(buf, int64(id)*in.page); err != nil {
		in.fault("page %d cannot be read: %v", id, err)
		return nil
	}
	return buf
}

func (in *inspector) met(id uint64) bool {
	bit := uint64(1) << (id % 64)
	was := in.seen[id/64]&bit != 0
	in.seen[id/64] |= bit
	return was
}

// visit is told of what a bucket holds: a value, or a bucket by its header and what follows it.
type visit func(level int, key, value []byte, bucket bool)

// bucket walks a bucket: its tree of pages, or its one page within the value that holds it.
func (in *inspector) bucket(root uint64, inline []byte, level int, f visit) {
	if root != 0 {
		in.tree(root, level, nil, nil, f)
		return
	}
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != leafPage {
		in.fault("a bucket within a page failed its check")
		return
	}
	in.leaf(inline, "a bucket within a page", level, nil, nil, f)
}

// tree walks a page and those below it. Their keys are not below low and, unless that is nil,
// below end.
func (in *inspector) tree(id uint64, level int, low, end []byte, f visit) {
	b := in.read(id, level)
	if b == nil || in.err != nil {
		return
	}
	name := fmt.Sprintf("page %d", id)
	switch order.Uint16(b[8:]) {
	case leafPage:
		in.leaf(b, name, level, low, end, f)
	case branchPage:
		in.branch(b, name, level, low, end, f)
	default:
		in.fault("%s is neither branch nor leaf", name)
	}
}

func (in *inspector) branch(b []byte, name string, level int, low, end []byte, f visit) {
	count := int(order.Uint16(b[10:]))
	if count == 0 || pageHeader+count*elementSize > len(b) {
		in.fault("%s failed its check", name)
		return
	}
	key := func(i int) []byte {
		at := pageHeader + i*elementSize
		from := at + int(order.Uint32(b[at:]))
		to := from + int(order.Uint32(b[at+4:]))
		if from < pageHeader+count*elementSize || to <= from || to > len(b) {
			return nil
		}
		return b[from:to]
	}
	for i := range count {
		k := key(i)
		limit := end
		if i+1 < count {
			limit = key(i + 1)
		}
		if k == nil || i+1 < count && limit == nil || bytes.Compare(k, low) < 0 || limit != nil && bytes.Compare(k, limit) >= 0 {
			in.fault("%s failed its check", name)
			k, limit = nil, nil // what is below is looked at all the same
		}
		in.tree(order.Uint64(b[pageHeader+i*elementSize+8:]), level+1, k, limit, f)
	}
}

func (in *inspector) leaf(b []byte, name string, level int, low, end []byte, f visit) {
	count := int(order.Uint16(b[10:]))
	if pageHeader+count*elementSize > len(b) {
		in.fault("%s failed its check", name)
		return
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*elementSize
		flags := order.Uint32(b[at:])
		from := at + int(order.Uint32(b[at+4:]))
		middle := from + int(order.Uint32(b[at+8:]))
		to := middle + int(order.Uint32(b[at+12:]))
		if flags > bucketFlag || from < pageHeader+count*elementSize || middle <= from || to < middle || to > len(b) {
			in.fault("%s failed its check", name)
			continue
		}
		k := b[from:middle]
		if bytes.Compare(k, low) < 0 || end != nil && bytes.Compare(k, end) >= 0 || last != nil && bytes.Compare(k, last) <= 0 {
			in.fault("%s failed its check", name)
		}
		last = k
		if f(level, k, b[middle:to:to], flags == bucketFlag); in.err != nil {
			return
		}
	}
}

// enter walks a bucket that is a value.
func (in *inspector) enter(value []byte, level int, f visit) {
	if len(value) < bucketHeader {
		in.fault("a bucket failed its check")
		return
	}
	in.bucket(order.Uint64(value), value[bucketHeader:], level+1, f)
}

// table is a visit of the root: what it holds are the tables.
func (in *inspector) table(level int, key, value []byte, bucket bool) {
	if !bucket {
		in.fault("a value lies among the tables")
		return
	}
	if string(key) == string(metaBucket) {
		in.enter(value, level, in.meta)
		return
	}
	for t, name := range tableNames {
		if name != "" && name == string(key) {
			in.enter(value, level, in.records(place{table: Table(t)}))
			return
		}
	}
	// Of a newer version that this one can live with, or damage that a tally will tell.
	in.enter(value, level, func(int, []byte, []byte, bool) {})
}

// meta is a visit of what the file says of itself.
func (in *inspector) meta(_ int, key, value []byte, bucket bool) {
	switch {
	case string(key) == string(metaKey):
		id, err := parseIdentity(value)
		if errors.Is(err, errFormat) {
			in.stop(err)
		} else if err != nil {
			in.fault("its identity failed its check")
		}
		in.id = id
	case string(key) == string(restoredKey):
		in.restored = true
	case len(key) >= 2 && key[0] == 't' && int(key[1]) < len(tableNames):
		p := place{Table(key[1]), string(key[2:])}
		t, err := parseTally(p, value)
		if err != nil {
			in.fault("a tally failed its check")
			return
		}
		in.at(p).want = t
	default:
		in.fault("its description failed its check")
	}
}

// records is a visit of a table or of what it holds for one sub.
func (in *inspector) records(p place) visit {
	found := in.at(p)
	return func(level int, key, value []byte, bucket bool) {
		if bucket {
			if p.sub != "" {
				in.fault("a bucket lies too deep")
				return
			}
			in.enter(value, level, in.records(place{p.table, string(key)}))
			return
		}
		if len(key) != 8 || len(value) < crcSize {
			found.bad++
			return
		}
		c := change{p.table, p.sub, binary.BigEndian.Uint64(key)}
		found.sum ^= check(value)
		record, err := parseRecord(c, value)
		if err != nil {
			found.bad++
			return
		}
		found.good++
		in.live += int64(len(key) + len(value))
		found.top = max(found.top, c.key)
		if in.yield != nil {
			if err := in.yield(c, record); err != nil {
				in.stop(err)
			}
		}
	}
}

// inspectFile inspects an open file.
func inspectFile(f *os.File, v view, yield func(change, []byte) error) (*finding, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return inspect(f, info.Size(), v, yield)
}

// good is how many records passed their check.
func (f *finding) good() (n int) {
	for _, v := range f.places {
		n += v.good
	}
	return n
}
