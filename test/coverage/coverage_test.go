// Package coverage checks that what a Socket.IO server must do is checked by tests.
package coverage

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// row is a line of test/rows.txt.
type row struct {
	id, level, name string
}

// required says whether a test has to name the row, unless docs/differences.md does.
func (r row) required() bool {
	switch {
	case strings.HasPrefix(r.id, "S"), strings.HasPrefix(r.id, "G"): // bundle and attach, cluster
		return false
	case strings.HasPrefix(r.id, "Y") && r.id != "Y20" && r.id != "Y21":
		return r.level == "M" || r.level == "X"
	}
	return r.level == "M"
}

func readRows(t *testing.T) []row {
	t.Helper()
	f, err := os.Open(root + "/test/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[0] == "#" {
			continue
		}
		rows = append(rows, row{fields[0], fields[1], strings.Join(fields[2:], " ")})
	}
	return rows
}

// ids finds row ids: H01 or OP01, in words, in strings, and in names such as TestH01_H02.
var ids = regexp.MustCompile(`(?:\bTest|\b|_)((?:OP|[A-Z])\d\d)(?:\b|_)`)

func idsIn(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	// Matches do not overlap, but neighbours share their underscore.
	for _, match := range ids.FindAllStringSubmatch(strings.ReplaceAll(string(b), "_", "__"), -1) {
		found = append(found, match[1])
	}
	return found
}

// isTest says whether a file holds tests, in any of the languages of the repository.
func isTest(path string) bool {
	name := filepath.Base(path)
	return strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".txtar") ||
		strings.Contains(name, ".test.") || strings.HasPrefix(name, "test_") && strings.HasSuffix(name, ".py")
}

// named returns which rows are named by which tests.
func named(t *testing.T) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		// test/hostile has a table of its own.
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "coverage" || d.Name() == "hostile"):
			return filepath.SkipDir
		case !d.IsDir() && isTest(path):
			for _, id := range idsIn(t, path) {
				by[id] = append(by[id], path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func TestEveryRequiredRowIsNamed(t *testing.T) {
	rows, tests := readRows(t), named(t)
	if len(rows) != 382 {
		t.Errorf("%d rows, want all 382", len(rows))
	}
	exceptions := idsIn(t, root+"/docs/differences.md")
	var wanted []string
	count := map[string]int{}
	for _, r := range rows {
		switch {
		case len(tests[r.id]) > 0:
			count[r.level]++
		case slices.Contains(exceptions, r.id):
		case r.required():
			t.Errorf("%s %s: no test names it, and docs/differences.md does not either", r.id, r.name)
		case r.level == "S":
			wanted = append(wanted, r.id)
		}
	}
	t.Logf("rows named by tests: %v", count)
	t.Logf("rows that should have tests and have none: %s", strings.Join(wanted, " "))
}

// An id that is in no row is a slip, and would cover nothing. Tests of single packages also use the
// ids of other tables, so only the tests beside this one are asked.
func TestNamesAreRows(t *testing.T) {
	known := map[string]bool{}
	for _, r := range readRows(t) {
		known[r.id] = true
	}
	for id, paths := range named(t) {
		for _, path := range paths {
			if !known[id] && strings.HasPrefix(path, root+"/test/") {
				t.Errorf("%s names %s, which is no row", path, id)
			}
		}
	}
}
