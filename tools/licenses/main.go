// Command licenses demands that whatever a program is linked from may be passed on with it, and
// prints under which licence:
//
//	go run ./tools/licenses ./cmd/sio-edge
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are licences that ask for no more than to be named.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// enough is how much of a file, in percent, has to be the text of a licence.
const enough = 75

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: licenses PACKAGE")
		os.Exit(2)
	}
	modules, err := linked(os.Args[1])
	if err == nil {
		err = check(os.Stdout, modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// module is one that is linked, and the directory that its files are in.
type module struct{ path, dir string }

// linked lists the modules of the packages that a package needs, but for its own.
func linked(pkg string) ([]module, error) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}\t{{.Dir}}{{end}}{{end}}", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("list what %s needs: %w", pkg, err)
	}
	var all []module
	for line := range strings.Lines(string(out)) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			all = append(all, module{path, dir})
		}
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(all), nil
}

// check prints the licence of each module. The error names those without one that is allowed.
func check(w io.Writer, modules []module) error {
	var faults []error
	for _, m := range modules {
		id, err := licence(m.dir)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", m.path, err))
			continue
		}
		fmt.Fprintf(w, "%-14s %s\n", id, m.path)
	}
	return errors.Join(faults...)
}

// licence returns what is allowed of the licences in a directory.
func licence(dir string) (string, error) {
	var names []string
	for _, form := range []string{"LICEN[CS]E*", "COPYING*"} {
		found, _ := filepath.Glob(filepath.Join(dir, form)) // the form is a good one
		names = append(names, found...)
	}
	var seen []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		covered := licensecheck.Scan(text)
		for _, m := range covered.Match {
			if slices.Contains(allowed, m.ID) && covered.Percent >= enough {
				return m.ID, nil
			}
			seen = append(seen, m.ID)
		}
	}
	return "", fmt.Errorf("no licence that is allowed in %d files: %q", len(names), seen)
}
