package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// memoryLimit is how much the process may hold: what was asked for, or nine tenths of what the
// container or the machine has. The rest is for what the system holds for the process and nobody
// counts. 0: it cannot be told.
func (s settings) memoryLimit() int64 {
	if s.MemoryLimit > 0 {
		return int64(s.MemoryLimit)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
			return n
		}
	}
	machine, err := memlimit.FromSystem()
	if err != nil {
		machine = math.MaxInt64
	}
	n := machine
	if container, err := memlimit.FromCgroup(); err == nil {
		n = min(n, container)
	}
	if n >= math.MaxInt64 {
		return 0
	}
	return int64(n) / 10 * 9
}

// mostGarbage is how much of the limit clients do not get. The collector is told to keep to half of
// it: in a burst it finds less than is made, and what it does not keep to must not end the process.
const mostGarbage = 64 << 20

// newBudget is the accountant of the process, nil if there is no limit that it could keep to.
func (s settings) newBudget() *budget.Budget {
	n := s.memoryLimit()
	if n == 0 {
		return nil
	}
	return budget.New(budget.Config{Limit: n, Garbage: min(mostGarbage, n/4), Strangers: int64(s.StrangerMemory), Queues: int64(s.QueueMemory),
		Log: int64(s.LogMemory), Backlog: int64(s.BacklogMemory)})
}

// memory checks the keys that bound it against each other.
func (l *loader) memory(s settings) {
	limit := s.memoryLimit()
	if limit == 0 || l.faulty["memory-limit"] {
		return
	}
	shown := fmt.Sprintf("memory-limit, %d MiB", limit>>20)
	for key, n := range map[string]size{"stranger-memory": s.StrangerMemory, "queue-memory": s.QueueMemory,
		"log-memory": s.LogMemory, "backlog-memory": s.BacklogMemory} {
		if int64(n) > limit {
			l.fault(key, "at most "+shown)
		}
	}
	if int64(s.MaxPayload) > limit/8 {
		l.fault("max-payload", "at most an eighth of "+shown)
	}
	if int64(s.QueueBytes) > limit/8 {
		l.fault("queue-bytes", "at most an eighth of "+shown)
	}
	if r := s.MessageBytesPerSecond; r > 0 && 4*r < s.MaxPayload {
		l.fault("message-bytes-per-second", "at least a quarter of max-payload, "+l.merged.String("max-payload")+" (one message would take more than 4s)")
	}
	if s.RequestsPerSecond > 0 && s.MessagesPerSecond > 0 && s.RequestsPerSecond < s.MessagesPerSecond/64 {
		l.fault("requests-per-second", "at least a 64th of messages-per-second, "+l.merged.String("messages-per-second")+" (a polling client could not send them)")
	}
}

// reader tells the budget what the process holds, after each run of the collector, and the
// collector what it may hold.
type reader struct {
	budget  *budget.Budget
	limit   int64 // that the collector keeps to; 0: GOMEMLIMIT in the environment wins
	samples []metrics.Sample
}

func newReader(b *budget.Budget) *reader {
	r := &reader{budget: b}
	for _, name := range []string{"/gc/heap/live:bytes", "/memory/classes/total:bytes", "/memory/classes/heap/objects:bytes",
		"/memory/classes/heap/free:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/released:bytes"} {
		r.samples = append(r.samples, metrics.Sample{Name: name})
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		r.limit = r.whole()
		debug.SetMemoryLimit(r.limit)
	}
	return r
}

// read is called after each run of the collector.
func (r *reader) read() {
	metrics.Read(r.samples)
	bytes := func(i int) int64 { return int64(r.samples[i].Value.Uint64()) }
	r.budget.Observe(bytes(0) + bytes(1) - bytes(2) - bytes(3) - bytes(4) - bytes(5))
	if r.limit == 0 {
		return
	}
	// The system's share is no garbage: the collector has to keep below what is left.
	whole := r.whole()
	limit := max(whole-r.budget.Used(budget.Kernel), whole/2)
	if d := limit - r.limit; d > whole/64 || -d > whole/64 {
		r.limit = limit
		debug.SetMemoryLimit(limit)
	}
}

// whole is what the collector may let the process hold if the system held nothing for it.
func (r *reader) whole() int64 { return (r.budget.Limit() + r.budget.Room()) / 2 }

// keeper gives up what it must while memory runs short.
type keeper struct {
	budget  *budget.Budget
	engine  *engineio.Server
	sockets *socketio.Server
	groups  *group.Groups
	log     *slog.Logger

	told      budget.Level
	polls     time.Time // when they were sent away last
	collected uint32    // runs of the collector when it was looked last
	looked    time.Time
}

// shedEvery is how often the keeper looks again while something is short.
const shedEvery = 100 * time.Millisecond

// run keeps the process within its budget until ctx ends.
func (k *keeper) run(ctx context.Context) {
	again := time.NewTimer(shedEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.budget.Changed():
		case <-again.C:
		}
		if k.relieve() {
			again.Reset(shedEvery)
		}
	}
}

// relieve gives up what is too much now, and says whether it has to look again.
func (k *keeper) relieve() (again bool) {
	b := k.budget
	level := b.Level()
	k.tell(level)
	need := int64(0)
	if level >= budget.Short {
		need = b.Total() + b.Overhead() - b.Room()/100*85
	}
	if excess := b.Excess(budget.Queues); excess > 0 || need > 0 {
		polls := need > 0 && time.Since(k.polls) > 5*time.Second
		closed, sentAway := k.engine.Shed(max(excess, need), polls)
		b.Shed(budget.ShedQueue, closed)
		b.Shed(budget.ShedPoll, sentAway)
		if sentAway > 0 {
			k.polls = time.Now()
		}
	}
	excess := b.Excess(budget.Log)
	if level >= budget.Spent {
		excess = max(excess, b.Total()+b.Overhead()-b.Room()/100*90)
	}
	if excess > 0 {
		k.sockets.Shorten(excess)
	}
	k.groups.Relieve()
	if level == budget.Roomy {
		return b.Full(budget.Backlog) || b.Excess(budget.Queues) > 0 || b.Excess(budget.Log) > 0
	}
	k.collect()
	return true
}

// collect runs the collector if it does not run by itself: what was given up would not be noticed.
func (k *keeper) collect() {
	if time.Since(k.looked) < time.Second {
		return
	}
	k.looked = time.Now()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.NumGC == k.collected {
		runtime.GC()
		m.NumGC++
	}
	k.collected = m.NumGC
}

var given = map[budget.Level]string{
	budget.Tight: "new clients and volatile emits are refused",
	budget.Short: "new clients and volatile emits are refused, clients with much waiting for them are closed, clients that send are not read",
	budget.Spent: "new clients, and emits of every kind, are refused; clients with much waiting for them are closed, clients that send are not read",
}

// tell logs a change of level, once.
func (k *keeper) tell(level budget.Level) {
	if level == k.told {
		return
	}
	b := k.budget
	attrs := []any{"used_mib", (b.Total() + b.Overhead()) >> 20, "room_mib", b.Room() >> 20, "other_mib", b.Overhead() >> 20}
	for _, kind := range budget.Kinds() {
		attrs = append(attrs, kind.String()+"_mib", b.Used(kind)>>20)
	}
	switch {
	case level > k.told:
		k.log.Warn("memory is "+level.String()+": "+given[level]+"; those connected stay", attrs...)
	case level == budget.Roomy:
		k.log.Info("memory is roomy again: clients are let in", attrs...)
	}
	k.told = level
}

// degraded says what does not work for want of memory.
func degraded(b *budget.Budget) error {
	level := b.Level()
	if level == budget.Roomy {
		return nil
	}
	return errors.New("memory is " + level.String() + ": " + given[level])
}
