package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whatever rotates logs moves the file away and sends SIGHUP.
func TestTheAuditFileIsRotated(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	p := startEdge(t, "--audit-file", file, "--pprof")
	files := []string{file + ".2", file + ".1", file}
	for _, former := range files[:2] {
		if err := os.Rename(file, former); err != nil {
			t.Fatal(err)
		}
		p.Process.Signal(syscall.SIGHUP)
		eventually(t, "another file", func() bool {
			b, _ := os.ReadFile(file)
			return strings.Contains(string(b), "audit log goes on from another file")
		})
	}
	p.Process.Signal(syscall.SIGTERM)
	p.Wait()
	if code, out, errs := command(t, append([]string{"audit", "verify"}, files...)...); code != 0 || !strings.Contains(out, ": 4 lines, each follows") {
		t.Errorf("verify: %d %s%s", code, out, errs)
	}
	if code, _, errs := command(t, "audit", "verify", files[0], files[2]); code != exitFailed || !strings.Contains(errs, "a file between them is missing") {
		t.Errorf("one is missing: %d %s", code, errs)
	}
	if b, _ := os.ReadFile(files[0]); !strings.Contains(string(b), `"msg":"edge started","version":"`) || !strings.Contains(string(b), `"insecure":["pprof"]`) {
		t.Errorf("%s", b)
	}
}
