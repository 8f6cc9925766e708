package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What the collector lets grow before it runs. An edge's heap is mostly connections that do
// nothing, and the growth is paid for each of them in memory: half of what lives. While little
// lives that would make it run all the time, so it always gets a few megabytes.
const (
	gcPercent  = 50
	gcHeadroom = 10 << 20 // bytes
)

// tuneGC sets the collector's pace now and after each of its runs. GOGC in the environment wins.
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	current := gcPercent
	debug.SetGCPercent(current)
	var again func(*sentinel)
	again = func(*sentinel) {
		metrics.Read(live)
		percent := max(gcPercent, int(100*gcHeadroom/max(live[0].Value.Uint64(), 1<<20)))
		if percent*10 > current*11 || percent*11 < current*10 { // each change stops the world
			current = percent
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(new(sentinel), again)
	}
	runtime.SetFinalizer(new(sentinel), again)
}

// sentinel is garbage at once: the collector calls its finalizer after each run.
type sentinel struct{ _ *sentinel }
