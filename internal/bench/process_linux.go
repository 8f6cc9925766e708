package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU seconds that a process has used, its system time and ended threads
// included; 0 for no process.
func cpuTime(pid int) float64 {
	if pid == 0 {
		return 0
	}
	var ts unix.Timespec
	clock := int32(^pid)<<3 | 2 // the process's clock, see clock_getcpuclockid(3)
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0
	}
	return float64(ts.Nano()) / 1e9
}

// memory is the proportional set size of a process in bytes; 0 for no process.
func memory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			kb, _ := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}
