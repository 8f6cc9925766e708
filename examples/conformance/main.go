// Command conformance is the backend that the official Socket.IO protocol suite expects, and some
// more events for load tools: echo and bcast.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

func main() {
	addr := flag.String("edge", "127.0.0.1:7070", "address of the edge for backends")
	group := flag.String("group", "conformance", "group of this backend")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	edge := sioedge.New(*addr, sioedge.Group(*group))
	for _, name := range []string{"/", "/custom"} {
		serve(edge.Of(name))
	}
	if err := edge.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func serve(n *sioedge.Namespace) {
	n.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		return s.Emit(ctx, "auth", s.Auth())
	})
	n.On("message", func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) error {
		return s.NoWait().Emit(ctx, "message-back", args)
	})
	n.On("message-with-ack", echo)
	n.On("echo", echo)
	n.On("bcast", func(ctx context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
		return args.Slice(0, 1), n.Emit(ctx, "bcast", args)
	})
}

func echo(_ context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
	return args, nil
}
