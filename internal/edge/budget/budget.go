// Package budget knows how much memory clients make an edge hold, before it is allocated, and how
// near that is to the limit of the process.
//
// Whoever holds memory for a client charges it here first and frees it when it lets go: a few
// atomic additions for each buffer that lasts, none for a message that only passes. What nobody
// charges (the runtime, tables, goroutines of others) is seen by Observe after each run of the
// collector.
//
// A nil *Budget has room for everything and counts nothing.
package budget

import (
	"sync"
	"sync/atomic"
)

// Kind is what memory is held for.
type Kind uint8

// The kinds.
const (
	Strangers Kind = iota // connections that have not joined a namespace
	Clients               // connections that have
	Kernel                // what the system holds for a connection, beside our own
	Input                 // what arrived and is not complete: bodies, messages in parts, attachments
	Queues                // what waits for clients that do not take it
	Log                   // packets kept for clients that are away
	Backlog               // events that wait for backends
	kinds
)

var names = [kinds]string{"strangers", "clients", "kernel", "input", "queues", "log", "backlog"}

// String is the name of the kind in logs and metrics.
func (k Kind) String() string { return names[k] }

// Kinds are all of them.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Level is how short memory is, and so what is shed.
type Level int32

// The levels.
const (
	Roomy Level = iota
	Tight       // from 80 %: no new connections, no volatile emits, replay slowed
	Short       // from 90 %: the largest queues are closed, then idle polls; backends' queues are full
	Spent       // from 95 %: no new emits that must be kept
	levels
)

var levelNames = [levels]string{"roomy", "tight", "short", "spent"}

// String is the name of the level in logs and metrics.
func (l Level) String() string { return levelNames[l] }

// Levels are all of them.
func Levels() []Level { return []Level{Roomy, Tight, Short, Spent} }

// Where the levels begin, and how far usage must fall for them to end, in percent of Budget.Room.
var (
	begin = [levels]int64{0, 80, 90, 95}
	end   = [levels]int64{0, 76, 86, 92}
)

// Shed is something that was given up because memory ran short.
type Shed uint8

// What can be shed, in the order in which it is.
const (
	ShedVolatile Shed = iota // recipients of a volatile emit
	ShedReplay               // resumes that have to come again later
	ShedQueue                // clients with much waiting for them
	ShedPacket               // packets kept for clients that are away
	ShedPoll                 // waiting GETs
	ShedEmit                 // emits that must be kept
	sheds
)

var shedNames = [sheds]string{"volatile", "replay", "queue", "packet", "poll", "emit"}

// String is its name in metrics.
func (s Shed) String() string { return shedNames[s] }

// Sheds are all of them.
func Sheds() []Shed {
	all := make([]Shed, sheds)
	for i := range all {
		all[i] = Shed(i)
	}
	return all
}

// Config is what a Budget is told.
type Config struct {
	// Limit is all memory that the process may hold, in bytes. Garbage is what of it the collector
	// has for what it has not found yet: clients share the rest. Default of Garbage: nothing.
	Limit, Garbage int64
	// Strangers, Queues, Log and Backlog bound the kinds of these names, in bytes. Defaults: 10, 40,
	// 30 and 40 % of Limit.
	Strangers, Queues, Log, Backlog int64
}

// Budget is the one accountant of a process. All methods may be called concurrently.
type Budget struct {
	// Static after New.
	limit  int64        // Config.Limit
	room   int64        // of it, for what is held
	shares [kinds]int64 // 0: no bound of its own

	used  [kinds]padded
	total atomic.Int64 // the sum of used
	over  atomic.Int64 // what Observe saw beyond the sum
	level atomic.Int32
	// rise and fall are the totals at which level is no longer right.
	rise, fall atomic.Int64

	shed [sheds]atomic.Uint64

	signal chan struct{} // holds a token after a change of level and after a share was exceeded

	mu     sync.Mutex // guards the following, and the writing of level, rise and fall
	raised [levels]uint64
}

// padded keeps counters that different floors write apart.
type padded struct {
	n atomic.Int64
	_ [56]byte
}

// New returns a Budget in which nothing is used.
func New(cfg Config) *Budget {
	b := &Budget{limit: cfg.Limit, room: cfg.Limit - cfg.Garbage, signal: make(chan struct{}, 1)}
	share := func(k Kind, own int64, percent int64) {
		if own == 0 {
			own = cfg.Limit / 100 * percent
		}
		b.shares[k] = own
	}
	share(Strangers, cfg.Strangers, 10)
	share(Queues, cfg.Queues, 40)
	share(Log, cfg.Log, 30)
	share(Backlog, cfg.Backlog, 40)
	b.boundsLocked(Roomy)
	return b
}

// Limit is Config.Limit.
func (b *Budget) Limit() int64 { return b.limit }

// Room is what of the limit there is for what is held, garbage not counted. The levels are parts of it.
func (b *Budget) Room() int64 { return b.room }

// Share is the bound of a kind, 0 if it has none of its own.
func (b *Budget) Share(k Kind) int64 { return b.shares[k] }

// Take charges n bytes, or nothing if they do not fit: into the share of the kind, or into what
// is left of the room.
func (b *Budget) Take(k Kind, n int) bool {
	if b == nil {
		return true
	}
	now := b.used[k].n.Add(int64(n))
	if share := b.shares[k]; share > 0 && now > share || b.total.Add(int64(n))+b.over.Load() > b.room {
		b.used[k].n.Add(-int64(n))
		if share == 0 || now <= share {
			b.total.Add(-int64(n))
		}
		b.wake()
		return false
	}
	b.check()
	return true
}

// Add charges n bytes that are there already, whether they fit or not.
func (b *Budget) Add(k Kind, n int) {
	if b == nil || n == 0 {
		return
	}
	now := b.used[k].n.Add(int64(n))
	b.total.Add(int64(n))
	if share := b.shares[k]; share > 0 && now > share {
		b.wake()
	}
	b.check()
}

// Free takes back a charge of n bytes.
func (b *Budget) Free(k Kind, n int) { b.Add(k, -n) }

// Move makes a charge one of another kind.
func (b *Budget) Move(from, to Kind, n int) {
	if b == nil {
		return
	}
	b.used[from].n.Add(-int64(n))
	b.used[to].n.Add(int64(n))
}

// Full reports whether a kind has used up its share, or memory is short.
func (b *Budget) Full(k Kind) bool {
	if b == nil {
		return false
	}
	share := b.shares[k]
	return share > 0 && b.used[k].n.Load() >= share || b.Level() >= Short
}

// Excess is how much a kind holds beyond its share.
func (b *Budget) Excess(k Kind) int64 {
	if b == nil || b.shares[k] == 0 {
		return 0
	}
	return max(b.used[k].n.Load()-b.shares[k], 0)
}

// Level says how short memory is. It costs one load.
func (b *Budget) Level() Level {
	if b == nil {
		return Roomy
	}
	return Level(b.level.Load())
}

// Used is what a kind holds.
func (b *Budget) Used(k Kind) int64 {
	if b == nil {
		return 0
	}
	return b.used[k].n.Load()
}

// Total is all that is charged, and Overhead what the process holds beyond that.
func (b *Budget) Total() int64 {
	if b == nil {
		return 0
	}
	return b.total.Load()
}

// Overhead is what Observe saw that nobody charged.
func (b *Budget) Overhead() int64 { return b.over.Load() }

// Raised is how often each level began.
func (b *Budget) Raised(l Level) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.raised[l]
}

// Shed counts what was given up. It may be called where no budget is.
func (b *Budget) Shed(what Shed, n int) {
	if b != nil {
		b.shed[what].Add(uint64(n))
	}
}

// WasShed is how much of it was given up.
func (b *Budget) WasShed(what Shed) uint64 { return b.shed[what].Load() }

// Observe is told what the process itself holds: live after a run of the collector, stacks and the
// runtime's own included, the system's share not.
func (b *Budget) Observe(live int64) {
	b.over.Store(max(live-(b.total.Load()-b.used[Kernel].n.Load()), 0))
	b.mu.Lock()
	b.boundsLocked(Level(b.level.Load()))
	b.mu.Unlock()
	b.check()
}

// Changed has a value when the level has changed, or a share was exceeded, since it was read last.
func (b *Budget) Changed() <-chan struct{} { return b.signal }

func (b *Budget) wake() {
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// check sees to it that the level is right.
func (b *Budget) check() {
	if now := b.total.Load(); now < b.rise.Load() && now >= b.fall.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.total.Load() + b.over.Load()
	was := Level(b.level.Load())
	now := was
	for now+1 < levels && used >= b.room/100*begin[now+1] {
		now++
	}
	for now > Roomy && used < b.room/100*end[now] {
		now--
	}
	b.boundsLocked(now)
	if now == was {
		return
	}
	b.level.Store(int32(now))
	if now > was {
		b.raised[now]++
	}
	b.wake()
}

// boundsLocked sets when check has to look again.
func (b *Budget) boundsLocked(l Level) {
	over := b.over.Load()
	rise := int64(1<<63 - 1)
	if l+1 < levels {
		rise = b.room/100*begin[l+1] - over
	}
	fall := -int64(1<<63 - 1)
	if l > Roomy {
		fall = b.room/100*end[l] - over
	}
	b.rise.Store(rise)
	b.fall.Store(fall)
}
