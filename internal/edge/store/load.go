package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Load calls f with every record of a table, in the order of keys. The bytes are f's own. A
// record whose check fails is left out and counted. Load is for the start, before anything is
// put: it reads what is in the file.
func (s *Store) Load(t Table, f func(sub string, key uint64, value []byte)) (damaged int, err error) {
	read := func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(tableNames[t]))
		if b == nil {
			return errRecord
		}
		damaged = loadBucket(b, t, "", f)
		return nil
	}
	if err = guarded(func() error { return s.db.View(read) }); err != nil {
		err = fmt.Errorf("load %s of store %s: %w", tableNames[t], s.path, err)
	}
	return damaged, err
}

func loadBucket(b *bbolt.Bucket, t Table, sub string, f func(string, uint64, []byte)) (damaged int) {
	b.ForEach(func(k, v []byte) error {
		if v == nil {
			damaged += loadBucket(b.Bucket(k), t, string(k), f)
			return nil
		}
		if len(k) != 8 {
			damaged++
			return nil
		}
		key := binary.BigEndian.Uint64(k)
		value, err := parseRecord(change{t, sub, key}, v)
		if err != nil {
			damaged++
			return nil
		}
		f(sub, key, append([]byte(nil), value...))
		return nil
	})
	return damaged
}
