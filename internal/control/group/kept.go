package group

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// keptEvent is the record of an event that is not in the queue: a dead letter or one that was
// settled. It is written as protobuf fields without a schema, for the reasons given in socketio.
type keptEvent struct {
	PrevSeq  uint64 // 1
	Attempts uint32 // 2
	At       int64  // 3: Unix nanoseconds, when it was set aside or, if it was settled, read
	Event    []byte // 4
	MemberID string // 5
	Reason   string // 6
}

func (k *keptEvent) append(b []byte) []byte {
	number := func(field protowire.Number, v uint64) {
		b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
	}
	number(1, k.PrevSeq)
	number(2, uint64(k.Attempts))
	number(3, uint64(k.At))
	b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), k.Event)
	if k.MemberID != "" {
		b = protowire.AppendString(protowire.AppendTag(b, 5, protowire.BytesType), k.MemberID)
	}
	if k.Reason != "" {
		b = protowire.AppendString(protowire.AppendTag(b, 6, protowire.BytesType), k.Reason)
	}
	return b
}

func parseKept(b []byte) (k keptEvent, err error) {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return k, errRecord
		}
		_, _, tag := protowire.ConsumeTag(b)
		v := b[tag:n]
		b = b[n:]
		var number uint64
		var bytes []byte
		switch typ {
		case protowire.VarintType:
			number, _ = protowire.ConsumeVarint(v)
		case protowire.BytesType:
			bytes, _ = protowire.ConsumeBytes(v)
		}
		switch field {
		case 1:
			k.PrevSeq = number
		case 2:
			k.Attempts = uint32(number)
		case 3:
			k.At = int64(number)
		case 4:
			k.Event = bytes
		case 5:
			k.MemberID = string(bytes)
		case 6:
			k.Reason = string(bytes)
		}
	}
	if k.Event == nil {
		return k, errRecord
	}
	return k, nil
}
