package main

import (
	"context"
	"os"
	"strconv"
	"time"
)

// watchdog tells the service manager, if it asks (sd_watchdog_enabled(3)), that the edge is alive,
// twice in each of its intervals, until ctx ends. alive takes the locks that an edge cannot do
// without: one that hangs is restarted.
func watchdog(ctx context.Context, alive func()) {
	every := watchdogInterval(os.Getenv, os.Getpid()) / 2
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			alive()
			notify("WATCHDOG=1")
		}
	}
}

// watchdogInterval is how often the manager wants to hear; 0: it does not.
func watchdogInterval(env func(string) string, pid int) time.Duration {
	if meant := env("WATCHDOG_PID"); meant != "" && meant != strconv.Itoa(pid) {
		return 0
	}
	us, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}
