package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// notifyReloading says since when, so that the manager knows for which READY it waits.
func notifyReloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
	}
}
