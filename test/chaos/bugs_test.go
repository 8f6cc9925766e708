package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheSeededBugsFitTheTree: a patch that does not apply proves nothing, and nobody runs all of
// them for every change.
func TestTheSeededBugsFitTheTree(t *testing.T) {
	bugs, err := readBugs("bugs")
	if err != nil {
		t.Fatal(err)
	}
	if len(bugs) < 12 {
		t.Errorf("there are %d", len(bugs))
	}
	for _, b := range bugs {
		path, err := filepath.Abs(b.file)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "apply", "-C1", "--check", path)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s does not apply: make the same change to the code as it is now, and keep its git diff under the words at the top: %s", b.name, strings.TrimSpace(string(out)))
		}
	}
}
