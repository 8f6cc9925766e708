package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// What the collector lets grow before it runs. An edge's heap is mostly connections that do
// nothing, and the growth is paid for each of them in memory: half of what lives. While little
// lives that would make it run all the time, so it always gets some megabytes: up to gcMostRoom, or
// a sixteenth of the limit, while it runs often none the less, because clients send much. Not while
// what lives grows, because clients come: the garbage between what stays would leave holes that
// nothing fills once they are there. Afterwards the memory goes back: left
// alone, a heap in which nothing happens stays as large as it was.
const (
	gcPercent   = 50
	gcLeastRoom = 4 << 20 // bytes
	gcMostRoom  = 64 << 20
	gcOften     = 500 * time.Millisecond // between runs: then the room doubles
	gcSeldom    = time.Second            // then it halves
	gcGrowth    = 8                      // more by an eighth: what lives has grown
	gcQuiet     = time.Second            // after a run: then what was given is taken back
)

// pace is how the collector was last told to run.
type pace struct {
	most    uint64 // static: how large room may become
	percent int
	room    uint64
	ran     time.Time
	live    uint64 // then
}

func newPace(limit int64) pace {
	most := uint64(gcMostRoom)
	if limit > 0 {
		most = max(min(most, uint64(limit)/16), gcLeastRoom)
	}
	return pace{most: most, percent: gcPercent, room: gcLeastRoom, ran: time.Now()}
}

// tuneGC sets the collector's pace now and after each of its runs, and calls ran then. GOGC in the
// environment wins. limit is that of the process, 0 if it has none. What it starts ends with the
// process.
func tuneGC(limit int64, ran func()) {
	if os.Getenv("GOGC") != "" {
		afterGC(ran)
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var mu sync.Mutex // guards p, and orders what the collector is told
	p := newPace(limit)
	debug.SetGCPercent(p.percent)
	quiet := time.AfterFunc(gcQuiet, func() {
		mu.Lock()
		worth := p.shrink()
		if worth {
			debug.SetGCPercent(p.percent)
		}
		mu.Unlock()
		if worth {
			debug.FreeOSMemory()
		}
	})
	afterGC(func() {
		metrics.Read(live)
		mu.Lock()
		if p.next(time.Now(), live[0].Value.Uint64()) { // each change stops the world
			debug.SetGCPercent(p.percent)
		}
		mu.Unlock()
		quiet.Reset(gcQuiet)
		ran()
	})
}

// afterGC calls f after each run of the collector, on the goroutine of finalizers.
func afterGC(f func()) {
	var again func(*sentinel)
	again = func(*sentinel) {
		f()
		runtime.SetFinalizer(new(sentinel), again)
	}
	runtime.SetFinalizer(new(sentinel), again)
}

// sentinel is garbage at once: the collector calls its finalizer after each run.
type sentinel struct{ _ *sentinel }

// next decides after a run of the collector, which left so many bytes alive, and says whether that
// changes the percent.
func (p *pace) next(now time.Time, live uint64) bool {
	switch since := now.Sub(p.ran); {
	case since < gcOften:
		if live <= p.live+p.live/gcGrowth {
			p.room = min(p.room*2, p.most)
		}
	case since > gcSeldom:
		p.room = max(p.room/2, gcLeastRoom)
	}
	p.ran, p.live = now, live
	percent := max(gcPercent, int(100*p.room/max(live, 1<<20)))
	if percent*10 <= p.percent*11 && percent*11 >= p.percent*10 {
		return false
	}
	p.percent = percent
	return true
}

// shrink takes the room back, and says whether that is worth a run: not if half of what lives is
// more anyway.
func (p *pace) shrink() bool {
	if p.room == gcLeastRoom {
		return false
	}
	worth := p.percent > gcPercent
	p.room, p.percent = gcLeastRoom, gcPercent
	return worth
}
