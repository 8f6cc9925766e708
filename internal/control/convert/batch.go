package convert

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Batch is a SubscribeResponse with deliveries, written as bytes right away: the messages of one
// event are many small objects, and most of the edge's work beside system calls was making,
// measuring and walking them. The zero value is ready; its memory is reused after Reset.
type Batch struct {
	b    []byte
	life []byte // what one event of a session's life says
}

// The numbers of the fields in event_service.proto and event.proto that are written here. The
// tests compare with what the generated code makes of the same events.
const (
	responseDeliveries protowire.Number = 2
	batchDelivery      protowire.Number = 1
	deliveryID         protowire.Number = 1
	deliveryAttempt    protowire.Number = 2
	deliveryEvent      protowire.Number = 3
	deliveryTrace      protowire.Number = 4
	eventOffset        protowire.Number = 1
	eventSid           protowire.Number = 2
	eventNamespace     protowire.Number = 3
	eventSeq           protowire.Number = 4
	eventPrevSeq       protowire.Number = 5
	eventReceivedAt    protowire.Number = 6
	eventClientEvent   protowire.Number = 15
	timestampSeconds   protowire.Number = 1
	timestampNanos     protowire.Number = 2
	clientEvent        protowire.Number = 1
	clientPayload      protowire.Number = 2
	clientWantsReply   protowire.Number = 3
	clientNumericName  protowire.Number = 4
	payloadJSON        protowire.Number = 1
	payloadAttachments protowire.Number = 2
	sizeOfHead                          = 11 // a tag and the longest length
)

// Reset empties the batch.
func (b *Batch) Reset() { b.b = append(b.b[:0], make([]byte, sizeOfHead)...) }

// Wire returns the message. It is good until the next Reset.
func (b *Batch) Wire() []byte {
	if len(b.b) == 0 {
		return nil
	}
	size := len(b.b) - sizeOfHead
	var head [sizeOfHead]byte
	h := protowire.AppendVarint(protowire.AppendTag(head[:0], responseDeliveries, protowire.BytesType), uint64(size))
	start := sizeOfHead - len(h)
	copy(b.b[start:], h)
	return b.b[start:]
}

// Add appends a delivery, with its traceparent unless that is empty.
func (b *Batch) Add(id uint64, attempt uint32, offset, prevSeq uint64, ev *socketio.Event, traceParent string) {
	if len(b.b) == 0 {
		b.Reset()
	}
	var kind []byte // of an event of a session's life, with its tag
	if ev.Kind != socketio.ClientEvent {
		b.life = appendLife(b.life[:0], ev)
		kind = b.life
	}
	payload := sizeBytes(len(ev.Args))
	for _, a := range ev.Attachments {
		payload += 1 + sizeOpened(len(a))
	}
	client := sizeBytes(len(ev.Name)) + 1 + sizeOpened(payload) +
		sizeFlag(ev.WantsReply) + sizeFlag(ev.NumericName)
	seconds, nanos := uint64(ev.At.Unix()), uint64(ev.At.Nanosecond())
	at := sizeVarint(seconds) + sizeVarint(nanos)
	event := sizeVarint(offset) + sizeBytes(len(ev.Socket.SID)) + sizeBytes(len(ev.Socket.Nsp.Name)) +
		sizeVarint(ev.Seq) + sizeVarint(prevSeq) + 1 + sizeOpened(at)
	if kind != nil {
		event += len(kind)
	} else {
		event += 1 + sizeOpened(client)
	}
	delivery := sizeVarint(id) + sizeVarint(uint64(attempt)) + 1 + sizeOpened(event) + sizeBytes(len(traceParent))

	w := slices.Grow(b.b, delivery+sizeOfHead)
	w = openMessage(w, batchDelivery, delivery)
	w = appendVarint(w, deliveryID, id)
	w = appendVarint(w, deliveryAttempt, uint64(attempt))
	w = openMessage(w, deliveryEvent, event)
	w = appendVarint(w, eventOffset, offset)
	w = appendText(w, eventSid, ev.Socket.SID)
	w = appendText(w, eventNamespace, ev.Socket.Nsp.Name)
	w = appendVarint(w, eventSeq, ev.Seq)
	w = appendVarint(w, eventPrevSeq, prevSeq)
	w = openMessage(w, eventReceivedAt, at)
	w = appendVarint(w, timestampSeconds, seconds)
	w = appendVarint(w, timestampNanos, nanos)
	if kind != nil {
		b.b = appendText(append(w, kind...), deliveryTrace, traceParent)
		return
	}
	w = openMessage(w, eventClientEvent, client)
	w = appendText(w, clientEvent, ev.Name)
	w = openMessage(w, clientPayload, payload)
	if len(ev.Args) > 0 {
		w = append(openMessage(w, payloadJSON, len(ev.Args)), ev.Args...)
	}
	for _, a := range ev.Attachments {
		w = append(openMessage(w, payloadAttachments, len(a)), a...)
	}
	w = appendFlag(w, clientWantsReply, ev.WantsReply)
	w = appendFlag(w, clientNumericName, ev.NumericName)
	b.b = appendText(w, deliveryTrace, traceParent)
}

// Fields with their zero value are not written, as in generated code. All numbers here are below
// 16, so that a tag is one byte.

func sizeVarint(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func sizeBytes(size int) int {
	if size == 0 {
		return 0
	}
	return 1 + sizeOpened(size)
}

// sizeOpened is the size of a message of the given size with its length.
func sizeOpened(size int) int {
	if size < 0x80 {
		return 1 + size
	}
	return protowire.SizeBytes(size)
}

func sizeFlag(v bool) int {
	if !v {
		return 0
	}
	return 2
}

func tag(n protowire.Number, t protowire.Type) byte { return byte(n)<<3 | byte(t) }

// appendLength appends what is mostly one byte.
func appendLength(b []byte, size int) []byte {
	if size < 0x80 {
		return append(b, byte(size))
	}
	return appendNumber(b, uint64(size))
}

func appendNumber(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// openMessage begins a message of a known size within another.
func openMessage(b []byte, n protowire.Number, size int) []byte {
	return appendLength(append(b, tag(n, protowire.BytesType)), size)
}

func appendVarint(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendNumber(append(b, tag(n, protowire.VarintType)), v)
}

func appendText(b []byte, n protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return append(openMessage(b, n, len(v)), v...)
}

func appendFlag(b []byte, n protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return append(b, tag(n, protowire.VarintType), 1)
}
