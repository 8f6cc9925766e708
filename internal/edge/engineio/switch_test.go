package engineio

import (
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

// The answer to a usual upgrade is gorilla's, and what gorilla refuses is not usual.
func TestTheUsualAnswerIsGorillas(t *testing.T) {
	s := NewServer(Config{}, nothing{}, quiet)
	defer s.Close(t.Context())
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	usual := 0
	for _, connection := range [][]string{{"Upgrade"}, {"keep-alive, Upgrade"}, {"keep-alive"}, {"upgrade", "close"}, nil} {
		for _, upgrade := range [][]string{{"websocket"}, {"WebSocket"}, {"h2c"}, {"websocket, h2c"}, nil} {
			for _, version := range [][]string{{"13"}, {"8"}, {"13", "8"}, nil} {
				for _, k := range [][]string{{key}, {"AAAAAAAAAAAAAAAAAAAAAA=="}, {"dGhlIHNhbXBsZSBub25jZQ"}, {"dGhlIHNhbXBsZSBub25jZQAA"}, {"!GhlIHNhbXBsZSBub25jZQ=="}, {key + "\n"}, {key, key}, nil} {
					r := &http.Request{Method: http.MethodGet, Header: http.Header{"Connection": connection, "Upgrade": upgrade,
						"Sec-Websocket-Version": version, "Sec-Websocket-Key": k}}
					answer := s.usualAnswer(r)
					if answer == nil {
						continue
					}
					usual++
					var m memory
					u := websocket.Upgrader{CheckOrigin: anyOrigin, Error: func(_ http.ResponseWriter, _ *http.Request, _ int, reason error) {
						t.Errorf("%v: gorilla refuses it: %v", r.Header, reason)
					}}
					if _, err := u.Upgrade(&memoryResponse{nil, &m}, r, nil); err == nil && string(m.out) != string(answer) {
						t.Errorf("%v: %q, gorilla says %q", r.Header, answer, m.out)
					}
				}
			}
		}
	}
	if usual != 2*2*2 {
		t.Errorf("%d requests are usual", usual)
	}
	own := NewServer(Config{Headers: http.Header{"X-A": {"b"}}}, nothing{}, quiet)
	defer own.Close(t.Context())
	r := &http.Request{Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key}}}
	if s.usualAnswer(r) == nil || own.usualAnswer(r) != nil {
		t.Error("an answer with headers of its own is not the usual one")
	}
	r.Header["Sec-Websocket-Protocol"] = []string{"a"}
	if s.usualAnswer(r) != nil {
		t.Error("a sub-protocol is left out")
	}
}
