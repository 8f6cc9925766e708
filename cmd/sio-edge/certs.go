package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/control/access/authority"
)

type certsCmd struct {
	Dir     string   `default:"certs" placeholder:"DIR" help:"Where they go. An authority that is there signs the new ones; nothing is replaced."`
	Host    []string `placeholder:"NAME" help:"Names and addresses under which the edge is dialled. May be repeated. Default: localhost, 127.0.0.1 and ::1."`
	Days    int      `default:"90" help:"How long certificates last; the authority lasts ten times as long."`
	JSON    bool     `name:"json" help:"Print JSON for programs, one value a file."`
	Callers []string `arg:"" optional:"" name:"caller" help:"Callers: the names that the access file lists under certificates."`
}

// Help is shown by --help.
func (certsCmd) Help() string {
	return `For tests, and where there is no other authority: ca.crt and ca.key, edge.crt and edge.key, and a pair for each
caller. Keep ca.key off the edge: whoever has it can be any caller.

Examples:
  sio-edge certs --host edge.example chat cron
  sio-edge certs --dir certs shop`
}

// Run makes certificates.
func (c certsCmd) Run() error {
	lasts := time.Duration(c.Days) * 24 * time.Hour
	if c.Days < 1 || c.Days > 3650 {
		return usageError("--days: 1 to 3650")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	ca, err := c.authority(lasts)
	if err != nil {
		return err
	}
	hosts := c.Host
	if len(hosts) == 0 {
		hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	if !c.has("edge.crt") {
		pair, err := ca.Server(hosts, lasts)
		if err != nil {
			return err
		}
		if err := c.write("edge", pair); err != nil {
			return err
		}
	}
	for _, name := range c.Callers {
		file := strings.Map(func(r rune) rune {
			if strings.ContainsRune(`/\:`, r) {
				return '-'
			}
			return r
		}, name)
		if slices.Contains([]string{"ca", "edge"}, file) || strings.HasPrefix(file, ".") {
			return usageError(fmt.Sprintf("%s: another name, that one has a file already", name))
		}
		pair, err := ca.Caller(lasts, name)
		if err != nil {
			return err
		}
		if err := c.write(file, pair); err != nil {
			return err
		}
	}
	return nil
}

func (c certsCmd) has(name string) bool {
	_, err := os.Lstat(filepath.Join(c.Dir, name))
	return err == nil
}

// authority is the one that is there, or a new one.
func (c certsCmd) authority(lasts time.Duration) (*authority.Authority, error) {
	cert, err := os.ReadFile(filepath.Join(c.Dir, "ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		ca, err := authority.New("sio-edge", 10*lasts)
		if err != nil {
			return nil, err
		}
		return ca, c.write("ca", ca.Pair())
	}
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(c.Dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	return authority.Load(authority.Pair{Cert: cert, Key: key})
}

func (c certsCmd) write(name string, p authority.Pair) error {
	for _, f := range []struct {
		name string
		mode fs.FileMode
		data []byte
	}{{name + ".key", 0o600, p.Key}, {name + ".crt", 0o644, p.Cert}} {
		path := filepath.Join(c.Dir, f.name)
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		if err != nil {
			return err
		}
		_, err = file.Write(f.data)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if c.JSON {
			if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"file": path}); err != nil {
				return err
			}
			continue
		}
		fmt.Println(path)
	}
	return nil
}
