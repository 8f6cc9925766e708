package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// player is a stock client's bytes on a WebSocket.
type player struct {
	t    *testing.T
	conn *websocket.Conn
}

func (p *process) play(t *testing.T, connect string) *player {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.clients, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &player{t, conn}
	c.read() // the handshake
	conn.WriteMessage(websocket.TextMessage, []byte(connect))
	return c
}

func (c *player) read() string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, b, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func (p *process) execute(t *testing.T, body string) {
	t.Helper()
	resp, err := http.Post(p.ops+"/sioedge.v1.CommandService/Execute", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}

// TestTheStoreIsRuinedWhileInUse: the edge goes on, and after kill -9 the next one has every
// session, room and packet, those from before the fault too.
func TestTheStoreIsRuinedWhileInUse(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	dir := t.TempDir()
	p := startEdge(t, "--data-dir", dir)
	c := p.play(t, "40")
	ids := regexp.MustCompile(`^40\{"sid":"(.*)","pid":"(.*)"\}$`).FindStringSubmatch(c.read())
	if ids == nil {
		t.Fatal("no session")
	}
	sid, pid := ids[1], ids[2]
	p.execute(t, `{"commands":[{"join":{"target":{"sids":["`+sid+`"]},"rooms":["lobby"]}},{"emit":{"target":{"rooms":["lobby"]},"event":"news","args":["before"]}}]}`)
	first := c.read()
	c.conn.Close()

	path := filepath.Join(dir, "sio-edge.db")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())), 0)
	f.Close()
	p.execute(t, `{"commands":[{"emit":{"target":{"rooms":["lobby"]},"event":"news","args":["after"]}}]}`)
	if aside, _ := filepath.Glob(path + ".damaged-*"); len(aside) != 1 {
		t.Errorf("set aside: %v", aside)
	}
	p.Process.Kill()
	p.Wait()
	if !strings.Contains(p.stderr.String(), "set aside as sio-edge.db.damaged-") {
		t.Errorf("told: %s", &p.stderr)
	}

	p = startEdge(t, "--data-dir", dir)
	c = p.play(t, `40{"pid":"`+pid+`"}`)
	for _, want := range []string{first, `42["news","after",`, `40{"sid":"` + sid + `","pid":"` + pid + `"}`} {
		if got := c.read(); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
