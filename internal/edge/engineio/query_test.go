package engineio

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery compares with net/url, which is not as strict: what is accepted is read the same.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "EIO=4&transport=polling", "EIO=4&transport=websocket&sid=abc", "EIO=4&EIO=4", "tr%61nsport=x&transport=y", "sid[]=1&sid=", "a=%zz", "a;b=c", "&&=&=",
		"j=0&b64=1", strings.Repeat("a&", 64), strings.Repeat("a&", 65), "EIO", "a+b=c%20d", "sid=%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, ok := parseQuery(raw, 64)
		if !ok {
			return
		}
		if n := strings.Count(raw, "&"); n > 64 {
			t.Errorf("%d parameters are accepted", n+1)
		}
		if strings.Contains(raw, ";") {
			return // net/url takes them for a mistake, we for text
		}
		want, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q: net/url refuses it: %v", raw, err)
		}
		for key, got := range map[string]string{"EIO": q.eio, "transport": q.transport, "sid": q.sid} {
			if got != want.Get(key) || len(want[key]) > 1 {
				t.Errorf("%q: %s is %q, net/url has %q", raw, key, got, want[key])
			}
		}
		if q.jsonp != want.Has("j") {
			t.Errorf("%q: jsonp %v", raw, q.jsonp)
		}
	})
}
