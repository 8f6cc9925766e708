// Command chat is the backend of a small chat. It keeps nothing: who is where is known to the edge,
// so that it can be killed and started again at any time. The page is in public.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

func main() {
	addr := flag.String("edge", "127.0.0.1:7070", "address of the edge for backends")
	member := flag.String("member", "chat-1", "name of this process within the group chat")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	edge := sioedge.New(*addr, sioedge.Group("chat"), sioedge.Member(*member), sioedge.Logger(log))
	c := &chat{edge: edge, log: log}
	c.register()
	if err := edge.Run(ctx); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	log.SetFlags(0)
	log.Fatalf("chat: %v", err)
}
