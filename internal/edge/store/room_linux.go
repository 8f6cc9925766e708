package store

import "golang.org/x/sys/unix"

// room is how many bytes a file system has and how many of them are free for this process. Zeros
// mean that it cannot be told.
func room(dir string) (total, free uint64) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, 0
	}
	return st.Blocks * uint64(st.Bsize), st.Bavail * uint64(st.Bsize)
}
