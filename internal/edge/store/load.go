package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Load calls f with every record of a table, in the order of keys. The bytes are f's own. A
// record whose check fails is left out and counted: Open has found none, so it was damaged since.
// Load is for the start, before anything is put: it reads what is in the file.
func (s *Store) Load(t Table, f func(sub string, key uint64, value []byte)) (damaged int, err error) {
	s.swapping.RLock()
	defer s.swapping.RUnlock()
	if s.file == nil {
		return 0, fmt.Errorf("load %s of store %s: %w", tableNames[t], s.path, ErrBroken)
	}
	var copies arena
	err = s.file.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(tableNames[t])); b != nil {
			damaged = loadBucket(b, t, "", &copies, f)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("load %s of store %s: %w", tableNames[t], s.path, err)
	}
	return damaged, err
}

// LoadFrom calls f with the records of one sub whose keys are not below from, in the order of
// keys, until f returns false. It may be called at any time and sees what is committed.
func (s *Store) LoadFrom(t Table, sub string, from uint64, f func(key uint64, value []byte) bool) error {
	s.swapping.RLock()
	defer s.swapping.RUnlock()
	if s.file == nil {
		return fmt.Errorf("load %s of store %s: %w", tableNames[t], s.path, ErrBroken)
	}
	err := s.file.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(tableNames[t]))
		if b != nil && sub != "" {
			b = b.Bucket([]byte(sub))
		}
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(keyBytes(from)); k != nil; k, v = c.Next() {
			if len(k) != 8 || v == nil {
				continue
			}
			key := binary.BigEndian.Uint64(k)
			value, err := parseRecord(change{t, sub, key}, v)
			if err == nil && !f(key, append([]byte(nil), value...)) {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load %s of store %s: %w", tableNames[t], s.path, err)
	}
	return nil
}

// arena is memory for many small copies that live about as long as each other.
type arena []byte

func (a *arena) copy(b []byte) []byte {
	if cap(*a)-len(*a) < len(b) {
		*a = make([]byte, 0, max(arenaSize, len(b)))
	}
	from := len(*a)
	*a = append(*a, b...)
	return (*a)[from:len(*a):len(*a)]
}

const arenaSize = 64 << 10

func loadBucket(b *bbolt.Bucket, t Table, sub string, copies *arena, f func(string, uint64, []byte)) (damaged int) {
	b.ForEach(func(k, v []byte) error {
		if v == nil {
			damaged += loadBucket(b.Bucket(k), t, string(k), copies, f)
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
		f(sub, key, copies.copy(value))
		return nil
	})
	return damaged
}
