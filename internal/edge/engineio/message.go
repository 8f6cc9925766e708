package engineio

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
)

// Message is one message for clients: a text packet and the binary packets that belong to it.
// It is encoded once, shared by every Socket it is queued on, and never modified afterwards.
type Message struct {
	frames      []byte   // complete WebSocket frames, unmasked: the text, then each attachment
	text        []byte   // the text packet with its type, as a polling payload carries it; nil if there is none
	attachments [][]byte // parts of frames
	loan        *loan    // what the message is part of; nil: it may be shared
	kept        bool     // somebody else is charged for it
	holders     atomic.Int32
}

// entryBytes is what a message costs a queue beside its own bytes, messageBytes what it costs beside
// them where it is held only there.
const (
	entryBytes   = 16
	messageBytes = 128
)

// Kept says that whoever calls it keeps the message and is charged for it, so that no queue is. It
// comes before the first Queue.
func (m *Message) Kept() { m.kept = true }

// hold notes that one more queue has been left with the message, and returns what that costs: for
// one that is shared, the first pays.
func (m *Message) hold() int {
	if m.kept || m.loan == nil && m.holders.Add(1) > 1 {
		return entryBytes
	}
	return entryBytes + messageBytes + len(m.frames)
}

// letGo is the end of hold, and returns what that frees.
func (m *Message) letGo() int {
	if m.kept || m.loan == nil && m.holders.Add(-1) > 0 {
		return entryBytes
	}
	return entryBytes + messageBytes + len(m.frames)
}

// loan is a message whose memory is used again.
type loan struct {
	m   Message
	buf []byte
}

// loans holds what is not in use, by the size of the buffer: smallLoan at most, or smallLoan<<i.
// A message is thus never lent twice what it needs, unless it is small.
var loans [6]sync.Pool

const smallLoan = 2048

func loanClass(size int) int { return bits.Len(uint(max(size-1, 0) / smallLoan)) }

// borrow returns a loan for a message of about the given size.
func borrow(size int) *loan {
	i := loanClass(size)
	if i >= len(loans) {
		return &loan{}
	}
	if l, ok := loans[i].Get().(*loan); ok {
		return l
	}
	if i == 0 {
		return &loan{buf: make([]byte, 0, 256)} // which grows with what it meets
	}
	return &loan{buf: make([]byte, 0, smallLoan<<i)}
}

// free ends the use of the message.
func (l *loan) free() {
	l.m.frames, l.m.text, l.m.attachments, l.m.loan = nil, nil, nil, nil
	size := cap(l.buf)
	if i := loanClass(size); i == 0 || i < len(loans) && size == smallLoan<<i {
		loans[i].Put(l)
	}
}

// headRoom is the size of the longest header of an unmasked frame.
const headRoom = 10

// frame headers, RFC 6455 section 5.2
const (
	finText   = 0x81
	finBinary = 0x82
	finClose  = 0x88
	finPong   = 0x8a
)

// NewMessage builds the message of one Socket.IO packet and its attachments. It copies both.
func NewMessage(text []byte, attachments [][]byte) *Message {
	m := &Message{}
	m.build(nil, '4', len(text), func(dst []byte) []byte { return append(dst, text...) }, attachments)
	return m
}

// NewMessageFunc is NewMessage for a packet that appendText appends to its argument.
func NewMessageFunc(appendText func(dst []byte) []byte, attachments [][]byte) *Message {
	m := &Message{}
	m.build(nil, '4', 112, appendText, attachments)
	return m
}

// NewMessageOnce is NewMessageFunc for a message that is queued on one Socket, once: whoever has
// queued it must not look at it again. size is about how many bytes appendText appends.
func NewMessageOnce(size int, appendText func(dst []byte) []byte, attachments [][]byte) *Message {
	all := headRoom + 1 + size
	for _, a := range attachments {
		all += headRoom + len(a)
	}
	l := borrow(all)
	l.buf = l.m.build(l.buf, '4', size, appendText, attachments)
	l.m.loan = l
	return &l.m
}

// NewBinaryMessage builds the message of one binary packet alone, for protocols other than
// Socket.IO. It copies data.
func NewBinaryMessage(data []byte) *Message {
	buf := make([]byte, 0, frameHeaderSize(len(data))+len(data))
	buf = append(appendFrameHeader(buf, finBinary, len(data)), data...)
	return &Message{frames: buf, attachments: [][]byte{buf[len(buf)-len(data):]}}
}

// newPacket builds a message of any Engine.IO type.
func newPacket(packet string) *Message {
	m := &Message{}
	m.build(nil, packet[0], len(packet)-1, func(dst []byte) []byte { return append(dst, packet[1:]...) }, nil)
	return m
}

// build makes the message in buf, or in a new one of about the given size, and returns that.
func (m *Message) build(buf []byte, typ byte, size int, appendText func([]byte) []byte, attachments [][]byte) []byte {
	for _, a := range attachments {
		size += headRoom + len(a)
	}
	// The header is written backwards from the text, once the length of the text is known.
	if cap(buf) < headRoom+1+size {
		buf = make([]byte, 0, headRoom+1+size)
	}
	buf = buf[:headRoom+1]
	buf[headRoom] = typ
	buf = appendText(buf)
	textEnd := len(buf)

	if len(attachments) > 0 {
		m.attachments = make([][]byte, len(attachments))
	}
	for _, a := range attachments {
		buf = appendFrameHeader(buf, finBinary, len(a))
		buf = append(buf, a...)
	}
	end := len(buf)
	for i := len(attachments) - 1; i >= 0; i-- {
		n := len(attachments[i])
		m.attachments[i] = buf[end-n : end : end]
		end -= n + frameHeaderSize(n)
	}

	m.text = buf[headRoom:textEnd:textEnd]
	start := headRoom - frameHeaderSize(len(m.text))
	appendFrameHeader(buf[start:start], finText, len(m.text))
	m.frames = buf[start:]
	return buf
}

// Size is what the message costs a queue, in bytes.
func (m *Message) Size() int { return len(m.frames) }

// packets is how many Engine.IO packets the message consists of.
func (m *Message) packets() int {
	if m.text == nil {
		return len(m.attachments)
	}
	return 1 + len(m.attachments)
}

// appendPayload appends the message's packets as elements of a polling payload
// (engine.io-protocol, "HTTP long-polling").
func (m *Message) appendPayload(dst []byte) []byte {
	if m.text != nil {
		dst = append(separate(dst), m.text...)
	}
	for _, a := range m.attachments {
		dst = append(separate(dst), 'b')
		dst = base64.StdEncoding.AppendEncode(dst, a)
	}
	return dst
}

func separate(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	return append(dst, eio.Separator)
}

// payloadSize is the number of bytes appendPayload appends, at most.
func (m *Message) payloadSize() int {
	n := 1 + len(m.text)
	for _, a := range m.attachments {
		n += 2 + base64.StdEncoding.EncodedLen(len(a))
	}
	return n
}

func frameHeaderSize(n int) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	}
	return 10
}

func appendFrameHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
}
