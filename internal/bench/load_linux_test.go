package bench

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sio-edge/sio-edge/bench/peers/faked"
)

// faulty is a server that does something wrong with its hundredth answer.
func faulty(t *testing.T, fault func(answer []byte, write func([]byte))) Target {
	t.Helper()
	hs := httptest.NewServer(misbehave(fault))
	t.Cleanup(hs.Close)
	return Target{Addr: hs.Listener.Addr().String(), Path: "/", PID: os.Getpid()}
}

func misbehave(fault func(answer []byte, write func([]byte))) http.Handler {
	var upgrader websocket.Upgrader
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		write := func(b []byte) { ws.WriteMessage(websocket.TextMessage, b) }
		write(faked.Handshake(time.Minute))
		for n := 0; ; n++ {
			_, packet, err := ws.ReadMessage()
			if err != nil {
				return
			}
			answer, everyone := faked.Answer(nil, packet)
			answer = append(answer, everyone...)
			if n == 100 {
				fault(answer, write)
			} else if len(answer) > 0 {
				write(answer)
			}
		}
	})
}

// The same over TLS, also with more than one record holds.
func TestOverTLS(t *testing.T) {
	hs := httptest.NewUnstartedServer(misbehave(func(a []byte, write func([]byte)) { write(a) }))
	hs.Config.ErrorLog = log.New(io.Discard, "", 0)
	hs.StartTLS()
	t.Cleanup(hs.Close)
	roots := x509.NewCertPool()
	roots.AddCert(hs.Certificate())
	target := Target{Addr: hs.Listener.Addr().String(), Path: "/", PID: os.Getpid(), TLS: &tls.Config{RootCAs: roots}}
	for _, text := range []string{"echo-3x4", "echo-2x400", "churn-2", "broadcast-1"} {
		s, err := ParseScenario(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), target, s, Options{For: 200 * time.Millisecond, Settle: time.Second})
		if err != nil || !r.Clean() || r.Done < 10 {
			t.Errorf("%s: %v, %s, %d done", text, err, r.Faults(), r.Done)
		}
	}
	target.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	if _, err := Run(t.Context(), target, Scenario{Kind: "echo", A: 1, B: 1}, Options{For: time.Second}); err == nil {
		t.Error("speaks with a server whose certificate nobody signed")
	}
}

func TestFaultsAreCounted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		scenario Scenario
		fault    func(answer []byte, write func([]byte))
		want     Result
	}{
		{"none", Scenario{Kind: "echo", A: 1, B: 4}, func(a []byte, write func([]byte)) { write(a) }, Result{}},
		{"lost", Scenario{Kind: "echo", A: 1, B: 4}, func([]byte, func([]byte)) {}, Result{Lost: 1, Reordered: 3}},
		{"twice", Scenario{Kind: "echo", A: 1, B: 4}, func(a []byte, write func([]byte)) { write(a); write(a) }, Result{Wrong: 1}},
		{"other arguments", Scenario{Kind: "echo", A: 1, B: 4}, func(a []byte, write func([]byte)) {
			write(bytes.Replace(a, []byte("xxx"), []byte("xyx"), 1))
		}, Result{Wrong: 1, Lost: 1, Reordered: 3}},
		{"broadcast lost", Scenario{Kind: "broadcast", A: 1, B: 1}, func([]byte, func([]byte)) {}, Result{Lost: 1, Reordered: 1}},
		{"broadcast twice", Scenario{Kind: "broadcast", A: 1, B: 1}, func(a []byte, write func([]byte)) { write(a); write(a) }, Result{Wrong: 1}},
		{"broadcast too early", Scenario{Kind: "broadcast", A: 1, B: 1, Rate: 1000}, func(a []byte, write func([]byte)) {
			write(bytes.Replace(a, []byte(",99,"), []byte(",98,"), 1))
		}, Result{Wrong: 1, Lost: 1, Reordered: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := faulty(t, tt.fault)
			r, err := Run(t.Context(), target, tt.scenario, Options{For: 300 * time.Millisecond, Settle: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if r.Clean() && (r.Done < 100 || r.PerCPU == 0) {
				t.Errorf("%d done, %g per CPU second: nothing was measured", r.Done, r.PerCPU)
			}
			if r.Lost != tt.want.Lost || r.Wrong != tt.want.Wrong || r.Reordered != tt.want.Reordered || r.Dropped != 0 {
				t.Errorf("%s; want %s", r.Faults(), tt.want.Faults())
			}
		})
	}
}

func TestDroppedConnection(t *testing.T) {
	target := faulty(t, func(_ []byte, write func([]byte)) { write(nil); panic(http.ErrAbortHandler) })
	r, err := Run(t.Context(), target, Scenario{Kind: "echo", A: 2, B: 2}, Options{For: 300 * time.Millisecond, Settle: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Dropped == 0 {
		t.Errorf("%s; want dropped connections", r.Faults())
	}
}

func TestScenarioText(t *testing.T) {
	for _, text := range []string{"idle-10000", "echo-100x10", "echo-20x1@2000", "broadcast-5000@3", "rooms-1000x10", "churn-64"} {
		s, err := ParseScenario(text)
		if err != nil || s.String() != text {
			t.Errorf("%s: %s, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "echo", "echo-", "echo-0", "echo-10x", "echo-10@0", "dance-10"} {
		if s, err := ParseScenario(text); err == nil {
			t.Errorf("%q is %s", text, s)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want string
	}{
		{[]float64{3, 1, 2}, "2 (1–3)"},
		{[]float64{4, 1, 2, 3}, "2.5 (1–4)"},
		{[]float64{186e3}, "186k"},
		{[]float64{1234567}, "1.23M"},
	} {
		if got := SpreadOf(tt.in).String(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.in, got, tt.want)
		}
	}
}
