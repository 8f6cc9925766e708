package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What the collector lets grow before it runs. An edge's heap is mostly connections that do
// nothing, and the growth is paid for each of them in memory: half of what lives. While little
// lives that would make it run all the time, so it always gets some megabytes: up to gcMostRoom
// as long as it runs all the time none the less, since clients send much.
const (
	gcPercent  = 50
	gcRoom     = 10 << 20 // bytes
	gcMostRoom = 64 << 20
	gcOften    = 50 * time.Millisecond // between runs: then the room doubles
	gcSeldom   = 500 * time.Millisecond
)

// pace is how the collector was last told to run.
type pace struct {
	percent int
	room    uint64
	ran     time.Time
}

// tuneGC sets the collector's pace now and after each of its runs, and calls ran then. GOGC in the
// environment wins.
func tuneGC(ran func()) {
	tuned := os.Getenv("GOGC") == ""
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	p := pace{percent: gcPercent, room: gcRoom, ran: time.Now()}
	if tuned {
		debug.SetGCPercent(p.percent)
	}
	var again func(*sentinel)
	again = func(*sentinel) {
		metrics.Read(live)
		before := p.percent
		p.next(time.Now(), live[0].Value.Uint64())
		if tuned && p.percent != before { // each change stops the world
			debug.SetGCPercent(p.percent)
		}
		ran()
		runtime.SetFinalizer(new(sentinel), again)
	}
	runtime.SetFinalizer(new(sentinel), again)
}

// next decides after a run of the collector, which left so many bytes alive.
func (p *pace) next(now time.Time, live uint64) {
	switch since := now.Sub(p.ran); {
	case since < gcOften:
		p.room = min(p.room*2, gcMostRoom)
	case since > gcSeldom:
		p.room = max(p.room/2, gcRoom)
	}
	p.ran = now
	percent := max(gcPercent, int(100*p.room/max(live, 1<<20)))
	if percent*10 > p.percent*11 || percent*11 < p.percent*10 {
		p.percent = percent
	}
}

// sentinel is garbage at once: the collector calls its finalizer after each run.
type sentinel struct{ _ *sentinel }
