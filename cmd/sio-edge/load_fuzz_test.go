package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConfig: whatever is in the file, it is a configuration or told to be none, in lines that can be
// read.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"", "listen: :3000\n", "ping-interval: 25s\nping-timeout: [1, 2]\n", "cors-origin:\n  - https://a.example\n", "cors:\n  origin: x\n", "config: x\n", "a: &a [*a]\n",
		"max-payload: 1e99\n", "? [a]\n: b\n", "{", "\t", "x: !!binary AAAA\n", "json-depth: -1\nargs: 0x10\n", "a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "\xff\xfe", "--- \n---\n"} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "edge.yaml")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := load(flagValues{"config": {path}}, func() []string { return nil })
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if line == "" || len(line) > 1000 || strings.ContainsAny(line, "\x00\x1b") {
				t.Errorf("a fault is told as %.200q", line)
			}
		}
	})
}
