package socketio

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// An event's record: 1 kind, 2 sid, 3 namespace, 4 seq, 5 at, 6 name, 7 numeric name, 8 args,
// 9 attachments, 10 wants reply, 11 ack id, 12 session, 13 auth, 14 reason, 15 until,
// 16 replayed, 17 complete. A ConnectRequested has none: its client does not outlive the process.

// AppendEvent appends the record of an event, for a log that outlives the process.
func AppendEvent(b []byte, ev *Event) []byte {
	b = appendUint(b, 1, uint64(ev.Kind))
	b = appendString(b, 2, ev.Socket.SID)
	b = appendString(b, 3, ev.Socket.Nsp.Name)
	b = appendUint(b, 4, ev.Seq)
	b = appendUint(b, 5, uint64(ev.At.UnixNano()))
	if l := ev.Life; l != nil {
		if l.Session.SID != "" {
			var scratch [512]byte
			b = appendGroup(b, 12, appendState(scratch[:0], &l.Session))
		}
		b = appendString(b, 13, string(l.Auth))
		b = appendString(b, 14, string(l.Reason))
		if !l.Until.IsZero() {
			b = appendUint(b, 15, uint64(l.Until.UnixNano()))
		}
		b = appendUint(b, 16, uint64(l.Replayed))
		return appendUint(b, 17, number(l.Complete))
	}
	b = appendString(b, 6, ev.Name)
	b = appendUint(b, 7, number(ev.NumericName))
	b = appendGroup(b, 8, ev.Args)
	for _, a := range ev.Attachments {
		b = appendGroup(b, 9, a)
	}
	b = appendUint(b, 10, number(ev.WantsReply))
	return appendUint(b, 11, ev.ackID)
}

// ParseEvent reads what AppendEvent wrote. The event's Socket is the live one, or stands for one
// that has ended. It keeps parts of b.
func (s *Server) ParseEvent(b []byte) (*Event, error) {
	ev := &Event{}
	life := &Life{}
	var sid, namespace string
	var inner error
	err := fields(b, func(field protowire.Number, n uint64, v []byte) {
		switch field {
		case 1:
			ev.Kind = Kind(n)
		case 2:
			sid = string(v)
		case 3:
			namespace = string(v)
		case 4:
			ev.Seq = n
		case 5:
			ev.At = time.Unix(0, int64(n))
		case 6:
			ev.Name = string(v)
		case 7:
			ev.NumericName = n != 0
		case 8:
			ev.Args = v
		case 9:
			ev.Attachments = append(ev.Attachments, v)
		case 10:
			ev.WantsReply = n != 0
		case 11:
			ev.ackID = n
		case 12:
			inner = parseState(v, &life.Session)
		case 13:
			life.Auth = v
		case 14:
			life.Reason = Reason(v)
		case 15:
			life.Until = time.Unix(0, int64(n))
		case 16:
			life.Replayed = int(n)
		case 17:
			life.Complete = n != 0
		}
	})
	if err != nil || inner != nil || sid == "" || namespace == "" || ev.Kind <= ConnectRequested || ev.Kind > ClientEvent {
		return nil, errRecord
	}
	if ev.Kind != ClientEvent {
		ev.Life = life
	}
	ev.Socket = s.socket(sid, namespace)
	return ev, nil
}

// socket returns the session, or one that has ended in its place.
func (s *Server) socket(sid, namespace string) *Socket {
	if n := s.lookup(namespace); n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if k := n.sids[sid]; k != nil {
			return k
		}
	}
	return &Socket{SID: sid, Nsp: &Namespace{Name: namespace, srv: s}, state: Ended}
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// A session's state in an event: 1 sid, 2 namespace, 3 connection, 4 user id, 5 attributes,
// 6 rooms, 7 state, 8 opened at, 9 revision, 10 transport, 11 recovered, 12 remote address,
// 13 path, 14 query, 15 headers, 16 the connection's first transport, 17 secure, 18 since when.

func appendState(b []byte, k *Session) []byte {
	b = appendString(b, 1, k.SID)
	b = appendString(b, 2, k.Namespace)
	b = appendString(b, 3, k.Connection)
	b = appendString(b, 4, k.UserID)
	for name, v := range k.Attributes {
		b = appendGroup(b, 5, appendString(appendString(nil, 1, name), 2, v))
	}
	for _, room := range k.Rooms {
		b = appendString(b, 6, room)
	}
	b = appendUint(b, 7, uint64(k.State))
	b = appendUint(b, 8, uint64(k.OpenedAt.UnixNano()))
	b = appendUint(b, 9, k.Revision)
	b = appendString(b, 10, k.Transport)
	b = appendUint(b, 11, number(k.Recovered))
	if h := k.Handshake; h != nil {
		b = appendString(b, 12, h.RemoteAddr)
		b = appendString(b, 13, h.Path)
		b = appendString(b, 14, h.RawQuery)
		for _, v := range h.Headers {
			b = appendGroup(b, 15, []byte(v)) // an empty value has its place
		}
		b = appendString(b, 16, h.Transport)
		b = appendUint(b, 17, number(h.Secure))
		b = appendUint(b, 18, uint64(h.At.UnixNano()))
	}
	return b
}

func parseState(b []byte, k *Session) error {
	h := &engineio.Handshake{}
	var inner error
	err := fields(b, func(field protowire.Number, n uint64, v []byte) {
		switch field {
		case 1:
			k.SID = string(v)
		case 2:
			k.Namespace = string(v)
		case 3:
			k.Connection = string(v)
		case 4:
			k.UserID = string(v)
		case 5:
			if k.Attributes == nil {
				k.Attributes = make(map[string]string)
			}
			inner = errors.Join(inner, parsePair(v, k.Attributes, nil))
		case 6:
			k.Rooms = append(k.Rooms, string(v))
		case 7:
			k.State = State(n)
		case 8:
			k.OpenedAt = time.Unix(0, int64(n))
		case 9:
			k.Revision = n
		case 10:
			k.Transport = string(v)
		case 11:
			k.Recovered = n != 0
		case 12:
			h.RemoteAddr, k.Handshake = string(v), h
		case 13:
			h.Path, k.Handshake = string(v), h
		case 14:
			h.RawQuery = string(v)
		case 15:
			h.Headers = append(h.Headers, string(v))
		case 16:
			h.Transport = string(v)
		case 17:
			h.Secure = n != 0
		case 18:
			h.At = time.Unix(0, int64(n))
		}
	})
	return errors.Join(err, inner)
}

// parsePair reads one attribute into attrs.
func parsePair(b []byte, attrs map[string]string, common names) error {
	var name, value string
	err := fields(b, func(field protowire.Number, _ uint64, v []byte) {
		if field == 1 {
			name = common.of(v)
		} else if field == 2 {
			value = string(v)
		}
	})
	attrs[name] = value
	return err
}
