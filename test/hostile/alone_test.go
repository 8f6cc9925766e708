package hostile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// window is how long the sessions of attackers wait for them: shorter than what a test waits for
// everything to be gone.
const window = "3s"

// target runs the edge that the rows are for, with a backend.
func target(t *testing.T, more ...string) *edge {
	t.Helper()
	e := start(t, append([]string{"--namespaces", "/,/open-*", "--recovery-window", window, "--trusted-proxies", "127.0.0.9/32",
		"--cors-origin", "https://good.example,https://*.wild.example"}, more...)...)
	e.backend(t)
	return e
}

// warmUp has the edge begin what it begins with the first clients.
func (e *edge) warmUp(t *testing.T) {
	t.Helper()
	for range 8 { // more than there are loops that read
		l := e.webSocket(t, true)
		l.wantAlive()
		l.Close()
	}
}

// backend attaches a backend for "/": it lets in who does not say "bad", answers echo with its
// arguments, ask with what the client answered, and says every other event back as heard.
func (e *edge) backend(t *testing.T) {
	t.Helper()
	b := sioedge.New(e.control, sioedge.Group("hostile"), sioedge.Member("1"), sioedge.Logger(slog.New(slog.DiscardHandler)),
		sioedge.DrainTimeout(time.Second), sioedge.Concurrency(4096))
	b.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
		if s.Auth().String("token") == "bad" {
			return sioedge.Reject("Not authorized", nil)
		}
		s.SetUser(s.Auth().String("user"))
		return nil
	})
	b.On("echo", func(ctx context.Context, s *sioedge.Socket, args sioedge.Args) (sioedge.Args, error) {
		return args, nil
	})
	b.On("where", func(ctx context.Context, s *sioedge.Socket) (string, error) { return s.Handshake().RemoteAddr, nil })
	b.On("tellall", func(ctx context.Context, s *sioedge.Socket, n int, text string) error {
		for i := range n {
			if err := b.Everyone().NoWait().Emit(ctx, "told", i, text); err != nil {
				return err
			}
		}
		return nil
	})
	b.On("kick", func(ctx context.Context, s *sioedge.Socket) error { return s.Disconnect(false) })
	b.On("ask", func(ctx context.Context, s *sioedge.Socket) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		args, err := s.EmitWithAck(ctx, "question")
		if err != nil {
			return err.Error(), nil
		}
		var answer string
		args.Bind(&answer)
		return answer, nil
	})
	b.OnAny(func(ctx context.Context, s *sioedge.Socket, name string, args sioedge.Args) error {
		switch name {
		case "echo", "where", "kick", "ask", "tellall":
			return nil
		}
		return s.NoWait().Emit(ctx, "heard", name, args)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("backend: %v", err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); e.metric(t, "sioedge_group_members") == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the backend is not attached within 10 s")
		}
	}
}

// TestRows plays each row, and wants it counted, once, under a label of the closed lists.
func TestRows(t *testing.T) {
	t.Parallel() // with everything but the crowd
	e := target(t)
	e.warmUp(t)
	before := e.footprint(t)
	labels := slices.Sorted(maps.Keys(e.refusals(t)))
	for _, r := range rows() {
		if r.slow || r.apart {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			was := e.refusals(t)
			r.play(t, e)
			if r.count == "any" {
				return
			}
			var got string
			for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
				now := e.refusals(t)
				if r.besides != "" {
					now[r.besides] = was[r.besides]
				}
				if got = since(was, now); got == sorted(r.count) {
					return
				}
			}
			t.Errorf("counted %q, want %q", got, r.count)
		})
	}
	now := e.refusals(t)
	if got := slices.Sorted(maps.Keys(now)); !slices.Equal(got, labels) || now["other/other"] != 0 {
		t.Errorf("counted under the labels %q, of which %q are known, and %d times under none", got, labels, now["other/other"])
	}
	e.settles(t, before, 24<<20)
	e.wantCleanLog(t)
}

// TestRowsThatWait plays the rows that wait for time to pass, together.
func TestRowsThatWait(t *testing.T) {
	t.Parallel()
	e := target(t)
	e.warmUp(t)
	before := e.footprint(t)
	together(t, e, func(r row) bool { return r.slow && !r.apart })
	e.settles(t, before, 24<<20)
	e.wantCleanLog(t)
}

// TestRowsApart plays the rows that need an edge of their own.
func TestRowsApart(t *testing.T) {
	t.Parallel()
	together(t, nil, func(r row) bool { return r.apart })
}

// together plays rows at once, however few tests may run in parallel: they do next to nothing.
func together(t *testing.T, e *edge, which func(row) bool) {
	var playing sync.WaitGroup
	for _, r := range rows() {
		if which(r) {
			playing.Go(func() { t.Run(r.name(), func(t *testing.T) { r.play(t, e) }) })
		}
	}
	playing.Wait()
}

// wantCleanLog fails if a line is longer than what a peer may put there, or holds what it sent
// without quotes.
func (e *edge) wantCleanLog(t *testing.T) {
	t.Helper()
	control := regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f]`)
	for line := range strings.Lines(e.log.String()) {
		if len(line) > 2048 || control.MatchString(line) {
			t.Errorf("a line of the log: %.300q", line)
		}
	}
}
