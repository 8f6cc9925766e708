//go:build unix

package main

import "golang.org/x/sys/unix"

// descriptors is how many files the process may have open; 0: it cannot be told.
func descriptors() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(uint64(r.Cur), 1<<31))
}
