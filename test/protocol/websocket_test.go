package protocol

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestW01_Text(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	w.send(t, "4hello")
	w.want(t, "4hello")
}

func TestW02_Binary(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	w.sendBinary(t, 1, 2, 3, 4)
	w.want(t, "bAQIDBA==")
}

func TestW02_EmptyBinary(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	w.sendBinary(t)
	w.want(t, "b")
}

func TestW03_W12_E02_InvalidPacketCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for _, packet := range []string{"abc", "", "9"} {
			t.Run(fmt.Sprintf("%q", packet), func(t *testing.T) {
				w := engine(t, base)
				w.send(t, packet)
				w.wantEnd(t)
			})
		}
	})
}

func TestW04_OversizeMessage(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	// The server may close while the message is still being written.
	_ = w.WriteMessage(websocket.TextMessage, []byte("4"+strings.Repeat("a", 1_000_000)))
	if seen := w.wantEnd(t); len(seen) > 0 {
		t.Errorf("got %.40q, want nothing", seen)
	}
	if !websocket.IsCloseError(w.err, websocket.CloseMessageTooBig) && !*reference {
		t.Logf("ended with %v", w.err) // the close frame is lost when the connection is reset
	}
}

func TestW04_LargestMessage(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	text := "4" + strings.Repeat("a", 999_999)
	w.send(t, text)
	w.want(t, text)
}

func TestW05_ManyMessagesInOrder(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("4%d", i))
	}
	w.send(t, want...)
	w.want(t, want...)
}

func TestW06_Base64TextFrame(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	w.send(t, "bAQIDBA==")
	w.want(t, "bAQIDBA==")
}

func TestW08_EndWithoutStatus(t *testing.T) {
	w := engine(t, calm(t).engineIO)
	w.send(t, "abc")
	w.wantEnd(t)
	if !websocket.IsCloseError(w.err, websocket.CloseNoStatusReceived) {
		t.Errorf("ended with %v, want a close frame without status", w.err)
	}
}

func TestW10_FirstSubprotocol(t *testing.T) {
	w, r, err := tryDial(t.Context(), calm(t).engineIO, "EIO=4&transport=websocket", "Sec-WebSocket-Protocol: one, two")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := r.Header.Get("Sec-WebSocket-Protocol"); got != "one" {
		t.Errorf("subprotocol %q, want the first that was offered", got)
	}
}

func TestC30_NoCompressionByDefault(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		r := do(t, "GET", base+"?EIO=4&transport=websocket", "", append(slices.Clone(upgrade), "Sec-WebSocket-Extensions: permessage-deflate")...)
		if got := r.Header.Get("Sec-WebSocket-Extensions"); r.Status != 101 || got != "" {
			t.Errorf("got %d and the extensions %q, want 101 and none", r.Status, got)
		}
	})
}

func TestC02_C08_Headers(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		r := do(t, "GET", base+"?EIO=4&transport=polling", "")
		for name, want := range map[string]string{"Cache-Control": "no-store", "Set-Cookie": ""} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := strings.ToLower(r.Header.Get("Content-Type")); got != "text/plain; charset=utf-8" {
			t.Errorf("Content-Type: %q, want text/plain in UTF-8", got)
		}
	})
}

func TestC13_NoCORSByDefault(t *testing.T) {
	r := do(t, "GET", plain(t).socketIO+"?EIO=4&transport=polling", "", "Origin: https://good.example")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("Access-Control-Allow-Origin: %q, want none", got)
	}
}

func TestC14_Preflight(t *testing.T) {
	r := do(t, "OPTIONS", calm(t).socketIO+"?EIO=4&transport=polling", "",
		"Origin: https://good.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-token")
	if r.Status != http.StatusNoContent {
		t.Fatalf("got %d %q, want 204", r.Status, r.Body)
	}
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "https://good.example" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
	if got := r.Header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, "POST") {
		t.Errorf("Access-Control-Allow-Methods: %q, want POST among them", got)
	}
	if got := r.Header.Get("Access-Control-Allow-Headers"); !strings.EqualFold(got, "x-token") {
		t.Errorf("Access-Control-Allow-Headers: %q, want the one asked for", got)
	}
}

func TestC15_AllowedOrigin(t *testing.T) {
	r := do(t, "GET", calm(t).socketIO+"?EIO=4&transport=polling", "", "Origin: https://good.example")
	r.want(t, 200, "*")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "https://good.example" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
	if got := r.Header.Get("Access-Control-Allow-Credentials"); got != "true" {
		t.Errorf("Access-Control-Allow-Credentials: %q, want true", got)
	}
	if got := r.Header.Get("Vary"); !strings.Contains(got, "Origin") {
		t.Errorf("Vary: %q, want Origin", got)
	}
}

func TestC15_AnyOrigin(t *testing.T) {
	r := do(t, "GET", quick(t).socketIO+"?EIO=4&transport=polling", "", "Origin: https://any.example")
	r.want(t, 200, "*")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "*" && got != "https://any.example" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
}

func TestC16_BadOrigin(t *testing.T) {
	r := do(t, "GET", calm(t).socketIO+"?EIO=4&transport=polling", "", "Origin: https://evil.example")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got == "*" || got == "https://evil.example" {
		t.Errorf("Access-Control-Allow-Origin: %q for an origin that is not allowed", got)
	}
}

func TestC19_OriginOfWebSockets(t *testing.T) {
	if *reference {
		t.Skip("the official server does not check it")
	}
	if w, r, err := tryDial(t.Context(), calm(t).socketIO, "EIO=4&transport=websocket", "Origin: https://evil.example"); err == nil {
		w.Close()
		t.Error("a WebSocket of an origin that is not allowed was accepted")
	} else if r.Status < 400 {
		t.Errorf("got %d, %v", r.Status, err)
	}
	dial(t, calm(t).socketIO, "EIO=4&transport=websocket", "Origin: https://good.example")
}

func TestH46_ErrorsCarryCORS(t *testing.T) {
	r := do(t, "GET", calm(t).socketIO+"?EIO=4&transport=polling&sid=abc", "", "Origin: https://good.example")
	r.want(t, 400, "*")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "https://good.example" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
}
