package store

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func init() {
	roles["SIOEDGE_TEST_WRITER"] = keepWriting
	roles["SIOEDGE_TEST_HOLDER"] = keepOpen
}

// keepWriting makes steps until it is killed, and prints each that it was told is on disk.
func keepWriting(path string) {
	s, err := Open(path, Options{Every: time.Nanosecond, Shrink: 1, ShrinkEvery: 5 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	h := newHistory()
	r := rand.New(rand.NewPCG(killSeed, 1))
	for n := 1; ; n++ {
		h.step(s, r)
		s.Committed(func(err error) {
			if err == nil {
				fmt.Println(n)
			}
		})
		time.Sleep(50 * time.Microsecond)
	}
}

const killSeed = 99

// keepOpen has a file until its input ends.
func keepOpen(path string) {
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	s.Close()
}

// other starts this binary in another role.
func other(t *testing.T, role, path string) (cmd *exec.Cmd, out *bufio.Scanner, in io.WriteCloser) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+path)
	in, _ = cmd.StdinPipe()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(pipe), in
}

// TestKill kills a process that writes, at a moment of its own choosing: no step is half there,
// and none that it was told is on disk is missing.
func TestKill(t *testing.T) {
	r := rand.New(rand.NewPCG(killSeed, 1))
	past := newHistory() // the same steps, replayed on a store that is not looked at
	scratch := open(t, filepath.Join(t.TempDir(), "scratch.db"), Options{Every: time.Hour})
	for range 6000 {
		past.step(scratch, r)
	}
	kills := rand.New(rand.NewPCG(15, 16))
	behind, most := 0, 0
	for range rounds(3, 150) {
		path := filepath.Join(t.TempDir(), "edge.db")
		cmd, out, _ := other(t, "SIOEDGE_TEST_WRITER", path)
		last, end := 0, 1+kills.IntN(rounds(800, 2500))
		for out.Scan() {
			if _, err := fmt.Sscan(out.Text(), &last); err != nil {
				t.Fatal(out.Text())
			}
			if last == end {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Loss != nil {
			t.Fatalf("%+v", s.Loss)
		}
		n := past.check(t, s, last)
		behind += n - last
		most = max(most, n)
		s.Close()
	}
	t.Logf("at most %d steps; %d were on disk that nobody had been told of", most, behind)
}

func TestAFileOfAnotherProcessIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	cmd, out, in := other(t, "SIOEDGE_TEST_HOLDER", path)
	if !out.Scan() || out.Text() != "open" {
		t.Fatal(out.Text())
	}
	began := time.Now()
	if s, err := Open(path, Options{LockTimeout: 100 * time.Millisecond}); err == nil {
		s.Close()
		t.Fatal("opened")
	} else if took := time.Since(began); took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	} else if !inUse(err) {
		t.Error(err)
	}
	// It is there for the next as soon as the other has gone, however it went.
	cmd.Process.Kill()
	cmd.Wait()
	in.Close()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
