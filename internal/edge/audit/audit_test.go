package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func open(t *testing.T, path string) *Chain {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	var console bytes.Buffer
	write := func(from, n int) {
		c := open(t, path)
		log := New(slog.New(slog.NewJSONHandler(&console, nil)), c, nil)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { log.Info("something", "n", from+i, "text", "}\n\"") })
		}
		all.Wait()
		c.Close()
	}
	write(0, 10)
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"time":"half a li`) // killed
	f.Close()
	write(10, 10)

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(bytes.NewReader(whole))
	if err != nil || r.Lines != 20 || r.Torn {
		t.Fatalf("%+v, %v", r, err)
	}
	lines := slices.Collect(strings.Lines(string(whole)))
	for i, line := range lines {
		var l struct{ Msg, Chain string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Msg != "something" || len(l.Chain) != 64 {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if n := strings.Count(console.String(), `"audit":{"n":`); n != 20 {
		t.Errorf("%d lines in the log: %s", n, console.String())
	}

	for name, change := range map[string]func([]string) []string{
		"a line changed":   func(l []string) []string { l[4] = strings.Replace(l[4], "something", "Something", 1); return l },
		"a line taken out": func(l []string) []string { return slices.Delete(l, 4, 5) },
		"a line put in":    func(l []string) []string { return slices.Insert(l, 4, l[3]) },
		"two exchanged":    func(l []string) []string { l[4], l[5] = l[5], l[4]; return l },
		"no chain":         func(l []string) []string { l[4] = `{"msg":"something"}` + "\n"; return l },
		"the first gone":   func(l []string) []string { return l[1:] },
	} {
		forged := strings.Join(change(slices.Clone(lines)), "")
		if r, err := Verify(strings.NewReader(forged)); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
		other := filepath.Join(t.TempDir(), "forged.log")
		os.WriteFile(other, []byte(forged), 0o600)
		if c, err := Open(other); err == nil {
			c.Close()
			t.Errorf("%s: goes on", name)
		}
	}
	// What is cut off at the end can be seen by whoever knows the last hash.
	short, err := Verify(strings.NewReader(strings.Join(lines[:15], "")))
	if err != nil || short.Last() == r.Last() {
		t.Errorf("%+v, %v", short, err)
	}
}

// A file that was moved away is followed by one that says what came before.
func TestChainGoesOnInAnotherFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	c := open(t, path)
	log := New(slog.New(slog.DiscardHandler), c, nil)
	verified := func(name string) Report {
		t.Helper()
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := Verify(f)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	log.Info("one")
	if err := c.Reopen(); err != nil { // nobody has moved it
		t.Fatal(err)
	}
	log.Info("two")
	os.Rename(path, filepath.Join(dir, "audit.log.1"))
	log.Info("three") // nobody has said so yet
	if err := c.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("four")
	former, now := verified("audit.log.1"), verified("audit.log")
	if former.Lines != 3 || former.After != "" || now.Lines != 2 || now.After != former.Last() {
		t.Errorf("%+v, %+v", former, now)
	}

	// What is there and is no chain is left alone.
	os.Rename(path, filepath.Join(dir, "audit.log.2"))
	os.WriteFile(path, []byte("something else\n"), 0o600)
	if err := c.Reopen(); err == nil {
		t.Error("goes on in any file")
	}
	log.Info("five")
	if r := verified("audit.log.2"); r.Lines != 3 {
		t.Errorf("%+v", r)
	}
	if b, _ := os.ReadFile(path); string(b) != "something else\n" {
		t.Errorf("%s", b)
	}
}

func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := NewFailures(slog.New(slog.NewJSONHandler(&out, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		for i := range 500 {
			f.Add("expired", fmt.Sprintf("192.0.2.%d:99", i%256))
		}
		f.Add("signature", "[2001:db8:1:2::3]:7")
		f.Add("signature", "nowhere")
		time.Sleep(failureInterval + time.Second)
		synctest.Wait()
		var got []string
		for line := range strings.Lines(out.String()) {
			var l struct {
				Reason, Network string
				Count           int
			}
			json.Unmarshal([]byte(line), &l)
			got = append(got, fmt.Sprint(l.Reason, " ", l.Network, " ", l.Count))
		}
		slices.Sort(got)
		want := []string{"expired 192.0.2.0/24 500", "signature 2001:db8:1::/48 1", "signature unknown 1"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		out.Reset()
		for i := range 5000 {
			f.Add("expired", fmt.Sprintf("10.%d.%d.1:99", i/250, i%250))
		}
		cancel()
		<-done
		if n := strings.Count(out.String(), "\n"); n != maxFailures+1 || !strings.Contains(out.String(), `"network":"others","count":4000`) {
			t.Errorf("%d lines", n)
		}
	})
}
