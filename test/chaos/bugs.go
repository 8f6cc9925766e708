package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bug is a patch that breaks a promise. Above the diff it says what it does and who must notice:
//
//	Bug: one sentence
//	Check: chaos NAME              a short run breaks the check NAME
//	Check: test PACKAGE TestName   the test fails
//	Run: -kills 5 …                flags of the run, if the usual ones do not provoke it
type bug struct {
	name, file       string
	text, check, run string
}

// usualRun is short, and hits each kind of fault a few times.
const usualRun = "-seed 1 -clients 120 -up 240 -down 480 -kills 8 -terms 1 -others 14 -gap-min 50ms -gap-max 800ms -backoff 200ms -window 20s"

// runBugs applies each patch to a copy of the tree and demands that its check turns red.
func runBugs(names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return fmt.Errorf("find the tree: %w", err)
	}
	tree := strings.TrimSpace(string(root))
	bugs, err := readBugs(filepath.Join(tree, "test/chaos/bugs"))
	if err != nil {
		return err
	}
	caught, all := 0, 0
	fmt.Println("| bug | caught by | |\n|---|---|---|")
	for _, b := range bugs {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		all++
		began := time.Now()
		outcome := "caught"
		if err := b.try(ctx, tree); err != nil {
			outcome = "**MISSED**: " + strings.ReplaceAll(err.Error(), "\n", " ")
		} else {
			caught++
		}
		fmt.Printf("| %s | %s | %s, %.0f s |\n", b.text, b.words(), outcome, time.Since(began).Seconds())
	}
	if caught < all {
		return fmt.Errorf("%d of %d bugs were missed", all-caught, all)
	}
	fmt.Printf("\n%d of %d caught\n", caught, all)
	return ctx.Err()
}

// words is the check for people.
func (b *bug) words() string {
	kind, name, _ := strings.Cut(b.check, " ")
	if kind == "chaos" {
		return "chaos: " + name
	}
	return name[strings.LastIndexByte(name, ' ')+1:]
}

func readBugs(dir string) ([]bug, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []bug
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		b := bug{name: strings.TrimSuffix(filepath.Base(file), ".patch"), file: file, run: usualRun}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "Bug":
				b.text = value
			case "Check":
				b.check = value
			case "Run":
				b.run += " " + value
			}
			if strings.HasPrefix(line, "diff ") {
				break
			}
		}
		if b.text == "" || b.check == "" {
			return nil, fmt.Errorf("%s: no Bug or no Check", file)
		}
		all = append(all, b)
	}
	return all, nil
}

// try returns nil if the check noticed the bug.
func (b *bug) try(ctx context.Context, tree string) error {
	dir, err := os.MkdirTemp("", "chaos-bug-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(ctx, tree, dir); err != nil {
		return err
	}
	if out, err := command(ctx, dir, "git", "apply", "-C1", b.file); err != nil {
		return fmt.Errorf("the patch does not apply: %s", out)
	}
	words := strings.Fields(b.check)
	switch {
	case len(words) == 3 && words[0] == "test":
		return redTest(ctx, dir, words[1], words[2])
	case len(words) == 2 && words[0] == "chaos":
		return redRun(ctx, dir, b.run, words[1])
	}
	return fmt.Errorf("no such check: %s", b.check)
}

func redTest(ctx context.Context, dir, pkg, name string) error {
	if out, err := command(ctx, dir, "go", "vet", pkg); err != nil {
		return fmt.Errorf("the patched tree does not build: %s", out)
	}
	out, err := command(ctx, dir, "go", "test", "-count=1", "-timeout=60s", "-run=^"+name+"$", pkg)
	switch {
	case strings.Contains(out, "no tests to run"):
		return errors.New("there is no such test")
	case err == nil:
		return errors.New("the test passes")
	case !strings.Contains(out, "--- FAIL: "+name) && !strings.Contains(out, "panic: test timed out"):
		return fmt.Errorf("the test fails in another way: %s", out)
	}
	return nil
}

func redRun(ctx context.Context, dir, flags, check string) error {
	chaos := filepath.Join(dir, "chaos.bin")
	if out, err := command(ctx, dir, "go", "build", "-o", chaos, "./test/chaos"); err != nil {
		return fmt.Errorf("the patched tree does not build: %s", out)
	}
	// In a directory of its own: it vanishes with the rest.
	args := append(strings.Fields(flags), "-dir", filepath.Join(dir, "history"))
	out, err := command(ctx, dir, chaos, args...)
	switch {
	case err == nil:
		return errors.New("the run holds")
	case !strings.Contains(out, "BROKEN "+check+":"):
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return fmt.Errorf("the run breaks something else: %s", strings.Join(lines[max(0, len(lines)-8):], "; "))
	}
	return nil
}

// copyTree copies what the Go build and the tests need of what git tracks.
func copyTree(ctx context.Context, from, to string) error {
	out, err := command(ctx, from, "git", "ls-files", "-z", "--", "*.go", "go.mod", "go.sum", "*/testdata/*", "cmd", "internal", "proto")
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimRight(out, "\x00"), "\x00") {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // a tracked file may have been deleted
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}
