package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record on disk is its bytes followed by a CRC-32C over table, sub, key and bytes: a record
// that a damaged page shows under another key fails its check too.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const crcSize = 4

// errRecord is what decode returns for a record whose check fails.
var errRecord = errors.New("a record failed its check")

func appendRecord(dst []byte, c change, value []byte) []byte {
	dst = append(dst, value...)
	return binary.BigEndian.AppendUint32(dst, checksum(c, value))
}

func parseRecord(c change, b []byte) ([]byte, error) {
	if len(b) < crcSize {
		return nil, errRecord
	}
	value := b[:len(b)-crcSize]
	if binary.BigEndian.Uint32(b[len(value):]) != checksum(c, value) {
		return nil, errRecord
	}
	return value, nil
}

func checksum(c change, value []byte) uint32 {
	var head [9]byte
	head[0] = byte(c.table)
	binary.BigEndian.PutUint64(head[1:], c.key)
	sum := crc32.Update(0, castagnoli, head[:])
	sum = crc32.Update(sum, castagnoli, []byte(c.sub))
	return crc32.Update(sum, castagnoli, value)
}

func keyBytes(key uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), key) }
