package hostile

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	advisoryForm = regexp.MustCompile(`^\| ([^|]+) \| ([^|]+) \| ([^|]*(?:\x60[^\x60]*\x60[^|]*)*) \| (replays|test|no:) (.*) \|$`)
	quoted       = regexp.MustCompile("`([^`]+)`")
)

// TestAdvisories replays the advisories of docs/advisories.md: each is a test of its name.
func TestAdvisories(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(root + "/docs/advisories.md")
	if err != nil {
		t.Fatal(err)
	}
	e := target(t)
	known := map[string]row{}
	for _, r := range rows() {
		known[r.name()] = r
	}
	seen, replayed := map[string]bool{}, 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id |") || strings.HasPrefix(line, "| ---") {
			continue
		}
		m := advisoryForm.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not understood: %s", line)
			continue
		}
		id := m[1]
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		names := quoted.FindAllStringSubmatch(m[5], -1)
		if m[4] != "no:" && len(names) == 0 {
			t.Errorf("%s names no test", id)
		}
		switch m[4] {
		case "test":
			for _, name := range names {
				dir, test, _ := strings.Cut(name[1], " ")
				wantTest(t, id, dir, test)
			}
		case "replays":
			replayed++
			t.Run(id, func(t *testing.T) {
				for _, name := range names {
					r, ok := known[name[1]]
					if !ok {
						t.Errorf("there is no row %s", name[1])
						continue
					}
					t.Run(r.name(), func(t *testing.T) { r.play(t, e) })
				}
			})
		}
	}
	t.Logf("%d advisories, %d replayed", len(seen), replayed)
}
