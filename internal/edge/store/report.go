package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Report is what a file holds, for people.
type Report struct {
	Identity
	Bytes  int64
	Pages  int      // that are in use
	Sound  bool     // an edge would open it as it is
	InUse  bool     // a process has it: what it wrote meanwhile may look like a fault
	Faults []string // what is wrong, the first few
	Parts  []Part
}

// Part is the records of one table, or of what it holds for one namespace or group.
type Part struct {
	Table   string
	Of      string // the namespace or group; empty for a table that is not divided
	Records int    // that passed their check
	Damaged int    // that failed it
	Missing int    // that were put and are not there
	Bytes   int64
}

// Inspect reads a file without changing it, believing nothing in it, and hands every record that
// passes its check to f, if that is not nil. The bytes are good until f returns.
func Inspect(path string, f func(t Table, sub string, key uint64, record []byte) error) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	r := &Report{Bytes: info.Size(), InUse: isInUse(path)}
	sizes := make(map[place]int64)
	found, err := inspect(file, info.Size(), newest, func(c change, record []byte) error {
		sizes[place{c.table, c.sub}] += int64(len(record))
		if f == nil {
			return nil
		}
		return f(c.table, c.sub, c.key, record)
	})
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	r.Identity, r.Pages, r.Faults, r.Sound = found.id, found.pages, found.faults, found.sound()
	for p, v := range found.places {
		if v.good+v.bad == 0 && v.want.records == 0 {
			continue
		}
		r.Parts = append(r.Parts, Part{Table: tableNames[p.table], Of: p.sub, Records: v.good, Damaged: v.bad,
			Missing: max(int(v.want.records)-v.good-v.bad, 0), Bytes: sizes[p]})
	}
	slices.SortFunc(r.Parts, func(a, b Part) int { return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Of, b.Of)) })
	return r, nil
}

// isInUse says whether another process has the file. It has the lock for a moment, for which Open
// waits.
func isInUse(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // gives the lock back
	return errors.Is(lock(f, 0), ErrInUse)
}
