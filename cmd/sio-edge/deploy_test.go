package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
)

// What deploy sets are keys that exist, and it deploys this version.
func TestDeployedKeysExist(t *testing.T) {
	known := make(map[string]bool)
	for f := range reflect.TypeFor[settings]().Fields() {
		known[keyOf(f.Name)] = true
	}
	read := func(file string) string {
		t.Helper()
		b, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	values, err := yaml.Parser().Unmarshal([]byte(read("helm/sio-edge/values.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	config, _ := values["config"].(map[string]any)
	if len(config) == 0 {
		t.Error("the chart's values have no config")
	}
	for key := range config {
		if !known[key] {
			t.Errorf("values.yaml: there is no key %s", key)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z-]+): `).FindAllStringSubmatch(read("helm/sio-edge/templates/configmap.yaml"), -1) {
		if !known[m[1]] {
			t.Errorf("configmap.yaml: there is no key %s", m[1])
		}
	}
	for file, form := range map[string]string{"docker/Dockerfile": `SIO_EDGE_[A-Z_]+`, "helm/sio-edge/templates/statefulset.yaml": `SIO_EDGE_[A-Z_]+`, "systemd/sio-edge.service": `(?m)^ExecStart=.*$`} {
		names := regexp.MustCompile(form).FindAllString(read(file), -1)
		if strings.HasPrefix(file, "systemd") {
			names = regexp.MustCompile(` --[a-z-]+`).FindAllString(strings.Join(names, ""), -1)
		}
		if len(names) == 0 {
			t.Errorf("%s sets nothing", file)
		}
		for _, name := range names {
			key := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "SIO_EDGE_")), "_", "-"), " --")
			if !known[key] && key != "once" && key != "json" {
				t.Errorf("%s: there is no key %s", file, key)
			}
		}
	}
	for _, line := range []string{"\nversion: " + version + "\n", "\nappVersion: \"" + version + "\"\n"} {
		if !strings.Contains(read("helm/sio-edge/Chart.yaml"), line) {
			t.Errorf("Chart.yaml does not say %q", line)
		}
	}
}
