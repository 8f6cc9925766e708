package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// No log has what lets its reader in.
func TestLogsHoldNoSecrets(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		log := logger(settings{LogFormat: text(format)}, slog.LevelInfo, w)
		log.Info("handshake", "handshake", &engineio.Handshake{RemoteAddr: "192.0.2.1:5", RawQuery: "token=hunter2", Headers: []string{"cookie", "hunter2"}, At: time.Now()},
			"auth", `{"token":"hunter2"}`, "Authorization", "hunter2", "access_token", "hunter2", "x-token", "hunter2", "pid", 12)
		log.WithGroup("request").Info("x", "cookie", http.Cookie{Value: "hunter2"}, slog.Group("deep", "password", "hunter2"))
		log.Debug("hidden")
		w.Close()
		b, _ := io.ReadAll(r)
		if got := string(b); strings.Contains(got, "hunter2") || strings.Contains(got, "hidden") || !strings.Contains(got, "192.0.2.1:5") || strings.Count(got, "***") != 7 {
			t.Errorf("%s: %s", format, got)
		}
		if format == "json" && !json.Valid(b[:strings.IndexByte(string(b), '\n')]) {
			t.Errorf("not JSON: %s", b)
		}
	}
}
