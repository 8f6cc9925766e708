package edge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const anUpgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// An upgrade that comes byte by byte is answered by the loop, with what came behind it.
func TestTheDoorReadsHeadsInPieces(t *testing.T) {
	s, engine := start(t, Config{})
	c := dial(t, s.Addr)
	for i := range len(anUpgrade) - 1 {
		io.WriteString(c, anUpgrade[i:i+1])
	}
	io.WriteString(c, anUpgrade[len(anUpgrade)-1:]+"early")
	if early := <-engine.early; early != "early" {
		t.Errorf("behind the head came %q", early)
	}
	taken := <-engine.hijacked
	defer taken.Close()
	if n := s.Open(); n != 0 {
		t.Errorf("%d connections are counted after the upgrade", n)
	}
	io.WriteString(taken, "answer")
	b := make([]byte, 6)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "answer" {
		t.Errorf("%q, %v", b, err)
	}
}

// What is no upgrade is served by net/http, for as long as the connection lasts.
func TestTheDoorPassesOn(t *testing.T) {
	s, _ := start(t, Config{})
	plain := strings.Replace(anUpgrade, "/socket.io/", "/socket.io/plain", 1)
	for name, first := range map[string]string{
		"a poll":                    "GET /socket.io/plain HTTP/1.1\r\nHost: a\r\n\r\n",
		"with an underscored field": strings.Replace(plain, "Host", "X_Secret: x\r\nHost", 1),
		"with a body":               strings.Replace(plain, "Host", "Content-Length: 2\r\nHost", 1) + "hi",
		"not a GET":                 strings.Replace(plain, "GET", "POST", 1),
		"with much behind it":       plain + strings.Replace(plain, "Host", "X: "+strings.Repeat("x", maxEarly)+"\r\nHost", 1),
	} {
		c := dial(t, s.Addr)
		r := bufio.NewReader(c)
		io.WriteString(c, first[:20])
		io.WriteString(c, first[20:])
		if status, body, closing := read(t, r); status != 200 || closing || !strings.Contains(body, " /socket.io/plain ") {
			t.Errorf("%s: %d %q, closing %v", name, status, body, closing)
		}
		if name == "with much behind it" {
			read(t, r)
		}
		io.WriteString(c, "GET /socket.io/again HTTP/1.1\r\nHost: a\r\n\r\n")
		if status, body, _ := read(t, r); status != 200 || body != `GET /socket.io/again "" ` {
			t.Errorf("%s, and again: %d %q", name, status, body)
		}
	}
	c := dial(t, s.Addr)
	io.WriteString(c, strings.Replace(anUpgrade, "/socket.io/", "/elsewhere", 1))
	if status, _, closing := read(t, bufio.NewReader(c)); status != 404 || !closing {
		t.Errorf("an upgrade elsewhere: %d, closing %v", status, closing)
	}
	c = dial(t, s.Addr)
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\nHost: a\r\n\r\n")
	if status, body, closing := read(t, bufio.NewReader(c)); status != 400 || !closing || body != faultLineEnd.reason+"\n" {
		t.Errorf("a broken head: %d %q, closing %v", status, body, closing)
	}
}

// An upgrade that the engine answers like any request is the last on its connection, and its answer
// arrives although the client sends more.
func TestTheDoorRefuses(t *testing.T) {
	s, engine := start(t, Config{})
	c := dial(t, s.Addr)
	io.WriteString(c, strings.Replace(anUpgrade, "/socket.io/", "/socket.io/plain", 1)+"more")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !resp.Close || err != nil || string(body) != `GET /socket.io/plain "" ` {
		t.Errorf("%s, %q, %v", resp.Status, body, err)
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Date: %v, %v", at, err)
	}
	for end := time.Now().Add(5 * time.Second); ; { // it may send on for a while, but not for ever
		if _, err := io.WriteString(c, "still here"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the connection stays open")
		}
		time.Sleep(10 * time.Millisecond) // more slowly than would end it for its bytes: it is to end for the time
	}
	if got := engine.requests(); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Who says nothing, or not all, is gone after the time for a head.
func TestTheDoorDoesNotWait(t *testing.T) {
	s, _ := start(t, Config{HeaderTimeout: 100 * time.Millisecond})
	for _, sent := range []string{"", anUpgrade[:40]} {
		c := dial(t, s.Addr)
		io.WriteString(c, sent)
		begin := time.Now()
		if b, err := io.ReadAll(c); len(b) != 0 || err != nil || time.Since(begin) < 50*time.Millisecond {
			t.Errorf("%q: %q, %v after %v", sent, b, err, time.Since(begin))
		}
	}
}

// A panic ends one connection.
func TestTheDoorSurvivesAPanic(t *testing.T) {
	s, engine := start(t, Config{})
	c := dial(t, s.Addr)
	io.WriteString(c, strings.Replace(anUpgrade, "/socket.io/", "/socket.io/panic", 1))
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	c = dial(t, s.Addr)
	io.WriteString(c, anUpgrade)
	(<-engine.hijacked).Close()
}

// Connections that say nothing take no turn for good: the next ones come in.
func TestTheDoorTakesMoreThanHasTurns(t *testing.T) {
	s, engine := start(t, Config{HeaderTimeout: time.Minute})
	for range 3 * cap(s.listener.turns) {
		dial(t, s.Addr)
	}
	io.WriteString(dial(t, s.Addr), anUpgrade)
	select {
	case c := <-engine.hijacked:
		c.Close()
	case <-time.After(5 * time.Second):
		t.Error("a connection behind silent ones is not served")
	}
}

// The drain does not wait for who stands at the door.
func TestTheDoorCloses(t *testing.T) {
	s, _ := start(t, Config{})
	c := dial(t, s.Addr)
	for end := time.Now().Add(5 * time.Second); s.Open() == 0; time.Sleep(time.Millisecond) { // until it is accepted
		if time.Now().After(end) {
			t.Fatal("it is not accepted")
		}
	}
	begin := time.Now()
	if err := s.drain(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := net.Dial("tcp", s.Addr.String()); err == nil {
		t.Error("the listener is open")
	}
}
