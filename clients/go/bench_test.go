package sioedge_test

import (
	"context"
	"fmt"
	"testing"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// BenchmarkEcho is one event with a callback through the SDK and back, edge's side of the stream
// included. Batches are of 64 events of as many sockets.
func BenchmarkEcho(b *testing.B) {
	for _, handler := range []struct {
		name string
		fn   any
	}{
		{"args", func(_ context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) { return args, nil }},
		{"typed", func(_ context.Context, _ *sioedge.Socket, n int, text string) (string, error) { return text, nil }},
	} {
		b.Run(handler.name, func(b *testing.B) {
			f := newFakeEdge(b)
			e := newEdge(f)
			e.On("echo", handler.fn)
			run(b, e)
			s := f.accept(fresh)
			const batch = 64
			events := make([]*pb.Event, batch)
			b.ReportAllocs()
			for i := range events {
				events[i] = asking(fmt.Sprint("sid", i), "echo", `[12345,"hello, this is an ordinary message"]`)
			}
			for b.Loop() {
				for _, ev := range events {
					ev.Offset = 0 // a new one
				}
				s.deliver(1, events...)
				for range events {
					<-s.replies
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/event")
		})
	}
}
