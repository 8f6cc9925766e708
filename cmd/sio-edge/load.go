package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

const envPrefix = "SIO_EDGE_"

// origin is where a value was written, for messages.
type origin struct {
	file string // its name, if it was the file
	env  bool
}

// name is how a person would find the key there.
func (o origin) name(key string) string {
	switch {
	case o.file != "":
		return o.file + ": " + key
	case o.env:
		return envName(key)
	}
	return "--" + key
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// loader brings the four layers together and collects what is wrong with them.
type loader struct {
	merged  *koanf.Koanf
	origins map[string]origin
	faulty  map[string]bool // keys whose value is wrong
	faults  []error
}

// load returns the configuration: flags over environment over file over defaults. Its error
// joins all faults, those of single values and those between them.
func load(flags flagValues, environ func() []string) (settings, error) {
	l := newLoader()
	known := make(map[string]reflect.StructField)
	defaults := make(map[string]any)
	for f := range reflect.TypeFor[settings]().Fields() {
		known[keyOf(f.Name)] = f
		defaults[keyOf(f.Name)] = f.Tag.Get("def")
	}
	l.add(origin{}, confmap.Provider(defaults, "."), nil)

	fromEnv := env.Provider(".", env.Opt{
		Prefix: envPrefix,
		// Names that are no key are left alone: a cluster sets SIO_EDGE_PORT for a service of this name.
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "-")
			if _, ok := known[key]; !ok || name != envName(key) {
				return "", nil
			}
			return key, value
		},
		EnvironFunc: environ,
	})
	above := newLoader() // where the file is named
	above.add(origin{env: true}, fromEnv, nil)
	above.add(origin{}, confmap.Provider(flags.asMap(), "."), nil)
	if path := above.merged.String("config"); path != "" {
		l.file(path, above.origins["config"], known)
	}
	l.add(origin{env: true}, fromEnv, nil)
	l.add(origin{}, confmap.Provider(flags.asMap(), "."), nil)

	var s settings
	values := reflect.ValueOf(&s).Elem()
	for f := range reflect.TypeFor[settings]().Fields() {
		key := keyOf(f.Name)
		written := texts(l.merged.Get(key))
		if len(written) == 1 && written[0] == "" && f.Tag.Get("def") == "" {
			continue
		}
		if err := parse(values.FieldByIndex(f.Index), written, f.Tag); err != nil {
			l.fault(key, err.Error())
		}
	}
	l.relations(s)
	return s, errors.Join(l.faults...)
}

func newLoader() *loader {
	return &loader{merged: koanf.New("."), origins: make(map[string]origin), faulty: make(map[string]bool)}
}

func (l *loader) add(from origin, p koanf.Provider, parser koanf.Parser) {
	layer := koanf.New(".")
	if err := layer.Load(p, parser); err != nil {
		l.faults = append(l.faults, fmt.Errorf("%s: %w", from.file, err))
		return
	}
	for key := range layer.Raw() {
		l.origins[key] = from
	}
	l.merged.Merge(layer) // never fails: merging is not strict
}

// file adds the layer of the file, without the keys that nobody knows.
func (l *loader) file(path string, named origin, known map[string]reflect.StructField) {
	name := filepath.Base(path)
	b, err := os.ReadFile(path)
	if err != nil {
		l.faults = append(l.faults, fmt.Errorf("%s: %w", named.name("config"), err))
		return
	}
	parsed := koanf.New(".")
	if err := parsed.Load(rawbytes.Provider(b), yaml.Parser()); err != nil {
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n  line")
		l.faults = append(l.faults, fmt.Errorf("%s: %s", name, text))
		return
	}
	values := make(map[string]any)
	flat := parsed.All() // "cors:" with "origin:" below it is cors.origin, and no key of ours
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		value := flat[key]
		if _, ok := known[key]; key == "config" {
			l.faults = append(l.faults, fmt.Errorf("%s: config: only --config and %s name a file", name, envName("config")))
		} else if !ok {
			l.faults = append(l.faults, fmt.Errorf("%s: %s: no such key%s", name, quoted(key), suggestion(key, known)))
		} else if value != nil { // "key:" with nothing behind it
			values[key] = value
		}
	}
	l.add(origin{file: name}, confmap.Provider(values, "."), nil)
}

// fault notes what is wrong with the value of a key: where it was written, what it is, and what
// is allowed. One fault of a value is enough: the next may follow from it.
func (l *loader) fault(key, allowed string) {
	if l.faulty[key] {
		return
	}
	l.faulty[key] = true
	var shown []string
	for _, t := range texts(l.merged.Get(key)) {
		shown = append(shown, quoted(t))
	}
	from := l.origins[key]
	sep := " "
	switch {
	case from.file != "":
		sep = ": "
	case from.env:
		sep = "="
	}
	l.faults = append(l.faults, fmt.Errorf("%s%s%s: %s", from.name(key), sep, strings.Join(shown, ","), allowed))
}

// quoted shows a value as it is, unless that would hide something.
func quoted(s string) string {
	if len(s) > 128 {
		s = s[:128] + "…"
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// texts is a value of any layer as it was written.
func texts(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		all := make([]string, 0, len(v))
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	case nil:
		return []string{""}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	}
	return []string{fmt.Sprint(v)}
}

// keyOf turns PingInterval into ping-interval.
func keyOf(field string) string {
	var b strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// suggestion is the known key that was probably meant, if there is one.
func suggestion(key string, known map[string]reflect.StructField) string {
	normal := strings.Trim(keyOf(strings.NewReplacer("_", "-", ".", "-", " ", "-").Replace(key)), "-")
	best, distance := "", 1+len(normal)/3
	for k := range known {
		d := editDistance(normal, k)
		if d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ", perhaps " + best + "?"
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
