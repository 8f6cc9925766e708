package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/store"
)

// checkStoreCmd reads all of a store file. A damaged one can end or hang the process that opens
// it, so the edge starts this process for it when the last one did not close the file.
type checkStoreCmd struct {
	File string `arg:"" help:"The file."`
}

// Run reads the file.
func (c checkStoreCmd) Run() error { return store.Check(c.File) }

// checkTimeout bounds the check: a damaged file can keep its reader busy for ever.
const checkTimeout = 30 * time.Second

func checkStore(path string) error {
	self, err := os.Executable()
	if err != nil {
		return nil // the check is a precaution, not a condition
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "check-store", path)
	var exit *exec.ExitError
	out, err := cmd.CombinedOutput()
	if errors.As(err, &exit) {
		return fmt.Errorf("the file failed its check: %.200s", out)
	}
	return nil
}
