// Command backend does what the end-to-end tests ask of a backend. A client says what to do with
// the event
//
//	cmd {"op": name, …}, binary or null
//
// and learns the outcome by its acknowledgement. The table in commands.go has the operations;
// reference.mjs has the same for the official server. Besides, it answers message and
// message-with-ack as examples/conformance does, and decides about clients as auth.decide says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

func main() {
	address := flag.String("edge", "127.0.0.1:7070", "the edge's address for backends")
	member := flag.String("member", "e2e", "the name of this process")
	hold := flag.Bool("hold", false, "never finish the handler of the event count")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	b := &backend{edge: sioedge.New(*address, sioedge.Group("e2e"), sioedge.Member(*member)), hold: *hold}
	for _, name := range []string{"/", "/custom"} {
		b.serve(b.edge.Of(name))
	}
	if err := b.edge.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// backend is the state behind the handlers.
type backend struct {
	edge *sioedge.Edge
	hold bool

	mu        sync.Mutex // guards the following field
	histories map[string][]entry
}

// entry is something that happened to a socket.
type entry struct {
	SID    string         `json:"sid"`
	Kind   string         `json:"kind"`
	Reason sioedge.Reason `json:"reason,omitempty"`
	Rooms  []string       `json:"rooms"`
}

// decision is what a client asks to be decided about it, as auth.decide.
type decision struct {
	Reject *struct {
		Message string
		Data    any
	}
	User       string
	Rooms      []string
	Attributes map[string]string
	Greeting   [][]json.RawMessage
}

func (b *backend) serve(n *sioedge.Namespace) {
	n.OnConnect(b.decide)
	n.OnOpen(func(_ context.Context, s *sioedge.Socket) error {
		b.record(s, "opened", "")
		return nil
	})
	n.OnSuspend(func(_ context.Context, s *sioedge.Socket, why sioedge.Reason) { b.record(s, "suspended", why) })
	n.OnResume(func(_ context.Context, s *sioedge.Socket) { b.record(s, "resumed", "") })
	n.OnDisconnect(func(_ context.Context, s *sioedge.Socket, why sioedge.Reason) { b.record(s, "closed", why) })

	n.On("message", func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) error {
		return s.NoWait().Emit(ctx, "message-back", args)
	})
	n.On("message-with-ack", func(_ context.Context, _ *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
		return args, nil
	})
	n.On("fail", func(context.Context, *sioedge.Socket) error { return errors.New("no luck") })
	n.On("count", func(ctx context.Context, s *sioedge.Socket, i int) (int, error) {
		if b.hold {
			fmt.Println("holding", s.ID(), i)
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return i, s.NoWait().Emit(ctx, "counted", i)
	})
	n.On("cmd", func(ctx context.Context, s *sioedge.Socket, c command, binary []byte) (any, error) {
		outcome, err := b.run(ctx, n, s, c, binary)
		if err != nil {
			return map[string]string{"error": reason(err)}, nil // an answer, not a failure of the handler
		}
		return outcome, nil
	})
}

func (b *backend) decide(ctx context.Context, s *sioedge.Socket) error {
	var auth struct {
		Label  string
		Decide decision
	}
	if err := s.Auth().Bind(&auth); err != nil {
		return sioedge.Reject(err.Error(), nil)
	}
	if r := auth.Decide.Reject; r != nil {
		return sioedge.Reject(r.Message, r.Data)
	}
	if auth.Decide.User != "" {
		if err := s.SetUser(auth.Decide.User); err != nil {
			return err
		}
	}
	for key, value := range auth.Decide.Attributes {
		if err := s.Set(key, value); err != nil {
			return err
		}
	}
	if err := s.Set("label", auth.Label); err != nil {
		return err
	}
	if len(auth.Decide.Rooms) > 0 {
		if err := s.Join(auth.Decide.Rooms...); err != nil {
			return err
		}
	}
	for _, event := range auth.Decide.Greeting {
		var name string
		if err := json.Unmarshal(event[0], &name); err != nil {
			return err
		}
		if err := s.Emit(ctx, name, values(event[1:])...); err != nil {
			return err
		}
	}
	return s.Emit(ctx, "auth", s.Auth())
}

// record notes what happened to the socket under the label that its client chose.
func (b *backend) record(s *sioedge.Socket, kind string, why sioedge.Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.histories == nil {
		b.histories = make(map[string][]entry)
	}
	label := s.Get("label")
	b.histories[label] = append(b.histories[label], entry{s.ID(), kind, why, s.Rooms()})
}
