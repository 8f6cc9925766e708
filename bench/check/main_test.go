package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWorse(t *testing.T) {
	kept := make(map[string]figure)
	for _, s := range steps {
		kept[s.name] = figure{Ratio: 1, Allocs: 3}
	}
	for _, tt := range []struct {
		name string
		is   figure
		want string
	}{
		{"as it was", figure{1, 3}, ""},
		{"a little slower", figure{1.24, 3}, ""},
		{"faster, with fewer allocations", figure{0.5, 1}, ""},
		{"slower", figure{1.26, 3}, "parse"},
		{"another allocation", figure{1, 4}, "parse"},
	} {
		now := maps.Clone(kept)
		now["parse"] = tt.is
		if got := strings.Join(slices.Sorted(maps.Keys(worse(kept, now, tolerance))), " "); got != tt.want {
			t.Errorf("%s: worse are %q, want %q", tt.name, got, tt.want)
		}
	}
	unknown := maps.Clone(kept)
	delete(unknown, "route")
	if why := worse(unknown, kept, tolerance); why["route"] == "" {
		t.Error("a step without a baseline passes")
	}
}

func TestBaselineOfAnUnknownProcessor(t *testing.T) {
	b := baseline{
		"a": {"parse": {1, 3}, "route": {2, 0}},
		"b": {"parse": {3, 2}, "route": {1, 0}},
	}
	if got, known := b.of("a"); !known || got["parse"] != (figure{1, 3}) {
		t.Errorf("of a: %v, %v", got, known)
	}
	if got, known := b.of("c"); known || got["parse"] != (figure{3, 3}) || got["route"] != (figure{2, 0}) {
		t.Errorf("of c: %v, %v", got, known)
	}
}

// The short form of make bench-check: no step allocates more than it did, or has become slow
// beyond any doubt.
func TestShort(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	if err := check(t.Context(), filepath.Join("bench", "baseline.json"), false, short); err != nil {
		t.Error(err)
	}
}

func TestNote(t *testing.T) {
	m := &measurements{best: make(map[string]measurement)}
	m.note([]byte("goos: linux\nBenchmarkUp \t 100\t 30.5 ns/op\t 307 B/op\t 3 allocs/op\nPASS\n"))
	m.note([]byte("BenchmarkUp \t 100\t 40 ns/op\t 5 cpu-ns/op\t 200 B/op\t 2 allocs/op\n"))
	if got, want := m.best["BenchmarkUp"], (measurement{30.5, 2}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
