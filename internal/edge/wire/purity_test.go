package wire_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPurity keeps the codecs free of the world, so that they can be read, fuzzed and trusted by
// themselves.
func TestPurity(t *testing.T) {
	reasons := map[string]string{
		"net":     "a codec does not know where bytes come from",
		"os":      "a codec has no files, no environment and no output",
		"context": "a codec never waits, so there is nothing to cancel",
		"time":    "a codec has no clock: deadlines belong to engineio and socketio",
		"sync":    "a codec has no shared state: its caller serialises",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./eio", "./sio").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		t.Fatalf("go list found %d packages, want eio and sio:\n%s", len(lines), out)
	}
	for _, line := range lines {
		pkg, imports, _ := strings.Cut(line, " ")
		for _, path := range strings.Fields(imports) {
			root, _, _ := strings.Cut(path, "/") // net/http is net, sync/atomic is sync
			if why, bad := reasons[root]; bad {
				t.Errorf("%s imports %s: %s", pkg, path, why)
			}
			if strings.Contains(root, ".") || slices.Contains([]string{"io", "log", "testing"}, root) {
				t.Errorf("%s imports %s: a codec needs nothing but bytes", pkg, path)
			}
		}
	}
}
