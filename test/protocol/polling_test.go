package protocol

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestP01_P04_OneTextPacket(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	p.send(t, "4hello")
	p.get(t).want(t, 200, "4hello")
}

func TestP02_SeveralTextPackets(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	p.send(t, "4test1\x1e4test2\x1e4test3")
	wantPackets(t, p.receive(t, 3), "4test1", "4test2", "4test3")
}

func TestP03_TextAndBinary(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	p.send(t, "4hello\x1ebAQIDBA==")
	wantPackets(t, p.receive(t, 2), "4hello", "bAQIDBA==")
}

func TestP05_E02_InvalidPacketCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		for _, body := range []string{"abc", "", "9", "3\x1e", "3\x1eabc"} {
			t.Run(fmt.Sprintf("%q", body), func(t *testing.T) {
				p := poll(t, base)
				if r, err := roundTrip(t.Context(), "POST", p.url, body); err == nil && r.Status != 400 && r.Status != 200 {
					t.Errorf("got %d %q, want 400, ok or a closed connection", r.Status, r.Body)
				}
				p.wantGone(t)
			})
		}
	})
}

func TestP05_InvalidBase64Closes(t *testing.T) {
	if *reference {
		t.Skip("the official server takes what it can read")
	}
	p := poll(t, calm(t).engineIO)
	_, _ = roundTrip(t.Context(), "POST", p.url, "b!") // refused or taken, the session ends
	p.wantGone(t)
}

func TestP06_DuplicateGETCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		// Which of the two is the duplicate is for the server to say.
		a, b := p.start(t.Context()), p.start(t.Context())
		first, second := <-a, <-b
		if first.Status != 200 {
			first, second = second, first
		}
		first.want(t, 200, "1")
		if second.Status != 400 && second.Status != 500 {
			t.Errorf("the duplicate got %d %q, want 400", second.Status, second.Body)
		}
		p.wantGone(t)
	})
}

func TestP07_CancelledGETCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		ctx, cancel := context.WithCancel(t.Context())
		done := p.start(ctx)
		cancel()
		<-done
		p.wantGone(t)
	})
}

func TestP08_OverlappingPOSTCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		openRaw(t, "POST", p.url, "Content-Length: 100", "4abc")
		// Whether the first request was read already cannot be seen from here, only that in
		// the end one of the later ones overlaps it.
		overlapped := false
		for range 1000 {
			r := p.post(t, "3")
			if overlapped = r.Status == 400; overlapped {
				break
			}
			r.want(t, 200, "ok")
		}
		if !overlapped {
			t.Fatal("no POST was refused while another one was under way")
		}
		p.wantGone(t)
	})
}

func TestP09_OctetStreamCloses(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		if r := do(t, "POST", p.url, "4abc", "Content-Type: application/octet-stream"); r.Status != 400 {
			t.Errorf("got %d %q, want 400", r.Status, r.Body)
		}
		p.wantGone(t)
	})
}

// The front door of the edge stands where the official server has its middlewares (C25).
func TestP10_P12_OversizeBody(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		r, err := roundTrip(t.Context(), "POST", p.url, "4"+strings.Repeat("a", 1_000_000))
		if err == nil && r.Status != 413 { // the connection may be closed while we still write
			t.Errorf("got %d %q, want 413", r.Status, r.Body)
		}
		wantAfterOversize(t, p)
	})
}

// wantAfterOversize fails unless the session is as it should be after a refused body. The official
// server carries on; the edge ends the session, so that its client does not go on without
// the packets that were in the body.
func wantAfterOversize(t *testing.T, p polling) {
	t.Helper()
	if *reference {
		p.send(t, "3")
	} else {
		p.wantGone(t)
	}
}

func TestP11_LargestBody(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	body := "4" + strings.Repeat("a", 999_999)
	p.send(t, body)
	p.get(t).want(t, 200, body)
}

func TestP13_BodyInPieces(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	text := "4h\u00e9 \u4f60\u597d \U0001f600"
	conn := openRaw(t, "POST", p.url, fmt.Sprintf("Content-Length: %d", len(text)), "")
	for i := range len(text) { // also in the middle of characters
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	conn.want(t, 200)
	p.get(t).want(t, 200, text)
}

func TestP14_ChunkedBody(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	conn := openRaw(t, "POST", p.url, "Transfer-Encoding: chunked", "3\r\n4he\r\n3\r\nllo\r\n0\r\n\r\n")
	conn.want(t, 200)
	p.get(t).want(t, 200, "4hello")
}

func TestP14_ChunkedBodyIsLimited(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		// A reader of unknown length makes the client send chunks.
		endless := io.MultiReader(strings.NewReader("4"), strings.NewReader(strings.Repeat("a", 1_000_001)))
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.url, endless)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := browser.Do(req); err == nil {
			defer res.Body.Close()
			if res.StatusCode != 413 {
				t.Errorf("got %d, want 413", res.StatusCode)
			}
		}
		wantAfterOversize(t, p)
	})
}

func TestP16_Text(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	p.send(t, "4\u4f60\u597d \U0001f600 \u2028\u00e9")
	r := p.get(t)
	r.want(t, 200, "4\u4f60\u597d \U0001f600 \u2028\u00e9")
	if got := r.Header.Get("Content-Length"); got != "" && got != fmt.Sprint(len(r.Body)) {
		t.Errorf("Content-Length is %s of %d bytes", got, len(r.Body))
	}
}

func TestP17_P22_ManyMessagesInOrder(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("4%d", i))
	}
	for i := 0; i < len(want); i += 100 {
		p.send(t, strings.Join(want[i:i+100], "\x1e"))
	}
	wantPackets(t, p.receive(t, len(want)), want...)
}

func TestP18_ConnectionCloseHeader(t *testing.T) {
	p := poll(t, calm(t).engineIO)
	do(t, "POST", p.url, "4hello", "Connection: close").want(t, 200, "ok")
	do(t, "GET", p.url, "", "Connection: close").want(t, 200, "4hello")
	p.send(t, "4again")
	p.get(t).want(t, 200, "4again")
}

func TestP19_PingWaitsForGET(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, base string) {
		// The first GET comes when the ping may long be due, in any case before the timeout.
		p := poll(t, base)
		p.get(t).want(t, 200, "2")
	})
}

func TestH48_OtherMethodsOnASession(t *testing.T) {
	everywhere(t, calm, func(t *testing.T, base string) {
		p := poll(t, base)
		for _, method := range []string{"PUT", "DELETE"} {
			if r := do(t, method, p.url, ""); r.Status < 400 {
				t.Errorf("%s got %d %q, want a refusal", method, r.Status, r.Body)
			}
		}
		p.send(t, "3")
	})
}

func wantPackets(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got the packets %.500q, want %.500q", got, want)
	}
}

// raw is a request that is written by hand.
type raw struct{ net.Conn }

// openRaw writes a request with one header line, and the beginning of its body.
func openRaw(t *testing.T, method, target, header, body string) raw {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n%s", method, u.RequestURI(), u.Host, header, body); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return raw{conn}
}

func (r raw) want(t *testing.T, status int) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != status {
		t.Fatalf("got %d, want %d", res.StatusCode, status)
	}
}
