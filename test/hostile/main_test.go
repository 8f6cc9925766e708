// Package hostile sends the edge what nobody means well with: every row of rows.txt is a test of
// that name, against the real process, alone and beside clients that mean well.
package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// program is the edge, built once.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(attackEnv) != "" {
		return m.Run() // the edge is there already
	}
	dir, err := os.MkdirTemp("", "sio-edge-hostile")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "sio-edge")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/sio-edge").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s", out)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// long says whether the long form of a test is asked for.
func long() bool { return os.Getenv("SIOEDGE_TORTURE") != "" }
