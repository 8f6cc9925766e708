package edge

import (
	"io"
	"net/http"
	"os"
	"path"
	"strings"
)

// staticFiles serves a directory and nothing outside of it: links that lead out are not followed,
// directories are not listed, names that begin with a dot do not exist.
type staticFiles struct{ root *os.Root }

func (s *staticFiles) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	if strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
		plain(w, http.StatusNotFound, "")
		return
	}
	f, err := s.root.Open(name)
	if err != nil {
		plain(w, http.StatusNotFound, "")
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		plain(w, http.StatusNotFound, "")
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // revalidated, by time: right for pages that are edited
	http.ServeContent(w, r, path.Base(name), info.ModTime(), io.ReadSeeker(f))
}
