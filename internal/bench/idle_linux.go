package bench

import (
	"context"
	"runtime"
	"time"
)

// idle only answers heartbeats.
type idle struct{}

func (idle) start(context.Context, *load) error         { return nil }
func (idle) message(l *load, _ *conn, _ byte, _ []byte) { l.wrong++ }
func (idle) tick(*load, time.Time)                      {}
func (idle) outstanding(*load) uint64                   { return 0 }

// measureIdle measures the memory of connections that do nothing, and the CPU of their heartbeats.
func measureIdle(ctx context.Context, t Target, s Scenario, o Options) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoad(t, idle{})
	if err != nil {
		return Result{}, err
	}
	defer l.close()
	before := memory(t.PID)
	if err := l.connect(ctx, s.Connections()); err != nil {
		return Result{}, err
	}
	if err := l.run(ctx, 2*time.Second, nil); err != nil {
		return Result{}, err
	}
	cpu, beats := cpuTime(t.PID), l.heartbeats
	if err := l.run(ctx, o.Hold, nil); err != nil {
		return Result{}, err
	}
	cpu = cpuTime(t.PID) - cpu
	r := Result{Scenario: s.String(), Connections: len(l.conns), Done: l.heartbeats - beats, Wrong: l.wrong, Dropped: l.dropped}
	r.count(o.Hold.Seconds(), cpu, nil)
	if t.PID != 0 {
		r.Bytes = float64(memory(t.PID)-before) / float64(s.Connections())
	}
	if r.Done > 0 {
		r.Micros = cpu / float64(r.Done) * 1e6
	}
	return r, nil
}
