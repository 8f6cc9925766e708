//go:build !linux

package nonblock

// Rouse does nothing: the monitor is awake.
func Rouse() {}
