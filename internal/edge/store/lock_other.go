//go:build !unix

package store

import (
	"os"
	"time"
)

// lock is left to bbolt.
func lock(*os.File, time.Duration) error { return nil }

func checkOwner(os.FileInfo) error { return nil }
