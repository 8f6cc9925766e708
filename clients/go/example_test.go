package sioedge_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// Message is what clients say.
type Message struct {
	Text  string `json:"text"`
	Image []byte `json:"image,omitempty"` // binary on both sides
}

func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	edge := sioedge.New("127.0.0.1:7070", sioedge.Group("chat"))
	edge.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		if s.Auth().String("token") == "" {
			return sioedge.Reject("not authorized", nil)
		}
		return s.Join("lobby")
	})
	edge.On("say", func(ctx context.Context, s *sioedge.Socket, msg Message) error {
		return edge.To("lobby").Except(s.ID()).Emit(ctx, "said", msg)
	})
	edge.On("sum", func(ctx context.Context, s *sioedge.Socket, a, b int) (int, error) { return a + b, nil })
	edge.OnDisconnect(func(ctx context.Context, s *sioedge.Socket, why sioedge.Reason) { log.Println(s.ID(), why) })
	if err := edge.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// An answer that takes time is given by hand: the socket's next event does not wait for it.
func ExampleAck() {
	edge := sioedge.New("127.0.0.1:7070")
	edge.On("render", func(ctx context.Context, s *sioedge.Socket, page string, ack sioedge.Ack) error {
		go func() {
			picture := []byte("…")
			ack(picture)
		}()
		return nil
	})
}

// Everything is forwarded as it came: no argument is decoded.
func ExampleArgs() {
	edge := sioedge.New("127.0.0.1:7070")
	edge.On("echo", func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
		return args, nil
	})
}

func ExampleArgs_Bind() {
	args := sioedge.Args{JSON: []byte(`["ann",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{[]byte("png")}}
	var name string
	var image []byte
	if err := args.Bind(&name, &image); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s sent %s\n", name, image)
	// Output: ann sent png
}

// Every recipient has an outcome of its own.
func ExampleTarget_EmitWithAck() {
	edge := sioedge.New("127.0.0.1:7070")
	answers, err := edge.To("team").Timeout(5*time.Second).EmitWithAck(context.Background(), "ready?")
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		var ready bool
		if a.Outcome == sioedge.Acked && a.Args.Bind(&ready) == nil && ready {
			continue
		}
		log.Printf("%s is not ready: %v", a.SID, a.Outcome)
	}
}

// The connection to the edge can be watched.
func ExampleEdge_Status() {
	edge := sioedge.New("127.0.0.1:7070")
	for status := range edge.Status(context.Background()) {
		switch status := status.(type) {
		case sioedge.Attached:
			log.Printf("attached to %s: %s", status.EdgeID, status.Resume)
		case sioedge.Lost:
			log.Printf("lost, again in %s: %v", status.Retry, status.Err)
		}
	}
}
