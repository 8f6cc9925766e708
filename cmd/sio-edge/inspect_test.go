package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// What an edge leaves in its store, while it runs, after it, and after the disk has damaged it.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	p := startEdge(t, "--data-dir", dir)
	release := p.backend(t)
	defer release()
	a := p.join(t)
	p.run(t, "emit", "--everyone", "news", `"x"`)
	a.want(`42["news"`)

	code, out, errs := command(t, "inspect", dir)
	if code != 0 || errs != "" || !strings.Contains(out, "in use") {
		t.Errorf("of a running edge: %d %s%s", code, out, errs)
	}
	p.Process.Signal(syscall.SIGKILL)
	p.Wait()

	file := filepath.Join(dir, "sio-edge.db")
	code, out, errs = command(t, "inspect", dir)
	if code != 0 || errs != "" {
		t.Errorf("exit code %d, %s", code, errs)
	}
	matches(t, "inspect", out, `file    `+regexp.QuoteMeta(file)+`, \d+ [KM]iB, \d+ pages in use\nstate   sound\nedge    edge-\w+\nlog     \w+\nstarts  1\n\n`+
		`TABLE +OF +RECORDS +SIZE\n.*groups +chat +1 .*packets +/ +1 .*sessions +1 +\d+ B\n`)
	_, out, _ = command(t, "inspect", "--sessions", file)
	matches(t, "inspect --sessions", out, `SID +NAMESPACE +USER +SINCE +STATE +ROOMS\n`+regexp.QuoteMeta(shortID(a.sid))+` +/ +\d\d:\d\d:\d\d +open +lobby\n`)
	_, out, _ = command(t, "inspect", "--json", file)
	var report struct {
		EdgeID string
		Sound  bool
		Parts  []struct{ Table string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || !report.Sound || report.EdgeID == "" || len(report.Parts) < 3 {
		t.Errorf("--json: %s, %v", out, err)
	}

	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; { // wherever pages of earlier commits have it, too
		at := bytes.Index(raw[i:], []byte(a.sid))
		if at < 0 {
			break
		}
		raw[i+at] ^= 1
		i += at + 1
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = command(t, "inspect", file)
	if code != exitFailed || !strings.Contains(out, "damaged") || !strings.Contains(errs, "set the file aside") {
		t.Errorf("damaged: %d %s%s", code, out, errs)
	}
	code, _, errs = command(t, "inspect", filepath.Join(dir, "nothing"))
	if code != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("nothing: %d %s", code, errs)
	}
}
