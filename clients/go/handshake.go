package sioedge

import (
	"encoding/json"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Auth is the JSON object that a client gave as auth when it connected; nil if it gave none.
type Auth json.RawMessage

// String returns the member called key, empty if there is none or it is not a string.
func (a Auth) String(key string) string {
	var members map[string]json.RawMessage
	var value string
	if a.Bind(&members) != nil || json.Unmarshal(members[key], &value) != nil {
		return ""
	}
	return value
}

// Bind decodes the object into v. Without auth it leaves v alone.
func (a Auth) Bind(v any) error {
	if len(a) == 0 {
		return nil
	}
	return json.Unmarshal(a, v)
}

// MarshalJSON returns the object as the client wrote it, {} if it gave none.
func (a Auth) MarshalJSON() ([]byte, error) {
	if len(a) == 0 {
		return []byte("{}"), nil
	}
	return a, nil
}

// Handshake is the HTTP request that opened a client's connection.
type Handshake struct {
	RemoteAddr string            // "192.0.2.7:51000"
	Path       string            // "/socket.io/"
	Query      map[string]string // reserved keys included
	Headers    map[string]string // by lower-case name
	Transport  string            // "polling" or "websocket"
	Secure     bool              // TLS ended at the edge
	At         time.Time
}

func newHandshake(h *pb.Handshake) Handshake {
	return Handshake{
		RemoteAddr: h.GetRemoteAddr(),
		Path:       h.GetPath(),
		Query:      h.GetQuery(),
		Headers:    h.GetHeaders(),
		Transport:  h.GetTransport(),
		Secure:     h.GetSecure(),
		At:         h.GetIssuedAt().AsTime(),
	}
}
