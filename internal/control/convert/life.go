package convert

import (
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// The numbers of the fields in event.proto and session.proto that a Batch writes for the events of a
// session's life.
const (
	eventConnectRequested protowire.Number = 10
	eventOpened           protowire.Number = 11
	eventSuspended        protowire.Number = 12
	eventResumed          protowire.Number = 13
	eventClosed           protowire.Number = 14

	requestHandshake  protowire.Number = 1
	requestAuth       protowire.Number = 2
	requestAnswerBy   protowire.Number = 3
	requestResuming   protowire.Number = 4
	requestUserID     protowire.Number = 5
	requestAttributes protowire.Number = 6

	openedSession protowire.Number = 1
	openedAuth    protowire.Number = 2

	suspendedReason protowire.Number = 1
	suspendedUntil  protowire.Number = 2

	resumedReplayed protowire.Number = 1
	resumedComplete protowire.Number = 2
	resumedSession  protowire.Number = 3
	resumedAuth     protowire.Number = 4

	closedReason  protowire.Number = 1
	closedDetail  protowire.Number = 2
	closedSession protowire.Number = 3

	sessionSid        protowire.Number = 1
	sessionNamespace  protowire.Number = 2
	sessionConnection protowire.Number = 3
	sessionUserID     protowire.Number = 4
	sessionAttributes protowire.Number = 5
	sessionRooms      protowire.Number = 6
	sessionState      protowire.Number = 7
	sessionOpenedAt   protowire.Number = 8
	sessionRevision   protowire.Number = 9
	sessionHandshake  protowire.Number = 10
	sessionTransport  protowire.Number = 11
	sessionRecovered  protowire.Number = 12
	sessionAuth       protowire.Number = 13

	handshakeRemoteAddr protowire.Number = 1
	handshakePath       protowire.Number = 2
	handshakeQuery      protowire.Number = 3
	handshakeHeaders    protowire.Number = 4
	handshakeTransport  protowire.Number = 5
	handshakeSecure     protowire.Number = 6
	handshakeIssuedAt   protowire.Number = 7

	mapKey   protowire.Number = 1
	mapValue protowire.Number = 2
)

// appendLife appends what an event of a session's life says, as a field of Event.
func appendLife(b []byte, ev *socketio.Event) []byte {
	l := ev.Life
	var at int
	switch ev.Kind {
	case socketio.ConnectRequested:
		b, at = begin(b, eventConnectRequested)
		b = appendHandshake(b, requestHandshake, l.Handshake)
		b = appendBytes(b, requestAuth, l.Auth)
		b = appendTime(b, requestAnswerBy, l.AnswerBy)
		b = appendFlag(b, requestResuming, l.Resuming)
		if l.Identity != nil {
			b = appendText(b, requestUserID, l.Identity.Subject)
			b = appendMap(b, requestAttributes, l.Identity.Attributes)
		}
	case socketio.Opened:
		b, at = begin(b, eventOpened)
		b = appendSession(b, openedSession, &l.Session)
		b = appendBytes(b, openedAuth, l.Auth)
	case socketio.Suspended:
		b, at = begin(b, eventSuspended)
		b = appendVarint(b, suspendedReason, uint64(reasons[l.Reason]))
		b = appendTime(b, suspendedUntil, l.Until)
	case socketio.Resumed:
		b, at = begin(b, eventResumed)
		b = appendVarint(b, resumedReplayed, uint64(l.Replayed))
		b = appendFlag(b, resumedComplete, l.Complete)
		b = appendSession(b, resumedSession, &l.Session)
		b = appendBytes(b, resumedAuth, l.Auth)
	case socketio.Closed:
		b, at = begin(b, eventClosed)
		b = appendVarint(b, closedReason, uint64(reasons[l.Reason]))
		b = appendText(b, closedDetail, string(l.Reason))
		b = appendSession(b, closedSession, &l.Session)
	default:
		return b
	}
	return end(b, at)
}

func appendSession(b []byte, n protowire.Number, s *socketio.Session) []byte {
	b, at := begin(b, n)
	b = appendText(b, sessionSid, s.SID)
	b = appendText(b, sessionNamespace, s.Namespace)
	b = appendText(b, sessionConnection, s.Connection)
	b = appendText(b, sessionUserID, s.UserID)
	b = appendMap(b, sessionAttributes, s.Attributes)
	for _, r := range s.Rooms {
		b = append(openMessage(b, sessionRooms, len(r)), r...)
	}
	b = appendVarint(b, sessionState, uint64(states[s.State]))
	b = appendTime(b, sessionOpenedAt, s.OpenedAt)
	b = appendVarint(b, sessionRevision, s.Revision)
	b = appendHandshake(b, sessionHandshake, s.Handshake)
	b = appendText(b, sessionTransport, s.Transport)
	b = appendFlag(b, sessionRecovered, s.Recovered)
	b = appendText(b, sessionAuth, s.Auth)
	return end(b, at)
}

func appendHandshake(b []byte, n protowire.Number, h *engineio.Handshake) []byte {
	if h == nil {
		return b
	}
	b, at := begin(b, n)
	b = appendText(b, handshakeRemoteAddr, h.RemoteAddr)
	b = appendText(b, handshakePath, h.Path)
	b = appendQuery(b, h.RawQuery)
	for i := 0; i+1 < len(h.Headers); i += 2 {
		b = appendEntry(b, handshakeHeaders, h.Headers[i], strings.ToValidUTF8(h.Headers[i+1], "\uFFFD"))
	}
	b = appendText(b, handshakeTransport, h.Transport)
	b = appendFlag(b, handshakeSecure, h.Secure)
	b = appendTime(b, handshakeIssuedAt, h.At)
	return end(b, at)
}

// appendQuery is query on the wire: of entries with the same key the last counts there as well.
func appendQuery(b []byte, raw string) []byte {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		key, wrong := url.QueryUnescape(key)
		value, wrongToo := url.QueryUnescape(value)
		if pair == "" || strings.Contains(pair, ";") || wrong != nil || wrongToo != nil {
			continue
		}
		b = appendEntry(b, handshakeQuery, strings.ToValidUTF8(key, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD"))
	}
	return b
}

func appendMap(b []byte, n protowire.Number, m map[string]string) []byte {
	for k, v := range m {
		b = appendEntry(b, n, k, v)
	}
	return b
}

// appendEntry appends an entry of a map. Both of its fields are written even if they are empty.
func appendEntry(b []byte, n protowire.Number, key, value string) []byte {
	b = openMessage(b, n, 1+sizeOpened(len(key))+1+sizeOpened(len(value)))
	b = append(openMessage(b, mapKey, len(key)), key...)
	return append(openMessage(b, mapValue, len(value)), value...)
}

func appendTime(b []byte, n protowire.Number, t time.Time) []byte {
	seconds, nanos := uint64(t.Unix()), uint64(t.Nanosecond())
	b = openMessage(b, n, sizeVarint(seconds)+sizeVarint(nanos))
	return appendVarint(appendVarint(b, timestampSeconds, seconds), timestampNanos, nanos)
}

func appendBytes(b []byte, n protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return append(openMessage(b, n, len(v)), v...)
}

// begin begins a message within another whose size is not known yet; end ends it. at is where it
// begins.
func begin(b []byte, n protowire.Number) (_ []byte, at int) {
	b = append(b, tag(n, protowire.BytesType), 0)
	return b, len(b)
}

func end(b []byte, at int) []byte {
	size := len(b) - at
	if size < 0x80 {
		b[at-1] = byte(size)
		return b
	}
	more := protowire.SizeVarint(uint64(size)) - 1
	b = append(b, make([]byte, more)...)
	copy(b[at+more:], b[at:at+size])
	appendNumber(b[:at-1], uint64(size))
	return b
}
