package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sio-edge/sio-edge/internal/bench"
)

func TestBench(t *testing.T) {
	url := startEdge(t).clients
	code, out, errs := command(t, "bench", "--url", url, "--scenarios", "churn-4,idle-20", "--for", "300ms", "--hold", "100ms", "--rounds", "2", "--json", "-")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var runs []bench.Result
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 4 {
		t.Fatalf("%d runs, %v: %s", len(runs), err, out)
	}
	if runs[0].Scenario != "churn-4" || runs[0].Done == 0 || !runs[0].Clean() {
		t.Errorf("churn: %+v", runs[0])
	}
	if runs[1].Scenario != "idle-20" || runs[1].Connections != 20 || !runs[1].Clean() {
		t.Errorf("idle: %+v", runs[1])
	}

	code, out, errs = command(t, "bench", "--url", url, "--scenarios", "churn-2", "--short")
	if code != 0 || !bytes.Contains([]byte(out), []byte("connects per second")) {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	// A server that does not answer is told as one.
	code, _, errs = command(t, "bench", "--url", "http://127.0.0.1:1", "--scenarios", "churn-2", "--short")
	if code != exitFailed || !regexp.MustCompile(`connection refused`).MatchString(errs) {
		t.Errorf("exit %d: %s", code, errs)
	}
	for _, args := range [][]string{{"--url", "ftp://127.0.0.1/"}, {"--url", "http://127.0.0.1/", "--tls-ca", "ca.crt"}, {"--scenarios", "dance-3"}, {"--scenarios", "echo"}} {
		if code, _, errs := command(t, append([]string{"bench"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}

func TestBenchOverTLS(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := command(t, "certs", "--dir", dir); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	url := startEdge(t, "--tls-cert-file", at("edge.crt"), "--tls-key-file", at("edge.key"), "--ping-interval", "100ms").clients
	args := []string{"bench", "--url", url, "--scenarios", "churn-4,idle-20", "--for", "300ms", "--hold", "400ms", "--rounds", "1", "--json", "-"}
	code, out, errs := command(t, append(args, "--tls-ca", at("ca.crt"))...)
	var runs []bench.Result
	if err := json.Unmarshal([]byte(out), &runs); err != nil || len(runs) != 2 {
		t.Fatalf("exit %d: %v: %s%s", code, err, out, errs)
	}
	for _, r := range runs {
		if r.Done == 0 || !r.Clean() {
			t.Errorf("%+v", r)
		}
	}
	if code, _, errs := command(t, args...); code != exitFailed || !strings.Contains(errs, "certificate signed by unknown authority") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
