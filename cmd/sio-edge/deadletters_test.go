package main

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"sync/atomic"
	"testing"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// Dead letters are listed, delivered again and discarded; seek drops what waits.
func TestDeadLettersAndSeek(t *testing.T) {
	p := startEdge(t)
	edge := sioedge.New(p.control, sioedge.Group("chat"), sioedge.Member("1"), sioedge.MaxAttempts(1), sioedge.Logger(slog.New(slog.DiscardHandler)))
	var works atomic.Bool
	edge.OnConnect(func(ctx context.Context, s *sioedge.Socket) error { return nil })
	edge.On("fail", func(ctx context.Context, s *sioedge.Socket, n int) error {
		if !works.Load() {
			return errors.New("no luck")
		}
		return s.Emit(ctx, "worked", n)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx) }()
	stop := func() {
		cancel()
		<-done
	}
	defer func() { cancel() }()
	eventually(t, "the backend is attached", func() bool {
		return regexp.MustCompile(`chat +1/1`).MatchString(p.run(t, "groups"))
	})
	matches(t, "none", p.run(t, "deadletters", "chat"), `no dead letters of chat\n`)
	a := p.join(t)
	for _, event := range []string{`42["fail",1]`, `42["fail",2]`, `42["fail",3]`} {
		a.send(event)
	}
	var list string
	eventually(t, "three dead letters", func() bool {
		list = p.run(t, "deadletters", "chat")
		return len(regexp.MustCompile(`fail`).FindAllString(list, -1)) >= 3
	})
	row := func(n string) string {
		return ` *(\d+)  \d\d:\d\d:\d\d   ` + regexp.QuoteMeta(shortID(a.sid)) + `  fail \[` + n + `\] +\d  1 .*no luck.*\n`
	}
	form := `\s*OFFSET  SET ASIDE  SID      EVENT     ATTEMPTS  MEMBER  REASON\n` + row("1") + row("2") + row("3")
	found := regexp.MustCompile(`^` + form + `$`).FindStringSubmatch(list)
	if found == nil {
		t.Fatalf("deadletters:\n%s\nwant\n%s", list, form)
	}
	offsets := found[1:]

	works.Store(true)
	matches(t, "redrive", p.run(t, "deadletters", "redrive", "chat", offsets[0], "7"), `chat -> 1 dead letter queued again \(1 not there\)\n`)
	a.want(`42["worked",1`)
	matches(t, "discard", p.run(t, "deadletters", "discard", "chat", offsets[1]), `chat -> 1 dead letter discarded\n`)
	matches(t, "redrive all", p.run(t, "deadletters", "redrive", "chat", "--all"), `chat -> 1 dead letter queued again\n`)
	a.want(`42["worked",3`)
	matches(t, "none are left", p.run(t, "deadletters", "chat", "--json"), ``)

	stop()
	a.send(`42["fail",4]`)
	a.send(`42["fail",5]`)
	eventually(t, "two events wait", func() bool { return regexp.MustCompile(`chat +0/\d +\d +0 +2 `).MatchString(p.run(t, "groups")) })
	matches(t, "seek", p.run(t, "seek", "chat", "--latest", "--yes"), `chat -> now: 2 events dropped, 0 delivered again\n`)

	for _, tt := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"deadletters", "redrive", "chat"}, exitUsage, `sio-edge: which dead letters\? .*\n`},
		{[]string{"deadletters", "nobody"}, exitFailed, `sio-edge: .*nobody.*\n`},
		{[]string{"seek", "chat", "--latest"}, exitUsage, `sio-edge: seek drops what waits: say --yes\n`},
		{[]string{"seek", "chat"}, exitUsage, `sio-edge: .*\n`},
	} {
		code, _, stderr := command(t, append(tt.args, "--control", p.control)...)
		if code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.args, code, tt.code)
		}
		matches(t, tt.args[0], stderr, tt.stderr)
	}
}
