package engineio

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestH33_EveryRefusalIsTold asks for a session in every way that is refused at the handshake, and
// looks at what the operator hears of it.
func TestH33_EveryRefusalIsTold(t *testing.T) {
	var mu sync.Mutex
	var told []string
	e := newEdge(t, Config{
		Refused: func(layer, reason string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, layer+": "+reason)
		},
		AllowRequest: func(r *http.Request) (bool, string) { return r.Header.Get("Token") == "", "no tokens" },
	}, &floor{})
	for _, row := range []struct {
		method, query string
		header        []string
		told          string
	}{
		{"GET", "EIO=4&transport=carrier-pigeon", nil, "http: transport"},
		{"GET", "EIO=4&transport=polling&sid=unknown", nil, "http: sid"},
		{"POST", "EIO=4&transport=polling", nil, "http: method"},
		{"GET", "EIO=4&transport=websocket", nil, "http: handshake"},
		{"GET", "EIO=4&transport=polling", []string{"Origin", "https://evil.example"}, "http: origin"},
		{"GET", "EIO=4&transport=polling", []string{"Token", "x"}, "http: forbidden"},
		{"GET", "EIO=3&transport=polling", nil, "http: version"},
	} {
		resp, _ := e.do(row.method, row.query, "", row.header...)
		mu.Lock()
		if got := strings.Join(told, ", "); got != row.told {
			t.Errorf("%s %s: told %q, want %q", row.method, row.query, got, row.told)
		}
		told = nil
		mu.Unlock()
		if resp.StatusCode < 400 {
			t.Errorf("%s %s: %d", row.method, row.query, resp.StatusCode)
		}
	}
}
