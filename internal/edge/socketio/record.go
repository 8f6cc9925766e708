package socketio

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// Records are written as protobuf fields without a schema: what is added later is skipped by a
// program that does not know it, and missing from one that does, so that neither an upgrade nor
// a downgrade loses a session. Numbers are never used again.

// sessionRecord is what is kept of a session.
type sessionRecord struct {
	SID, Namespace, UserID string            // 1, 3, 4
	PID                    privateID         // 21; 2 was the pid itself
	Attributes             map[string]string // 5
	Rooms                  []absenceFromRoom // 6; until is not used
	Left                   []absenceFromRoom // 7
	OpenedAt               int64             // 8
	Revision, Start, Acked uint64            // 9 to 11
	Last, Seq              uint64            // 12, 13
	Until                  int64             // 14: Unix nanoseconds; 0: the client is there
	Boot                   string            // 15
	BootUntil              int64             // 16: the same instant since Boot began
	Reason                 Reason            // 17
	Subject                string            // 18
	Expires                int64             // 19: Unix seconds
	From                   string            // 20: the host that the client was last seen at
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendGroup(b []byte, field protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), inner)
}

func appendSession(b []byte, r *sessionRecord) []byte {
	b = appendString(b, 1, r.SID)
	b = appendString(b, 3, r.Namespace)
	b = appendString(b, 4, r.UserID)
	var scratch [128]byte
	for name, v := range r.Attributes {
		b = appendGroup(b, 5, appendString(appendString(scratch[:0], 1, name), 2, v))
	}
	rooms := func(field protowire.Number, rooms []absenceFromRoom) {
		for _, m := range rooms {
			b = appendGroup(b, field, appendUint(appendUint(appendString(scratch[:0], 1, m.room), 2, m.since), 3, m.until))
		}
	}
	rooms(6, r.Rooms)
	rooms(7, r.Left)
	b = appendUint(b, 8, uint64(r.OpenedAt))
	b = appendUint(b, 9, r.Revision)
	b = appendUint(b, 10, r.Start)
	b = appendUint(b, 11, r.Acked)
	b = appendUint(b, 12, r.Last)
	b = appendUint(b, 13, r.Seq)
	b = appendUint(b, 14, uint64(r.Until))
	b = appendString(b, 15, r.Boot)
	b = appendUint(b, 16, uint64(r.BootUntil))
	b = appendString(b, 17, string(r.Reason))
	b = appendString(b, 18, r.Subject)
	b = appendUint(b, 19, uint64(r.Expires))
	b = appendString(b, 20, r.From)
	return appendGroup(b, 21, r.PID[:])
}

// errRecord is a record that cannot be read, though its check said it is what was written.
var errRecord = errors.New("not a record of this program")

// fields calls f with every field of a record. A number comes as n, anything else as v.
func fields(b []byte, f func(field protowire.Number, n uint64, v []byte)) error {
	for len(b) > 0 {
		field, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errRecord
		}
		b = b[size:]
		switch typ {
		case protowire.VarintType:
			n, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return errRecord
			}
			f(field, n, nil)
			b = b[size:]
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			if size < 0 {
				return errRecord
			}
			f(field, 0, v)
			b = b[size:]
		default:
			size := protowire.ConsumeFieldValue(field, typ, b)
			if size < 0 {
				return errRecord
			}
			b = b[size:]
		}
	}
	return nil
}

// names keeps one string for each name that many sessions have in common: namespaces, rooms,
// attributes. nil keeps none.
type names map[string]string

func (n names) of(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if n != nil {
		n[s] = s
	}
	return s
}

func parseSession(b []byte, common names) (*sessionRecord, error) {
	r := &sessionRecord{}
	var inner error
	err := fields(b, func(field protowire.Number, n uint64, v []byte) {
		switch field {
		case 1:
			r.SID = string(v)
		case 2:
			r.PID = privateIDOf(string(v))
		case 3:
			r.Namespace = common.of(v)
		case 4:
			r.UserID = string(v)
		case 5:
			if r.Attributes == nil {
				r.Attributes = make(map[string]string)
			}
			inner = errors.Join(inner, parsePair(v, r.Attributes, common))
		case 6, 7:
			var m absenceFromRoom
			inner = errors.Join(inner, fields(v, func(field protowire.Number, n uint64, v []byte) {
				switch field {
				case 1:
					m.room = common.of(v)
				case 2:
					m.since = n
				case 3:
					m.until = n
				}
			}))
			if field == 6 {
				if r.Rooms == nil {
					r.Rooms = make([]absenceFromRoom, 0, 4)
				}
				r.Rooms = append(r.Rooms, m)
			} else {
				r.Left = append(r.Left, m)
			}
		case 8:
			r.OpenedAt = int64(n)
		case 9:
			r.Revision = n
		case 10:
			r.Start = n
		case 11:
			r.Acked = n
		case 12:
			r.Last = n
		case 13:
			r.Seq = n
		case 14:
			r.Until = int64(n)
		case 15:
			r.Boot = common.of(v)
		case 16:
			r.BootUntil = int64(n)
		case 17:
			r.Reason = Reason(common.of(v))
		case 18:
			r.Subject = string(v)
		case 19:
			r.Expires = int64(n)
		case 20:
			r.From = string(v)
		case 21:
			if len(v) != copy(r.PID[:], v) {
				inner = errors.Join(inner, errRecord)
			}
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return nil, err
	}
	if r.SID == "" || r.PID == (privateID{}) || r.Namespace == "" {
		return nil, errRecord
	}
	return r, nil
}

// appendPacket writes what is kept of an emit: 1 event, 2 args, 3 attachments, 4 at, 5 ttl,
// 6 asks for an acknowledgement, 7 rooms, 8 sids, 9 user ids, 10 everyone, 11 rooms and 12 sids
// that are excepted, 13 the command's id; of one that expires 14 boot and 15 the time since then.
func (n *Namespace) appendPacket(b []byte, e *Emit, p *packet) []byte {
	b = appendString(b, 1, e.Event)
	b = appendGroup(b, 2, e.Args)
	for _, a := range e.Attachments {
		b = appendGroup(b, 3, a)
	}
	b = appendUint(b, 4, uint64(p.at))
	b = appendUint(b, 5, uint64(e.TTL))
	if e.AckTimeout > 0 {
		b = appendUint(b, 6, 1)
	} else {
		b = appendString(b, 13, e.ID) // who waited for answers asks again
	}
	t := &e.Target
	for field, names := range map[protowire.Number][]string{7: t.Rooms, 8: t.SIDs, 9: t.UserIDs, 11: t.ExceptRooms, 12: t.ExceptSIDs} {
		for _, name := range names {
			b = appendString(b, field, name)
		}
	}
	if t.Everyone {
		b = appendUint(b, 10, 1)
	}
	if clock := n.srv.cfg.Clock; e.TTL > 0 && clock.Boot != "" {
		b = appendString(b, 14, clock.Boot)
		b = appendUint(b, 15, uint64(clock.Since()+p.expires-n.srv.age()))
	}
	return b
}

// parsePacket makes the packet that appendPacket wrote, ready to be sent again. The answer to
// one that asks for an acknowledgement finds nobody: who waited for it died with the process.
func parsePacket(n *Namespace, offset uint64, b []byte) (p packet, id string, err error) {
	e := &Emit{Target: Target{Namespace: n.Name}}
	p = packet{offset: offset}
	var boot string
	var until time.Duration
	err = fields(b, func(field protowire.Number, num uint64, v []byte) {
		t := &e.Target
		switch field {
		case 1:
			e.Event = string(v)
		case 2:
			e.Args = v
		case 3:
			e.Attachments = append(e.Attachments, v)
		case 4:
			p.at = int64(num)
		case 5:
			p.ttl = time.Duration(num)
		case 6:
			p.orphan = true
		case 7:
			t.Rooms = append(t.Rooms, string(v))
		case 8:
			t.SIDs = append(t.SIDs, string(v))
		case 9:
			t.UserIDs = append(t.UserIDs, string(v))
		case 10:
			t.Everyone = true
		case 11:
			t.ExceptRooms = append(t.ExceptRooms, string(v))
		case 12:
			t.ExceptSIDs = append(t.ExceptSIDs, string(v))
		case 13:
			id = string(v)
		case 14:
			boot = string(v)
		case 15:
			until = time.Duration(num)
		}
	})
	if err != nil || len(e.Args) < 2 {
		return packet{}, "", errRecord
	}
	left := p.ttl - time.Since(time.Unix(0, p.at))
	if c := n.srv.cfg.Clock; boot != "" && boot == c.Boot {
		left = until - c.Since()
	}
	p.expires = n.srv.age() + min(left, p.ttl)
	p.address(&e.Target)
	position := formatOffset(offset)
	if p.orphan {
		position = ""
	}
	p.message = engineio.NewMessageFunc(func(b []byte) []byte {
		return sio.AppendEvent(b, n.Name, orphanAcks+offset, p.orphan, e.Event, e.Args, position, len(e.Attachments))
	}, e.Attachments)
	return p, id, nil
}

// orphanAcks and the offset of a packet make an acknowledgement id that no waiter ever has. It is
// a number that JavaScript can hold.
const orphanAcks = 1 << 52
