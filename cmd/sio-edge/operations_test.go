package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A group is paused and resumed from the command line, and what was refused is explained.
func TestPauseAndRefused(t *testing.T) {
	p := startEdge(t)
	matches(t, "nothing", p.run(t, "refused"), `nothing was refused since the edge started\n`)
	p.get(t, p.clients+"/socket.io/?EIO=3&transport=polling")
	matches(t, "refused", p.run(t, "refused"), `LAST      COUNT  LAYER  REASON   MEANING\n\d\d:\d\d:\d\d      1  http   version  Engine.IO 3: a client of version 2; .*\n`)
	matches(t, "refused --json", p.run(t, "refused", "--json"), `\{"layer":"http","reason":"version","count":"1","lastAt":".*","meaning":"Engine.*"\}\n`)

	release := p.backend(t)
	defer release()
	a := p.join(t)
	matches(t, "pause", p.run(t, "groups", "pause", "chat"), `chat -> paused: .*sio-edge groups resume chat\n`)
	a.send(`420["sum",1,2]`)
	eventually(t, "the event waits", func() bool {
		return regexp.MustCompile(`chat   1/1      1         0          1 `).MatchString(p.run(t, "groups"))
	})
	matches(t, "groups", p.run(t, "groups"), `.*group chat: paused; sio-edge groups resume chat delivers again\n`)
	matches(t, "resume", p.run(t, "groups", "resume", "chat"), `chat -> resumed\n`)
	a.want(`430[3]`)
	code, _, stderr := command(t, "groups", "pause", "nobody", "--control", p.control)
	if code != exitFailed || !strings.Contains(stderr, "no such group") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// A running edge is copied, ended and started again from the copy: its clients are who they were
// when it was made.
func TestBackupDrainRestore(t *testing.T) {
	dir := t.TempDir()
	data, backup := filepath.Join(dir, "data"), filepath.Join(dir, "edge.db")
	p := startEdge(t, "--data-dir", data)
	p.join(t)
	b := p.join(t)
	eventually(t, "two sessions", func() bool { return p.run(t, "sessions", "--count") == "2 sessions in / (2 open, 0 suspended)\n" })
	matches(t, "backup", p.run(t, "backup", backup), `backup -> .*edge\.db \(\d+ KiB, \d+ records of edge-\w+\)\n`)
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"backup", backup, "--control", p.control}, exitUsage, `sio-edge: .*edge.db: it is there already\n`},
		{[]string{"backup", "--from", data, backup + "2"}, exitInUse, `sio-edge: backup .*: another process has it: without --from .*\n`},
		{[]string{"restore", "--data-dir", data, "--replace", backup}, exitInUse, `sio-edge: restore .*: another process has it\n`},
	} {
		code, _, stderr := command(t, tt.args...)
		if code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.args, code, tt.code)
		}
		matches(t, tt.args[0], stderr, tt.want)
	}
	b.send("41") // of the time after the backup

	matches(t, "drain", p.run(t, "drain"), `drain -> 2 connections closed, the edge is gone after .*\n`)
	io.Copy(io.Discard, p.stdout)
	if err := p.Wait(); err != nil {
		t.Errorf("%v; stderr: %s", err, &p.stderr)
	}
	code, stdout, stderr := command(t, "backup", "--from", data, backup+"2", "--json")
	if code != 0 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	matches(t, "backup of a file", stdout, `\{"EdgeID":.*\}\n`)
	code, _, stderr = command(t, "restore", "--data-dir", data, backup)
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	matches(t, "restore", stderr, `sio-edge: restore .*: there is a store already: --replace keeps it under another name\n`)
	code, stdout, _ = command(t, "restore", "--data-dir", data, "--replace", backup)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	matches(t, "restore", stdout, `restore -> .*sio-edge\.db \(\d+ KiB\); what was there is .*\.before-.*\n`)

	p = startEdge(t, "--data-dir", data)
	if got := p.run(t, "sessions", "--count"); got != "2 sessions in / (0 open, 2 suspended)\n" {
		t.Errorf("%s", got)
	}
	p.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, p.stdout)
	p.Wait()
	if !strings.Contains(p.stderr.String(), "restored from a backup") {
		t.Errorf("stderr: %s", &p.stderr)
	}
}

func TestProgressLine(t *testing.T) {
	p := &progress{what: "backup", total: 4 << 20, write: bytesOf}
	for _, tt := range []struct {
		done float64
		took time.Duration
		want string
	}{
		{0, 0, "backup  ░░░░░░░░░░░░░░░░░░░░░░░░   0%  0 B of 4.0 MiB"},
		{1 << 20, 2 * time.Second, "backup  ██████░░░░░░░░░░░░░░░░░░  25%  1.0 MiB of 4.0 MiB  6s left"},
		{4 << 20, 3 * time.Second, "backup  ████████████████████████ 100%  4.0 MiB of 4.0 MiB"},
	} {
		if got := p.line(tt.done, tt.took); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
