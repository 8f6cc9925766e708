package convert

import "google.golang.org/protobuf/encoding/protowire"

// Range is the contract's DeliveryRange.
type Range struct{ First, Last uint64 }

// Settled reads a SubscribeRequest with an Ack that hands nothing back, which is what most are, from
// its bytes. The zero value is ready.
type Settled struct {
	Done []Range // of the last Parse
	Told uint64
}

// The tags of what is read here, from event_service.proto.
const (
	tagAck     = 3<<3 | byte(protowire.BytesType)
	tagAckDone = 1<<3 | byte(protowire.BytesType)
	tagAckTold = 4<<3 | byte(protowire.VarintType)
	tagFirst   = 1<<3 | byte(protowire.VarintType)
	tagLast    = 2<<3 | byte(protowire.VarintType)
)

// Parse reads b, whose memory it does not keep. It returns false for anything else, and for what no
// encoder writes, as Replies.Parse does.
func (s *Settled) Parse(b []byte) bool {
	s.Done, s.Told = s.Done[:0], 0
	if len(b) == 0 || b[0] != tagAck {
		return false
	}
	body, rest, ok := cutBytes(b[1:])
	if !ok || len(rest) > 0 {
		return false
	}
	for len(body) > 0 && body[0] == tagAckDone {
		var one []byte
		if one, body, ok = cutBytes(body[1:]); !ok {
			return false
		}
		var r Range
		if r.First, one, ok = cutVarint(one, tagFirst); !ok {
			return false
		}
		if r.Last, one, ok = cutVarint(one, tagLast); !ok || len(one) > 0 {
			return false
		}
		s.Done = append(s.Done, r)
	}
	s.Told, body, ok = cutVarint(body, tagAckTold)
	return ok && len(body) == 0
}

// cutVarint cuts a field off b, which is zero if it is not there.
func cutVarint(b []byte, tag byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tag {
		return 0, b, true
	}
	v, n := protowire.ConsumeVarint(b[1:])
	if n < 0 {
		return 0, nil, false
	}
	return v, b[1+n:], true
}
