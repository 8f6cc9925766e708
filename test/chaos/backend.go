package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	"google.golang.org/grpc"
)

// backend is one process of the application. The run starts it with the words of backendArgs and
// steers it by lines on its standard input: "slow 200ms", "fast", "hush" (emit no more), "quit".
// It says "attached" whenever it is, and "hushed" when all its emits have their results.
type backend struct {
	backendArgs
	edge *sioedge.Edge
	log  *history
	slow atomic.Int64 // what a handler takes, in nanoseconds
	hush chan struct{}

	mu       sync.Mutex     // guards the following
	sessions map[string]int // sids that were opened or seen here, and their clients
	sids     []string       // the same, for picking; may hold some that have gone
}

// backendArgs is what a backend is started with.
type backendArgs struct {
	Addr     string
	Dir      string
	Instance int // of this process, unique in the run
	Member   string
	Clients  int
	Down     float64 // emits received per second that this process is to cause
	Durable  bool
	Backlog  int  // events that may wait for the group; 0: the default
	Alone    bool // each emit is waited for: one of them may be refused
}

func (a backendArgs) String() string {
	return fmt.Sprintf("%s %s %d %s %d %f %t %d %t", a.Addr, a.Dir, a.Instance, a.Member, a.Clients, a.Down, a.Durable, a.Backlog, a.Alone)
}

const (
	roleVariable = "SIO_EDGE_CHAOS_BACKEND"
	groupName    = "chaos"
)

// runRole makes this process a backend if it was started as one.
func runRole() bool {
	words := os.Getenv(roleVariable)
	if words == "" {
		return false
	}
	var a backendArgs
	if _, err := fmt.Sscan(words, &a.Addr, &a.Dir, &a.Instance, &a.Member, &a.Clients, &a.Down, &a.Durable, &a.Backlog, &a.Alone); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(2)
	}
	if err := runBackend(a); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
	return true
}

func runBackend(a backendArgs) error {
	log, err := newHistory(a.Dir, fmt.Sprintf("backend-%d", a.Instance), true)
	if err != nil {
		return err
	}
	defer log.close()
	b := &backend{backendArgs: a, log: log, hush: make(chan struct{}), sessions: make(map[string]int)}
	opts := []sioedge.Option{sioedge.Group(groupName), sioedge.Member(a.Member), sioedge.AckDeadline(10 * time.Second),
		sioedge.Backoff(20*time.Millisecond, 500*time.Millisecond), sioedge.Logger(slog.New(complaints{log})),
		sioedge.DialOptions(grpc.WithChainStreamInterceptor(b.watch))}
	if a.Durable {
		opts = append(opts, sioedge.Durable())
	}
	b.edge = sioedge.New(a.Addr, opts...)
	b.serve()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	emitting := b.emitters(ctx)
	go b.obey(stop, emitting) // ends with the process
	go func() {               // ends with Run
		for status := range b.edge.Status(ctx) {
			if _, ok := status.(sioedge.Attached); ok {
				fmt.Println("attached")
			}
		}
	}()
	err = b.edge.Run(ctx)
	if err == nil {
		log.add("end", "")
	}
	return err
}

// obey does what the run says. The end of the input is the end of the run.
func (b *backend) obey(stop func(), emitting *sync.WaitGroup) {
	var hush sync.Once
	quiet := func() { hush.Do(func() { close(b.hush) }); emitting.Wait() }
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		word, rest, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "slow":
			d, _ := time.ParseDuration(rest)
			b.slow.Store(int64(d))
		case "fast":
			b.slow.Store(0)
		case "hush":
			go func() {
				quiet()
				fmt.Println("hushed")
			}()
		case "quit":
			stop()
			return
		}
	}
	os.Exit(1) // the run was killed
}

func (b *backend) serve() {
	b.edge.OnConnect(func(_ context.Context, s *sioedge.Socket) error {
		var auth struct{ C int }
		if err := s.Auth().Bind(&auth); err != nil {
			return sioedge.Reject(err.Error(), nil)
		}
		if err := s.SetUser(fmt.Sprint("user-", auth.C)); err != nil {
			return err
		}
		if err := s.Set("c", fmt.Sprint(auth.C)); err != nil {
			return err
		}
		return s.Join(roomOf(auth.C, b.Clients))
	})
	b.edge.OnOpen(func(_ context.Context, s *sioedge.Socket) error {
		b.log.add("open", "%s %s", s.ID(), orDash(s.Get("c")))
		b.know(s)
		return nil
	})
	b.edge.OnSuspend(func(_ context.Context, s *sioedge.Socket, _ sioedge.Reason) { b.log.add("suspend", "%s", s.ID()) })
	b.edge.OnResume(func(_ context.Context, s *sioedge.Socket) {
		b.log.add("resume", "%s %t", s.ID(), s.Recovered())
		b.know(s)
	})
	b.edge.OnDisconnect(func(_ context.Context, s *sioedge.Socket, _ sioedge.Reason) {
		b.log.add("close", "%s", s.ID())
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.sessions, s.ID())
	})
	b.edge.On("say", func(ctx context.Context, s *sioedge.Socket, c, k int, text string) (int, error) {
		if d := b.slow.Load(); d > 0 {
			select {
			case <-time.After(time.Duration(d)):
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		if text != pad(fmt.Sprint(c, k)) {
			b.log.add("odd", "%d event %d came with another content", c, k)
		}
		b.log.add("event", "%s %d %d", s.ID(), c, k)
		b.know(s)
		return k, nil
	})
	b.edge.On("ghost", func(_ context.Context, s *sioedge.Socket, c, k int) error {
		b.log.add("ghost", "%s %d %d", s.ID(), c, k)
		return nil
	})
}

// know remembers a session to send to.
func (b *backend) know(s *sioedge.Socket) {
	var c int
	if _, err := fmt.Sscan(s.Get("c"), &c); err != nil {
		b.log.add("bare", "%s", s.ID())
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.sessions[s.ID()]; !known {
		b.sessions[s.ID()] = c
		b.sids = append(b.sids, s.ID())
	}
}

// roomSize is how many clients share a room.
const roomSize = 20

func roomOf(c, clients int) string { return fmt.Sprint("room-", c%max(1, clients/roomSize)) }

// complaints takes what the SDK logs; a command that failed must not happen here.
type complaints struct{ log *history }

func (c complaints) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (c complaints) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	word := "note"
	if r.Message == "command failed" || r.Message == "handler failed" {
		word = "odd"
	}
	c.log.add(word, "- sdk: %s", text)
	return nil
}

func (c complaints) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c complaints) WithGroup(string) slog.Handler      { return c }
