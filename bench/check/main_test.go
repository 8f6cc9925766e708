package main

import (
	"maps"
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
		if got := strings.Join(slices.Sorted(maps.Keys(worse(kept, now))), " "); got != tt.want {
			t.Errorf("%s: worse are %q, want %q", tt.name, got, tt.want)
		}
	}
	unknown := maps.Clone(kept)
	delete(unknown, "route")
	if why := worse(unknown, kept); why["route"] == "" {
		t.Error("a step without a baseline passes")
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
