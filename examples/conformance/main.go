// Command conformance is the backend that the official Socket.IO protocol suite expects, and some
// more events for load tools: echo, bcast, join and room.
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
	member := flag.String("member", "", "name of this process within its group; default: the host's name")
	greet := flag.Bool("greet", true, "decide about every client and greet it with its auth; otherwise only be told of it")
	observe := flag.Bool("observe", false, "take every event and answer none, beside another group that does")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	options := []sioedge.Option{sioedge.Group(*group)}
	if *member != "" {
		options = append(options, sioedge.Member(*member))
	}
	edge := sioedge.New(*addr, options...)
	for _, name := range []string{"/", "/custom"} {
		n := edge.Of(name)
		switch {
		case *observe:
			n.OnAny(func(context.Context, *sioedge.Socket, string, sioedge.Args) error { return nil })
			continue
		case *greet:
			n.OnConnect(func(ctx context.Context, s *sioedge.Socket) error { return s.Emit(ctx, "auth", s.Auth()) })
		default:
			n.OnOpen(func(context.Context, *sioedge.Socket) error { return nil })
		}
		serve(n)
	}
	if err := edge.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func serve(n *sioedge.Namespace) {
	n.On("message", func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) error {
		return s.NoWait().Emit(ctx, "message-back", args)
	})
	n.On("message-with-ack", echo)
	n.On("echo", echo)
	n.On("bcast", func(ctx context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
		return args.Slice(0, 1), n.Emit(ctx, "bcast", args)
	})
	n.On("join", func(_ context.Context, s *sioedge.Socket, rooms []string) (int, error) {
		return len(rooms), s.Join(rooms...)
	})
	n.On("room", func(ctx context.Context, _ *sioedge.Socket, args sioedge.Args) error {
		var room string
		if err := args.Bind(&room); err != nil {
			return err
		}
		return n.To(room).NoWait().Emit(ctx, "room", args)
	})
}

func echo(_ context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
	return args, nil
}
