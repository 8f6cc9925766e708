package store

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestGoldenFile opens a file as the first version of the format wrote it. It is never changed:
// a later version has to read it, and what it makes of it this one.
func TestGoldenFile(t *testing.T) {
	const path = "testdata/format-1.db.gz"
	want := make(map[change]string)
	for i := range uint64(40) {
		want[change{Sessions, "", i + 1}] = fmt.Sprintf("session %d %0200d", i, 0)
		want[change{Packets, fmt.Sprintf("/%d", i%3), i + 1}] = fmt.Sprintf("packet %0*d", 1+i*i*7, 0)
		want[change{Events, "chat", 1<<40 + i}] = "event"
	}
	want[change{Groups, "chat", 0}] = "spec"
	want[change{Letters, "chat", 1 << 40}] = "letter"
	want[change{Namespaces, "/0", 0}] = "namespace"
	if _, err := os.Stat(path); os.IsNotExist(err) && os.Getenv("SIOEDGE_GOLDEN") == "write" {
		writeGolden(t, path, want)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "edge.db")
	os.WriteFile(copied, raw, 0o600)
	s := open(t, copied, Options{})
	if s.Loss != nil || s.EdgeID != "edge-golden" || s.LogID != "log" || s.Epoch != 8 {
		t.Fatalf("%+v, %+v", s.Loss, s.Identity)
	}
	got := 0
	for i := range tableNames[1:] {
		table := Table(i + 1)
		s.Load(table, func(sub string, key uint64, v []byte) {
			got++
			if w := want[change{table, sub, key}]; w != string(v) {
				t.Errorf("%s %q %d: %.40q, want %.40q", tableNames[table], sub, key, v, w)
			}
		})
	}
	if got != len(want) {
		t.Errorf("%d records of %d", got, len(want))
	}
}

func writeGolden(t *testing.T, path string, want map[change]string) {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "edge.db")
	opt := Options{}.withDefaults()
	_, err := writeFile(raw, &opt, Identity{"edge-golden", "log", 7}, func(put func(change, []byte) error) error {
		for c, v := range want {
			if err := put(c, []byte(v)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(raw)
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	z.Write(bytes.TrimRight(b, "\x00"))
	z.Write(make([]byte, 4096)) // the last page, whole
	z.Close()
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
