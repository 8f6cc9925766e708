package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/sio-edge/sio-edge/internal/edge/store"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type backupCmd struct {
	remote
	From string `placeholder:"PATH" help:"Copy this store, or the one in this directory, of an edge that does not run. Default: ask the running edge."`
	File string `arg:"" help:"The file to write; it must not be there. - for standard output."`
}

// Help is shown by --help.
func (backupCmd) Help() string {
	return `A copy of the store as it is at one moment, while the edge works on. It is checked, record by record, before
it gets its name; one that is written to standard output is not. For sessions a copy is of use for
recovery-window; for dead letters, what waits for groups and what they retain, as long as those are.

Examples:
  sio-edge backup edge-$(date +%F).db
  sio-edge backup - | zstd > edge.db.zst
  sio-edge backup --from /var/lib/sio-edge edge.db`
}

// Run writes the copy.
func (c *backupCmd) Run() error {
	if c.File != "-" {
		if _, err := os.Lstat(c.File); err == nil {
			return usageError(c.File + ": it is there already")
		}
	}
	if c.From != "" {
		return c.write(c.ofFile)
	}
	done := false
	err := c.call(func(ctx context.Context, conn *grpc.ClientConn) error {
		err := c.write(func(w io.Writer) error { return c.ofEdge(ctx, conn, w) })
		done = err == nil
		return err
	})
	if err == nil && !done {
		return errors.New("backup: interrupted, nothing was written")
	}
	return err
}

// write makes the file under another name, checks it and gives it its name.
func (c *backupCmd) write(copyTo func(io.Writer) error) error {
	if c.File == "-" {
		return copyTo(os.Stdout)
	}
	part := c.File + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(part) // unless it has its name by then
	err = copyTo(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	r, err := store.Inspect(part, nil)
	if err != nil {
		return err
	}
	if !r.Sound {
		return fmt.Errorf("backup: the copy is damaged: %s", r.Faults)
	}
	if err := os.Rename(part, c.File); err != nil {
		return err
	}
	records := 0
	for _, p := range r.Parts {
		records += p.Records
	}
	if c.JSON {
		return printValue(r)
	}
	fmt.Printf("backup -> %s (%s, %s of %s)\n", c.File, weight(uint64(r.Bytes)), plural(uint64(records), "record"), r.EdgeID)
	return nil
}

func (c *backupCmd) ofEdge(ctx context.Context, conn *grpc.ClientConn, w io.Writer) error {
	stream, err := pb.NewAdminServiceClient(conn).Backup(ctx, &pb.BackupRequest{})
	if err != nil {
		return err
	}
	var bar *progress
	done, size := uint64(0), uint64(0)
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) && done == size {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("backup: it ended after %s of %s", weight(done), weight(size))
		}
		if err != nil {
			return err
		}
		if bar == nil {
			size = part.Size
			bar = newProgress("backup", size, bytesOf)
			defer bar.end()
		}
		if _, err := w.Write(part.Data); err != nil {
			return err
		}
		done += uint64(len(part.Data))
		bar.at(done)
	}
}

// ofFile copies the store of an edge that does not run.
func (c *backupCmd) ofFile(w io.Writer) error {
	path := storeIn(c.From)
	r, err := store.Inspect(path, nil)
	if err != nil {
		return err
	}
	if r.InUse {
		return fmt.Errorf("backup %s: %w: without --from the running edge is asked for a copy", path, store.ErrInUse)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	bar := newProgress("backup", uint64(r.Bytes), bytesOf)
	defer bar.end()
	_, err = io.Copy(io.MultiWriter(w, &counted{told: bar.at}), f)
	return err
}

// counted tells how much was written to it.
type counted struct {
	done uint64
	told func(uint64)
}

func (c *counted) Write(b []byte) (int, error) {
	c.done += uint64(len(b))
	c.told(c.done)
	return len(b), nil
}

// storeIn is the store that a path means: itself, or the one in that directory.
func storeIn(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, storeFile)
	}
	return path
}
