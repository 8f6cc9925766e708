// Command go plays the backend's half of the conformance cases with the Go SDK. See ../README.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// part is what a backend does: for each thing that happens, what to do about it.
type part struct {
	Namespace  string
	Connect    []action
	Disconnect []action
	On         map[string][]action
	Told       map[string][]action
}

// action is one thing to do; the fields that are absent are nil.
type action struct {
	Emit, Ask   string
	Tell        string          // asks the other members
	Args        json.RawMessage // of Emit, Ask and Tell
	To          json.RawMessage // "self", "everyone" or rooms; default "self"
	ToUsers     []string
	Except      []string // rooms; "self" is the client
	Timeout     int      // of Ask and Tell, in milliseconds
	Join, Leave json.RawMessage
	Set         map[string]string
	User        string
	Reject      *string
	Data        json.RawMessage // of Reject
	Disconnect  bool
	Reply, Note json.RawMessage
	Fail        int // fail while it has been tried less often
	Exit        int // end the process in this life of it
	Wait        int // milliseconds
}

type backend struct {
	edge   *sioedge.Edge
	member string
	life   int

	mu    sync.Mutex // guards the following field and what is printed
	tries map[string]int
}

func main() {
	address := flag.String("edge", "", "the edge's address for backends")
	group := flag.String("group", "", "the group")
	member := flag.String("member", "", "the name of this process")
	life := flag.Int("life", 1, "how often this process has been started")
	file := flag.String("part", "", "the file with what to do")
	flag.Parse()
	text, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	var p part
	if err := json.Unmarshal(text, &p); err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	edge := sioedge.New(*address, sioedge.Group(*group), sioedge.Member(*member),
		sioedge.Logger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	b := &backend{edge: edge, member: *member, life: *life, tries: map[string]int{}}
	b.serve(p)
	go func() {
		for status := range edge.Status(ctx) {
			if _, ok := status.(sioedge.Attached); ok {
				b.print(map[string]any{"attached": true})
			}
		}
	}()
	if err := edge.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func (b *backend) print(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		log.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Printf("%s\n", text)
}

func (b *backend) serve(p part) {
	n := b.edge.Of(p.Namespace)
	if p.Connect != nil {
		n.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
			_, err := b.run(ctx, p.Connect, &scene{backend: b, namespace: n, socket: s, what: "connect"})
			return err
		})
	}
	n.OnDisconnect(func(ctx context.Context, s *sioedge.Socket, why sioedge.Reason) {
		_, err := b.run(ctx, p.Disconnect, &scene{backend: b, namespace: n, socket: s, what: "disconnect", reason: why})
		if err != nil {
			log.Fatal(err)
		}
	})
	for name, actions := range p.Told {
		n.OnTold(name, func(ctx context.Context, _ string, args sioedge.Args) (any, error) {
			reply, err := b.run(ctx, actions, &scene{backend: b, namespace: n, what: name, args: args})
			if reply == nil || err != nil {
				return nil, err
			}
			list, err := values(*reply)
			return list[0], err
		})
	}
	for name, actions := range p.On {
		n.On(name, func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
			reply, err := b.run(ctx, actions, &scene{backend: b, namespace: n, socket: s, what: name, args: args})
			if reply == nil {
				return sioedge.Args{}, err
			}
			return *reply, err
		})
	}
}
