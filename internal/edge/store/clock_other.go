//go:build !linux

package store

import "time"

// BootID names the present run of the operating system; empty: it cannot be told.
func BootID() string { return "" }

// SinceBoot is the time since the operating system started, where that can be told.
func SinceBoot() time.Duration { return 0 }
