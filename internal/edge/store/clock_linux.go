package store

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// BootID names the present run of the operating system; empty if it cannot be told.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// SinceBoot is the time since the operating system started, sleep included. Unlike the wall clock
// nobody sets it, so times of a process and of its successor can be compared.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
