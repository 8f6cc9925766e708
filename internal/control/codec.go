package control

import (
	"sync"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that ours stands before
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// codec is gRPC's codec for protobuf, but for what streams are full of: deliveries come as the
// bytes they are to be, and replies are read where they lie.
type codec struct{ encoding.CodecV2 }

// inbound is one message of a backend.
type inbound struct {
	kind    inboundKind
	replies convert.Replies      // of kind onlyReplies; good until release
	settled convert.Settled      // of kind onlySettles
	message *pb.SubscribeRequest // of kind anything

	held mem.Buffer // of replies
}

// inboundKind is which part of an inbound counts.
type inboundKind uint8

const (
	anything inboundKind = iota
	onlyReplies
	onlySettles
)

// release ends the use of replies, and of the inbound until it is received into again.
func (m *inbound) release() {
	if m.held != nil {
		m.held.Free()
		m.held = nil
	}
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*inbound)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	m.release()
	buf := data.MaterializeToBuffer(&batchBuffers)
	if m.replies.Parse(buf.ReadOnlyData()) {
		m.kind, m.held = onlyReplies, buf
		return nil
	}
	defer buf.Free()
	if m.settled.Parse(buf.ReadOnlyData()) {
		m.kind = onlySettles
		return nil
	}
	m.kind, m.message = anything, new(pb.SubscribeRequest)
	return proto.Unmarshal(buf.ReadOnlyData(), m.message)
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*convert.Batch)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	wire := b.Wire()
	buf := batchBuffers.Get(len(wire))
	copy(*buf, wire)
	return mem.BufferSlice{mem.NewBuffer(buf, &batchBuffers)}, nil
}

// batchBuffers holds what gRPC has not written yet. Its own pool clears each buffer before it is
// used again; these are overwritten.
var batchBuffers bufferPool

type bufferPool struct{ pool sync.Pool }

// Get implements mem.BufferPool.
func (p *bufferPool) Get(length int) *[]byte {
	if buf, ok := p.pool.Get().(*[]byte); ok && cap(*buf) >= length {
		*buf = (*buf)[:length]
		return buf
	}
	buf := make([]byte, length, max(length, 16<<10))
	return &buf
}

// Put implements mem.BufferPool.
func (p *bufferPool) Put(buf *[]byte) {
	if cap(*buf) <= 1<<20 {
		p.pool.Put(buf)
	}
}
