package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record on disk is its bytes followed by a CRC-32C over table, sub, key and bytes: a record
// that a damaged page shows under another key fails its check too.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The bytes of a key and of a check.
const (
	keySize = 8
	crcSize = 4
)

// format is the version of what the records look like. A newer one is not touched.
const format = 1

// errRecord is a record whose check fails.
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
	if check(b) != checksum(c, value) {
		return nil, errRecord
	}
	return value, nil
}

// check is the CRC that a record carries.
func check(b []byte) uint32 { return binary.BigEndian.Uint32(b[len(b)-crcSize:]) }

func checksum(c change, value []byte) uint32 {
	var head [9]byte
	head[0] = byte(c.table)
	binary.BigEndian.PutUint64(head[1:], c.key)
	sum := continued(continued(0, head[:]), c.sub)
	return crc32.Update(sum, castagnoli, value)
}

// continued is crc32.Update for a few bytes, which would have to be on the heap for that.
func continued[T string | []byte](sum uint32, b T) uint32 {
	sum = ^sum
	for i := range len(b) {
		sum = castagnoli[byte(sum)^b[i]] ^ sum>>8
	}
	return ^sum
}

func keyBytes(key uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), key) }

// tally is what a place must hold: so many records, with checks that make this sum by exclusive
// or. A page that shows an older state of itself, or hides a part, is right in all its records;
// the tally tells. It is changed in the commit that changes the records.
type tally struct {
	records uint64
	sum     uint32
}

// tallyKey is the key of a place's tally in the meta bucket.
func tallyKey(p place) []byte {
	return append([]byte{'t', byte(p.table)}, p.sub...)
}

func (t tally) bytes(p place) []byte {
	b := binary.BigEndian.AppendUint64(nil, t.records)
	b = binary.BigEndian.AppendUint32(b, t.sum)
	return appendRecord(nil, change{table: p.table, sub: p.sub}, b)
}

func parseTally(p place, b []byte) (tally, error) {
	if b == nil {
		return tally{}, nil
	}
	v, err := parseRecord(change{table: p.table, sub: p.sub}, b)
	if err != nil || len(v) != 12 {
		return tally{}, errRecord
	}
	return tally{binary.BigEndian.Uint64(v), binary.BigEndian.Uint32(v[8:])}, nil
}

// Identity is what a file says of its edge.
type Identity struct {
	EdgeID string // made with the first file
	LogID  string // changes when something of the file was lost
	Epoch  uint64 // grows with each Open
}

func appendIdentity(dst []byte, id Identity) []byte {
	dst = append(dst, format)
	dst = binary.BigEndian.AppendUint64(dst, id.Epoch)
	dst = append(dst, byte(len(id.EdgeID)))
	dst = append(dst, id.EdgeID...)
	dst = append(dst, id.LogID...)
	return appendRecord(nil, change{}, dst)
}

func parseIdentity(b []byte) (Identity, error) {
	v, err := parseRecord(change{}, b)
	if err != nil {
		return Identity{}, err
	}
	if len(v) > 0 && v[0] > format {
		return Identity{}, errFormat
	}
	if len(v) < 10 || len(v) < 10+int(v[9]) {
		return Identity{}, errRecord
	}
	n := 10 + int(v[9])
	return Identity{Epoch: binary.BigEndian.Uint64(v[1:]), EdgeID: string(v[10:n]), LogID: string(v[n:])}, nil
}
