package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// fault is something that happens to the system.
type fault struct {
	name string
	do   func(ctx context.Context) error
}

// faults lets happen what the plan asks for, in an order and at times that the seed decides.
func (w *world) faults(ctx context.Context) error {
	var all []fault
	add := func(n int, f fault) {
		for range n {
			all = append(all, f)
		}
	}
	add(w.Kills, fault{"SIGKILL", w.killEdge})
	add(w.Terms, fault{"SIGTERM", w.termEdge})
	others := append(w.others(), w.diskFaults()...)
	usual := slices.DeleteFunc(slices.Clone(others), func(f fault) bool { return f.name == "drop" }) // each kill is one
	for i := range w.Others {
		all = append(all, usual[i%len(usual)])
	}
	for _, f := range others {
		add(w.Also[f.name], f)
	}
	if w.Away > 0 {
		all = append(all, fault{"away", w.away})
	}
	w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	began := time.Now()
	for i, f := range all {
		gap := w.GapMin + time.Duration(w.rng.Int64N(int64(w.GapMax-w.GapMin)+1))
		select {
		case <-time.After(gap):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := f.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if w.Back > 0 {
			w.wait(ctx, time.Minute, func() bool { return w.pool.connected() == w.Clients })
		}
		w.say("%7.1fs %3d/%d %s (%d clients in)", time.Since(began).Seconds(), i+1, len(all), f.name, w.pool.connected())
	}
	return nil
}

// others are the faults that do not end the edge.
func (w *world) others() []fault {
	return []fault{
		{"backend", w.killBackend},
		{"reset", func(context.Context) error { w.proxy.reset(); return nil }},
		{"cut", func(context.Context) error { w.pool.some(w.rng, 0.2, (*client).cut); return nil }},
		{"drop", func(context.Context) error { w.pool.some(w.rng, 1, (*client).cut); return nil }},
		{"leave", func(context.Context) error { w.pool.some(w.rng, 0.05, (*client).leave); return nil }},
		{"vanish", func(context.Context) error {
			w.pool.some(w.rng, 0.05, func(c *client) { w.busy.Go(c.vanish) })
			return nil
		}},
		{"slow", func(context.Context) error {
			m := w.members[w.rng.IntN(len(w.members))]
			m.tell("slow 300ms")
			w.busy.Go(func() {
				time.Sleep(3 * time.Second)
				m.tell("fast")
			})
			return nil
		}},
		{"stall", func(context.Context) error { w.proxy.stall(time.Second); return nil }},
	}
}

func (w *world) killEdge(ctx context.Context) error {
	w.edge.kill()
	w.log.add("kill", "")
	return w.again(ctx)
}

func (w *world) termEdge(ctx context.Context) error {
	w.terminate()
	return w.again(ctx)
}

func (w *world) terminate() {
	code, took := w.edge.terminate()
	w.log.add("term", "%d %d", code, took.Nanoseconds())
}

func (w *world) again(ctx context.Context) error {
	took, err := w.edge.start(ctx)
	w.log.add("ready", "%d", took.Nanoseconds())
	return err
}

func (w *world) killBackend(context.Context) error {
	i := w.rng.IntN(len(w.members))
	w.loseBackend(w.members[i])
	return w.spawn(i)
}

func (w *world) loseBackend(m *member) {
	m.kill()
	w.log.add("dead", "%d", m.instance)
}

// away takes all backends away for a time, in the middle of which the edge is killed if edges are
// killed at all.
func (w *world) away(ctx context.Context) error {
	w.log.add("away", "")
	for _, m := range w.members {
		w.loseBackend(m)
	}
	for _, then := range []func(context.Context) error{w.killEdge, func(context.Context) error { return nil }} {
		select {
		case <-time.After(w.Away / 2):
		case <-ctx.Done():
			return ctx.Err()
		}
		if w.Kills == 0 {
			continue
		}
		if err := then(ctx); err != nil {
			return err
		}
	}
	w.log.add("back", "")
	for i := range w.members {
		if err := w.spawn(i); err != nil {
			return err
		}
	}
	return nil
}
