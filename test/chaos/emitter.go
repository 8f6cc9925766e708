package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// emitter emits one after the other, each numbered, to targets of one kind. It is the only one
// who does so under its number, and its room is its own.
type emitter struct {
	b    *backend
	j    int
	kind string
	n    int
	room string
	in   []string // members of room
}

// The kinds of targets, their share of what is received, and how many receive one of them.
func emitterKinds(clients int) []struct {
	kind  string
	share float64
	size  float64
} {
	all := float64(clients)
	return []struct {
		kind  string
		share float64
		size  float64
	}{
		{"sid", 0.2, 1}, {"sid", 0.2, 1}, {"user", 0.1, 1}, {"ask", 0.05, 1},
		{"room", 0.2, min(all, roomSize)}, {"own", 0.1, ownSize}, {"all", 0.1, all}, {"volatile", 0.05, min(all, roomSize)},
	}
}

// ownSize is how many members the rooms have that emitters fill themselves.
const ownSize = 10

// emitters starts all of them. They end when b.hush is closed or ctx ends.
func (b *backend) emitters(ctx context.Context) *sync.WaitGroup {
	var running sync.WaitGroup
	for j, k := range emitterKinds(b.Clients) {
		e := &emitter{b: b, j: j, kind: k.kind, room: fmt.Sprintf("own-%d-%d", b.Instance, j)}
		pause := time.Duration(float64(time.Second) * k.size / (k.share * max(b.Down, 0.001)))
		running.Go(func() { e.run(ctx, pause) })
	}
	return &running
}

// run keeps the pace: after a wait for the edge it does not catch up.
func (e *emitter) run(ctx context.Context, pause time.Duration) {
	for {
		began := time.Now()
		n := e.round(ctx)
		select {
		case <-time.After(time.Until(began.Add(time.Duration(float64(max(n, 1)) * float64(pause) * 2 * rand.Float64())))):
		case <-e.b.hush:
			return
		case <-ctx.Done():
			return
		}
	}
}

// round emits a few times to one target and returns how often. All but the last are not waited
// for: the result of the last is the result of all, for an edge answers in order.
func (e *emitter) round(ctx context.Context) int {
	sid, c, ok := e.b.someone()
	if !ok {
		return 0
	}
	name, burst := "-", 1
	target := e.b.edge.Everyone()
	switch e.kind {
	case "sid", "ask":
		target, name, burst = e.b.edge.ToSockets(sid), sid, 1+rand.IntN(5)
	case "user":
		name = fmt.Sprint("user-", c)
		target = e.b.edge.ToUsers(name)
	case "room":
		name = roomOf(c, e.b.Clients)
		target, burst = e.b.edge.To(name), 1+rand.IntN(4)
	case "own":
		if !e.shuffle(ctx, sid) {
			return 0
		}
		name = e.room
		target, burst = e.b.edge.To(name), 1+rand.IntN(4)
	case "volatile":
		name = roomOf(c, e.b.Clients)
		target = e.b.edge.To(name).Volatile()
	}
	if e.b.Alone {
		burst = 1
	}
	if e.kind == "ask" {
		e.ask(ctx, target, name)
		return 1
	}
	first := e.n + 1
	for range burst - 1 {
		if err := e.emit(ctx, target.NoWait(), name); err != nil {
			return burst
		}
	}
	if err := e.emit(ctx, target, name); err != nil {
		return burst
	}
	for n := first; n <= e.n; n++ {
		e.b.log.add("ok", "%d %d", e.j, n)
	}
	return burst
}

func (e *emitter) emit(ctx context.Context, target sioedge.Target, name string) error {
	e.n++
	e.b.log.add("emit", "%d %d %s %s", e.j, e.n, e.kind, name)
	err := target.Emit(ctx, "n", e.b.Instance, e.j, e.n, e.pad())
	switch {
	case isFull(err):
		e.b.log.add("no", "%d %d", e.j, e.n)
	case err != nil && ctx.Err() == nil:
		e.b.log.add("odd", "- emit %d/%d/%d: %v", e.b.Instance, e.j, e.n, err)
	}
	return err
}

func (e *emitter) pad() string {
	return pad(fmt.Sprint(e.b.Instance) + fmt.Sprint(e.j) + fmt.Sprint(e.n))
}

// ask emits and waits for the client's word. Only then is the emit known to have arrived.
func (e *emitter) ask(ctx context.Context, target sioedge.Target, name string) {
	e.n++
	e.b.log.add("emit", "%d %d %s %s", e.j, e.n, e.kind, name)
	answers, err := target.Timeout(3*time.Second).EmitWithAck(ctx, "n", e.b.Instance, e.j, e.n, e.pad())
	switch {
	case err != nil && ctx.Err() == nil && !errors.Is(err, sioedge.TimedOut) && !isFull(err):
		e.b.log.add("odd", "- ask %d/%d/%d: %v", e.b.Instance, e.j, e.n, err)
	case err == nil && len(answers) > 0 && answers[0].Outcome == sioedge.Acked:
		e.b.log.add("ok", "%d %d", e.j, e.n)
		return
	}
	e.b.log.add("no", "%d %d", e.j, e.n)
}

// isFull says whether the edge has refused to keep an emit, which it does while the disk refuses.
func isFull(err error) bool {
	var refused *sioedge.Error
	return errors.As(err, &refused) && refused.Reason == "STORE_FULL"
}

// shuffle changes who is in the emitter's own room. Every change is waited for: only so are the
// members of every emit known exactly.
func (e *emitter) shuffle(ctx context.Context, sid string) bool {
	for _, member := range e.in {
		if member == sid {
			return true
		}
	}
	if len(e.in) >= ownSize {
		out := e.in[0]
		e.in = e.in[1:]
		e.b.log.add("out", "%d %s", e.j, out)
		if err := e.b.edge.ToSockets(out).Leave(ctx, e.room); err != nil {
			return e.fail(ctx, "leave", err)
		}
	}
	e.in = append(e.in, sid)
	if err := e.b.edge.ToSockets(sid).Join(ctx, e.room); err != nil {
		return e.fail(ctx, "join", err)
	}
	e.b.log.add("in", "%d %s", e.j, sid)
	return true
}

func (e *emitter) fail(ctx context.Context, what string, err error) bool {
	if ctx.Err() == nil {
		e.b.log.add("odd", "- %s of %d/%d: %v", what, e.b.Instance, e.j, err)
	}
	return false
}

// someone is a session of this process, picked at random.
func (b *backend) someone() (sid string, c int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.sids) > 0 {
		i := rand.IntN(len(b.sids))
		sid = b.sids[i]
		if c, ok = b.sessions[sid]; ok {
			return sid, c, true
		}
		b.sids[i] = b.sids[len(b.sids)-1]
		b.sids = b.sids[:len(b.sids)-1]
	}
	return "", 0, false
}
