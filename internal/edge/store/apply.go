package store

import (
	"bytes"
	"cmp"
	"slices"

	"go.etcd.io/bbolt"
)

// apply makes the changes of the batch, in the order of keys: neighbours share their pages.
func (b *batch) apply(tx *bbolt.Tx) error {
	b.grown = 0
	changes := make([]change, 0, len(b.values))
	for c := range b.values {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(x, y change) int {
		return cmp.Or(cmp.Compare(x.table, y.table), cmp.Compare(x.sub, y.sub), cmp.Compare(x.key, y.key))
	})
	for p, cuts := range b.cuts {
		w, err := openPlace(tx, p)
		if err != nil {
			return err
		}
		if err := w.cut(cuts[0].key); err != nil { // what is in the file came before all of them
			return err
		}
		if err := w.done(); err != nil {
			return err
		}
		b.grown += w.grown
	}
	for len(changes) > 0 {
		w, err := openPlace(tx, changes[0].place())
		if err != nil {
			return err
		}
		n := 0
		for n < len(changes) && changes[n].place() == w.place {
			c := changes[n]
			if v := b.values[c]; !b.gone(c, v) {
				if err := w.put(c, v); err != nil {
					return err
				}
			}
			n++
		}
		if err := w.done(); err != nil {
			return err
		}
		b.grown += w.grown
		changes = changes[n:]
	}
	return nil
}

// writer changes one place and keeps its tally.
type writer struct {
	place
	tx     *bbolt.Tx
	table  *bbolt.Bucket
	bucket *bbolt.Bucket // nil: there is none yet
	cursor *bbolt.Cursor // of bucket; nil: nothing was looked for yet
	tally  tally
	was    tally
	grown  int64 // bytes of records, with their keys
}

func openPlace(tx *bbolt.Tx, p place) (*writer, error) {
	w := &writer{place: p, tx: tx}
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return nil, errRecord
	}
	var err error
	if w.tally, err = parseTally(p, meta.Get(tallyKey(p))); err != nil {
		return nil, err
	}
	w.was = w.tally
	if w.table, err = tx.CreateBucketIfNotExists([]byte(tableNames[p.table])); err != nil { // of a file older than the table
		return nil, err
	}
	if w.bucket = w.table; p.sub != "" {
		w.bucket = w.table.Bucket([]byte(p.sub))
	}
	return w, nil
}

func (w *writer) put(c change, v value) error {
	key := keyBytes(c.key)
	if w.bucket == nil {
		if v.bytes == nil {
			return nil
		}
		var err error
		if w.bucket, err = w.table.CreateBucket([]byte(w.sub)); err != nil {
			return err
		}
	}
	if !v.fresh { // or there is nothing to look for
		if w.cursor == nil {
			w.cursor = w.bucket.Cursor()
		}
		at, old := w.cursor.Seek(key)
		there := bytes.Equal(at, key)
		if there {
			if err := w.forget(old); err != nil {
				return err
			}
		}
		if v.bytes == nil {
			if !there {
				return nil
			}
			return w.cursor.Delete()
		}
	}
	w.bucket.FillPercent = 0.95 // keys only grow
	record := appendRecord(make([]byte, 0, len(v.bytes)+crcSize), c, v.bytes)
	w.tally.records++
	w.tally.sum ^= check(record)
	w.grown += int64(len(key) + len(record))
	return w.bucket.Put(key, record)
}

// forget takes a record that is in the file out of the tally.
func (w *writer) forget(old []byte) error {
	if len(old) < crcSize || w.tally.records == 0 {
		return errRecord
	}
	w.tally.records--
	w.tally.sum ^= check(old)
	w.grown -= int64(keySize + len(old))
	return nil
}

// cut removes the records with keys below key, walking from the oldest.
func (w *writer) cut(key uint64) error {
	if w.bucket == nil {
		return nil
	}
	end := keyBytes(key)
	c := w.bucket.Cursor()
	for at, old := c.First(); at != nil && bytes.Compare(at, end) < 0; at, old = c.First() {
		if err := w.forget(old); err != nil {
			return err
		}
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// done writes the tally. A sub that holds nothing any more is forgotten: clients can make
// namespaces up.
func (w *writer) done() error {
	meta := w.tx.Bucket(metaBucket)
	if w.sub != "" && w.tally.records == 0 {
		if w.bucket != nil {
			if err := w.table.DeleteBucket([]byte(w.sub)); err != nil {
				return err
			}
		}
		return meta.Delete(tallyKey(w.place))
	}
	if w.tally == w.was {
		return nil
	}
	return meta.Put(tallyKey(w.place), w.tally.bytes(w.place))
}
