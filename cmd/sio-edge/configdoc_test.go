package main

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write into the documentation what comes from the code")

// The documentation has every key as settings.go has it.
func TestConfigurationIsDocumented(t *testing.T) {
	documented(t, "../../docs/configuration.md", "keys", keyTables())
}

// documented holds the part of a page that is written from the code against it: what stands between
// two comments with the part's name. With -update the page is written.
func documented(t *testing.T, file, part, want string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+part+" -->\n", "<!-- end "+part+" -->\n"
	before, rest, ok := strings.Cut(string(b), begin)
	written, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no %s", file, part)
	}
	if written == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not current: go test ./cmd/sio-edge -run Documented -update", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keyTables() string {
	var b strings.Builder
	group := ""
	for f := range reflect.TypeFor[settings]().Fields() {
		key := keyOf(f.Name)
		if key == "config" {
			continue // names the file; it is not in it
		}
		if g := strings.TrimSuffix(f.Tag.Get("group"), ":"); g != group {
			group = g
			fmt.Fprintf(&b, "\n### %s\n\n| Key | Default | Allowed | Meaning |\n| --- | --- | --- | --- |\n", group)
		}
		def := f.Tag.Get("def")
		if def == "" {
			def = "–"
		} else {
			def = "`" + def + "`"
		}
		mark := ""
		if slices.Contains(changeable, key) {
			mark = " ↻"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", key, mark, def, allowed(f), strings.ReplaceAll(f.Tag.Get("help"), "|", `\|`))
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func allowed(f reflect.StructField) string {
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	text := map[string]string{
		"text": "text", "list": "list", "toggle": "true, false", "count": "number", "size": "size", "duration": "duration",
	}[f.Type.Name()]
	switch {
	case low != "" && high != "":
		text = low + " to " + high
	case low != "":
		text = "from " + low
	}
	if zero := f.Tag.Get("zero"); zero != "" {
		text += ", or 0: " + zero
	}
	return text
}
