package metrics

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the table of metrics into the documentation")

// The documentation has the table of what is collected.
func TestDocumentation(t *testing.T) {
	const file, begin, end = "../../../docs/metrics.md", "<!-- begin table -->\n", "<!-- end table -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	table, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no table", file)
	}
	var want strings.Builder
	Document(&want)
	if table == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s is not current: go test ./internal/control/metrics -update", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The dashboard and the alerts ask for metrics and labels that are there.
func TestDeploy(t *testing.T) {
	known := map[string]*family{}
	for _, f := range families {
		known[f.name] = f
		if f.typ == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				known[f.name+suffix] = f
			}
		}
	}
	name := regexp.MustCompile(`sioedge_[a-z_]+`)
	selector := regexp.MustCompile(`(sioedge_[a-z_]+)\{([^}]*)\}`)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	for _, file := range []string{"../../../deploy/grafana/dashboard.json", "../../../deploy/prometheus/alerts.yaml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parse := json.Unmarshal
		if strings.HasSuffix(file, ".yaml") {
			parse = yaml.Unmarshal
		}
		if err := parse(b, new(any)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		names := name.FindAllString(string(b), -1)
		if len(names) < 10 {
			t.Errorf("%s asks for %d metrics", file, len(names))
		}
		for _, n := range names {
			if known[n] == nil {
				t.Errorf("%s: there is no %s", file, n)
			}
		}
		for _, m := range selector.FindAllStringSubmatch(string(b), -1) {
			f := known[m[1]]
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				switch {
				case f == nil, l[1] == "instance", l[1] == "job", l[1] == "le":
				case !strings.Contains(" "+strings.Join(f.labels, " ")+" ", " "+l[1]+" "):
					t.Errorf("%s: %s has no label %q", file, m[1], l[1])
				}
			}
		}
	}
}

// Namespaces that clients make up share a label, and one that is declared later stays where it was
// counted first.
func TestLabels(t *testing.T) {
	m := New()
	declared := []string{"/", "/chat", "/room-*"}
	if m.Counts("/kept") == m.counts[other] {
		t.Error("what is restored before the groups are known has no label")
	}
	m.declared = func() []string { return declared }
	for namespace, own := range map[string]bool{"/": true, "/chat": true, "/kept": true, "/room-1": false, "/room-*": false, "/made-up": false} {
		if c := m.Counts(namespace); (c != m.counts[other]) != own {
			t.Errorf("%s: has a label of its own: %v", namespace, !own)
		}
		if first, again := m.Counts(namespace), m.Counts(namespace); first != again {
			t.Errorf("%s: counted in two places", namespace)
		}
	}
	for range 2 * maxUndeclared {
		m.declared = nil
		m.Counts(strings.Repeat("/x", len(m.counts)))
	}
	if n := len(m.counts); n > maxUndeclared+3 {
		t.Errorf("%d labels", n)
	}
}

func TestRefusedForgotten(t *testing.T) {
	m := New()
	m.Refused("http", "a reason that no list has")
	if n := m.refused[refusal{other, other}].n.Load(); n != 1 {
		t.Errorf("counted %d", n)
	}
}
