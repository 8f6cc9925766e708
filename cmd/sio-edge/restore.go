package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sio-edge/sio-edge/internal/edge/store"
)

type restoreCmd struct {
	DataDir string `default:"./data" env:"SIO_EDGE_DATA_DIR" help:"Directory of the store. Also SIO_EDGE_DATA_DIR."`
	Replace bool   `help:"Replace the store that is there; it is kept under another name."`
	JSON    bool   `name:"json" help:"Print JSON for programs, one value a line."`
	File    string `arg:"" help:"What sio-edge backup has written."`
}

// Help is shown by --help.
func (restoreCmd) Help() string {
	return `Puts a backup in place of the store of an edge that does not run. The backup is checked first; one that is
damaged is refused, and so is a store in use. At the next start sessions go on as they were when the backup
was made, as far as their window has not ended; their clients see recovered=false, for what was sent to
them since is not known any more, and backends are told that the log is another.

Examples:
  sio-edge restore edge-2026-11-28.db
  sio-edge restore --data-dir /var/lib/sio-edge --replace edge.db`
}

// Run puts the backup in place.
func (c *restoreCmd) Run() error {
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	path := filepath.Join(c.DataDir, storeFile)
	bar := newProgress("restore", uint64(info.Size()), bytesOf)
	aside, err := store.Restore(c.File, path, c.Replace, func(done int64) { bar.at(uint64(done)) })
	bar.end()
	if errors.Is(err, store.ErrExists) {
		return usageError(err.Error() + ": --replace keeps it under another name")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printValue(map[string]any{"store": path, "bytes": info.Size(), "former": aside})
	}
	note := ""
	if aside != "" {
		note = "; what was there is " + aside
	}
	fmt.Printf("restore -> %s (%s)%s\n", path, weight(uint64(info.Size())), note)
	return nil
}
