package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// resident is how many KiB of a file are mapped into this process.
func resident(t *testing.T, path string) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ours := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if name, _, _ := strings.Cut(line, " "); strings.Contains(name, "-") {
			ours = strings.HasSuffix(line, path)
		} else if ours && name == "Rss:" {
			n := 0
			fmt.Sscanf(line, "Rss: %d kB", &n)
			kib += n
		}
	}
	return kib
}

// TestAQuietStoreTakesNoMemory: what commits and reading have mapped is let go of, and is there all
// the same.
func TestAQuietStoreTakesNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{})
	const n = 20_000
	for i := range uint64(n) {
		s.Put(Sessions, "", i+1, make([]byte, 200))
	}
	s.Sync()
	if got, _ := load(t, s, Sessions); len(got) != n {
		t.Fatalf("%d records", len(got))
	}
	if kib := resident(t, path); kib < n*200>>10 {
		t.Fatalf("%d KiB are mapped of what was just read", kib)
	}
	s.Put(Sessions, "", 1, nil)
	s.Sync()
	waitFor(t, "memory is let go of", func() bool { return resident(t, path) <= 256 }) // its first pages are looked at now and then
	if got, _ := load(t, s, Sessions); len(got) != n-1 {
		t.Errorf("%d records", len(got))
	}
}
