package control

import (
	"sync"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that ours stands before
	"google.golang.org/grpc/mem"

	"github.com/sio-edge/sio-edge/internal/control/convert"
)

// codec is gRPC's codec for protobuf, but for deliveries: they come as the bytes they are to be.
type codec struct{ encoding.CodecV2 }

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
