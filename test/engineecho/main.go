// Command engineecho is a bare Engine.IO server that sends every message back. The official
// Engine.IO suite and test/protocol want one, since below Socket.IO nothing is echoed.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address for clients")
	var cfg engineio.Config
	flag.StringVar(&cfg.Path, "path", "/engine.io/", "path of Engine.IO")
	flag.DurationVar(&cfg.PingInterval, "ping-interval", 300*time.Millisecond, "time between a pong and the next ping")
	flag.DurationVar(&cfg.PingTimeout, "ping-timeout", 200*time.Millisecond, "how long a pong may take")
	flag.Parse()
	cfg.Origins = []string{"*"}

	engine := engineio.NewServer(cfg, echo{}, slog.Default())
	server := &http.Server{Addr: *listen, Handler: engine}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		log.Fatal(err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := engine.Close(ctx); err != nil {
		log.Print(err)
	}
	if err := server.Shutdown(ctx); err != nil {
		log.Print(err)
	}
	<-failed
}

// echo sends every message back.
type echo struct{}

func (echo) Open(*engineio.Socket) {}

func (echo) Upgraded(*engineio.Socket) {}

func (echo) Message(s *engineio.Socket, binary bool, data []byte) {
	if binary {
		s.Queue(engineio.NewBinaryMessage(data), false)
	} else {
		s.Queue(engineio.NewMessage(data, nil), false)
	}
	s.Flush()
}

func (echo) Closed(*engineio.Socket, engineio.Reason) {}
