package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const isc = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
`

func TestCheck(t *testing.T) {
	dir := func(name, text string) string {
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return d
	}
	var out bytes.Buffer
	err := check(&out, []module{
		{"good@v1", dir("LICENSE.md", isc)}, {"other@v1", dir("LICENCE", "You may look at it.")}, {"none@v1", t.TempDir()},
	})
	if err == nil || strings.Contains(err.Error(), "good") || !strings.Contains(err.Error(), "other@v1: no licence") || !strings.Contains(err.Error(), "none@v1: no licence") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(out.String(), "ISC            good@v1") {
		t.Errorf("%s", &out)
	}
}
