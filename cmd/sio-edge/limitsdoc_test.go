package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sio-edge/sio-edge/internal/control/metrics"
)

// The documentation has every limit as limits.go and settings.go have it.
func TestLimitsAreDocumented(t *testing.T) {
	documented(t, "../../docs/limits.md", "limits", limitTable(t))
}

func limitTable(t *testing.T) string {
	fields := make(map[string]reflect.StructField)
	for f := range reflect.TypeFor[settings]().Fields() {
		fields[keyOf(f.Name)] = f
	}
	code := func(list string) string {
		if list == "" {
			return "–"
		}
		if !strings.Contains(list, "_") {
			return list
		}
		var all []string
		for name := range strings.SplitSeq(list, ", ") {
			all = append(all, "`"+name+"`")
		}
		return strings.Join(all, ", ")
	}
	var b strings.Builder
	fmt.Fprintln(&b, "| Key | Default | What it bounds | Now | Refused | What the client sees |\n| --- | --- | --- | --- | --- | --- |")
	for _, l := range allBounds {
		f, ok := fields[l.key]
		if !ok {
			t.Errorf("there is no key %s", l.key)
			continue
		}
		def := f.Tag.Get("def")
		if zero := f.Tag.Get("zero"); def == "0" && zero == "any number" {
			def = "none"
		} else if def == "0" {
			def = zero
		} else {
			def = "`" + def + "`"
		}
		help, _, _ := strings.Cut(f.Tag.Get("help"), "; 0 ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", l.key, def, strings.TrimSuffix(help, "."), code(l.current), code(l.counted), l.sees)
	}
	return b.String()
}

// Every key of the group of limits has a row, and so has every other that is a number or a size.
func TestEveryLimitHasARow(t *testing.T) {
	for f := range reflect.TypeFor[settings]().Fields() {
		key := keyOf(f.Name)
		isNumber := f.Type == reflect.TypeFor[count]() || f.Type == reflect.TypeFor[size]()
		if (isNumber || f.Tag.Get("group") == "Limits:") && !slices.ContainsFunc(allBounds, func(b bound) bool { return b.key == key }) {
			t.Errorf("%s has no row in limits.go", key)
		}
	}
}

// The metrics that the rows name are there, with these labels.
func TestLimitsAreCounted(t *testing.T) {
	p := startEdge(t, "--address-connections", "1000")
	text := p.get(t, p.ops+"/metrics")
	var doc bytes.Buffer
	metrics.Document(&doc)
	name := regexp.MustCompile(`^[a-z_]+`)
	for _, l := range allBounds {
		if !strings.Contains(text, fmt.Sprintf("sioedge_limit{key=%q} ", l.key)) {
			t.Errorf("%s: its value is no metric", l.key)
		}
		for m := range strings.SplitSeq(l.current+", "+l.counted, ", ") {
			switch n := name.FindString(m); {
			case !strings.Contains(m, "_"):
			case strings.Contains(m, "{") && !strings.Contains(text, "\nsioedge_"+m+" "):
				t.Errorf("%s: /metrics has no %s", l.key, m)
			case !strings.Contains(doc.String(), "`sioedge_"+n+"`"):
				t.Errorf("%s: there is no metric %s", l.key, n)
			}
		}
	}
}
