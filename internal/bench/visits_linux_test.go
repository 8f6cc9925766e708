package bench

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestVisits(t *testing.T) {
	churn, o := Scenario{Kind: "churn", A: 3}, Options{For: 300 * time.Millisecond}
	hs := httptest.NewServer(misbehave(func(a []byte, write func([]byte)) { write(a) }))
	t.Cleanup(hs.Close)
	target := Target{Addr: hs.Listener.Addr().String(), Path: "/", PID: os.Getpid()}
	r, err := Run(t.Context(), target, churn, o)
	if err != nil || !r.Clean() || r.Done < 10 || r.PerCPU == 0 || r.P50 == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"503 Service Unavailable": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"unexpected EOF":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		hs := httptest.NewServer(answer)
		target.Addr = hs.Listener.Addr().String()
		r, err := Run(t.Context(), target, churn, o)
		if err == nil || !strings.Contains(err.Error(), name) || r.Lost < 3 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		hs.Close()
	}
	target.Addr = "127.0.0.1:1"
	if _, err := Run(t.Context(), target, churn, o); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}
