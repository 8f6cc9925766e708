package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// This test is a Go binary itself.
func TestBillOfMaterials(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := write(w, self, "1.2.3"); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("twice the same binary, and not the same bill")
	}
	var b bom
	if err := json.Unmarshal(first.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Metadata.Component.Version != "1.2.3" || len(b.Metadata.Component.Hashes) != 1 {
		t.Errorf("%+v", b)
	}
	if len(b.Components) == 0 || b.Components[0].Name != "std" || strings.HasPrefix(b.Components[0].Version, "go") {
		t.Errorf("components: %+v", b.Components)
	}
	if err := write(&first, "main_test.go", "1.2.3"); err == nil {
		t.Error("a bill of a text file")
	}
}
