package store

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// mmapPopulate reads the file ahead when it is opened: without it a cold start crawls from page
// fault to page fault.
const mmapPopulate = syscall.MAP_POPULATE

// forget takes the pages of a map of a file out of the process. Those that are looked at again come
// back, mostly from memory: the system keeps them as it does what is read of any file.
func forget(data uintptr, size int64) {
	unix.Syscall(unix.SYS_MADVISE, data, uintptr(size), unix.MADV_DONTNEED)
}
