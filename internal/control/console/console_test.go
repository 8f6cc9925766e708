package console

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	Mount(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestPage(t *testing.T) {
	for path, want := range map[string]struct {
		code int
		kind string
	}{
		"/":            {200, "text/html; charset=utf-8"},
		"/console.js":  {200, "text/javascript; charset=utf-8"},
		"/console.css": {200, "text/css; charset=utf-8"},
		"/icon.svg":    {200, "image/svg+xml"},
		"/console.go":  {404, "text/plain; charset=utf-8"},
		"/../../etc":   {307, ""},
	} {
		w := get(t, http.MethodGet, path)
		if w.Code != want.code || want.code != 307 && w.Header().Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s, want %d %s", path, w.Code, w.Header().Get("Content-Type"), want.code, want.kind)
		}
		if w.Code == 200 && w.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: no policy", path)
		}
	}
	if w := get(t, http.MethodPost, "/"); w.Code != 404 {
		t.Errorf("POST: %d", w.Code)
	}
}

// The page works without a network: it names no other host, and nothing in it makes markup of text.
func TestFiles(t *testing.T) {
	page, _ := fs.Sub(files, "page")
	size := 0
	err := fs.WalkDir(page, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(page, path)
		size += len(b)
		text := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{`https?://`, `innerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\(`, `<style`, ` on[a-z]+="`, `style="`} {
			if found := regexp.MustCompile(bad).FindString(text); found != "" {
				t.Errorf("%s: %s", path, found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 64<<10 {
		t.Errorf("%d bytes", size)
	}
}
