package hostile

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// listed is a line of rows.txt.
type listed struct {
	id, text  string
	dir, test string // where it is proven, if not here
	reason    string // why there is no test
}

var listedForm = regexp.MustCompile(`^([A-Z]\d+) +(.*?)(?:  (->|none:) (.*))?$`)

func readList(t *testing.T) (all []listed) {
	t.Helper()
	f, err := os.Open("rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		m := listedForm.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("rows.txt: %q", line)
		}
		l := listed{id: m[1], text: m[2]}
		switch m[3] {
		case "->":
			l.dir, l.test, _ = strings.Cut(m[4], " ")
		case "none:":
			l.reason = m[4]
		}
		all = append(all, l)
	}
	return all
}

// TestEveryRowHasATest compares rows.txt with the rows that are played, and with the tests that it
// says prove the others.
func TestEveryRowHasATest(t *testing.T) {
	played := map[string]int{}
	names := map[string]bool{}
	for _, r := range rows() {
		played[r.id]++
		if names[r.name()] {
			t.Errorf("%s is the name of two rows", r.name())
		}
		names[r.name()] = true
	}
	var known []string
	for _, l := range readList(t) {
		if slices.Contains(known, l.id) {
			t.Errorf("rows.txt has %s twice", l.id)
		}
		known = append(known, l.id)
		n := played[l.id]
		switch {
		case l.test != "":
			for test := range strings.FieldsSeq(l.test) {
				wantTest(t, l.id, l.dir, test)
			}
		case l.reason != "" && n > 0:
			t.Errorf("%s has tests, and rows.txt says that it has none", l.id)
		case l.reason == "" && n == 0:
			t.Errorf("%s: no test: %s", l.id, l.text)
		}
	}
	if len(known) != 217 {
		t.Errorf("%d rows, want all 217", len(known))
	}
	for id := range played {
		if !slices.Contains(known, id) {
			t.Errorf("%s is not in rows.txt", id)
		}
	}
	t.Logf("%d inputs for %d rows", len(names), len(known))
}

// wantTest fails unless the directory has the test. It may be a subtest, Test/sub: then only that
// its words are there can be seen.
func wantTest(t *testing.T, id, dir, test string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(root, dir, "*_test.*"))
	more, _ := filepath.Glob(filepath.Join(root, dir, "*.test.*"))
	name, sub, _ := strings.Cut(test, "/")
	found, subFound := false, sub == ""
	for _, file := range append(files, more...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(string(b), "func "+name+"(") || strings.Contains(string(b), `"`+name+`"`)
		subFound = subFound || strings.Contains(string(b), sub)
	}
	if !found || !subFound {
		t.Errorf("%s: %s has no test %s", id, dir, test)
	}
}
