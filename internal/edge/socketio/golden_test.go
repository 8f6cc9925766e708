package socketio

import (
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
)

// The files in testdata/records are records as versions of this program wrote them; each is named
// by what it is and by the version that was the first to write it so. None is ever changed: they
// prove that a later version reads what an earlier one kept.
const goldenDir = "testdata/records"

// golden is the record in a file. SIOEDGE_GOLDEN=write makes files that are missing.
func golden(t *testing.T, name string, written []byte) []byte {
	t.Helper()
	path := filepath.Join(goldenDir, name+".hex")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("SIOEDGE_GOLDEN") == "write" {
		os.MkdirAll(goldenDir, 0o755)
		if err := os.WriteFile(path, []byte(lines(hex.EncodeToString(written))), 0o644); err != nil {
			t.Fatal(err)
		}
		return written
	}
	if err != nil {
		t.Fatal(err)
	}
	record, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 96 {
		b.WriteString(s[:96] + "\n")
		s = s[96:]
	}
	return b.String() + s + "\n"
}

// later is a record as a later version may write it: with fields that this one does not know.
func later(record []byte) []byte {
	b := appendGroup(append([]byte(nil), record...), 2000, []byte("new"))
	return appendUint(b, 2001, 7)
}

func TestGoldenSession(t *testing.T) {
	want := &sessionRecord{
		SID: "k3FzQaX9bTqLm0aB-_cd", PID: privateIDOf("p3FzQaX9bTqLm0aB-_cd"), Namespace: "/chat", UserID: "alice",
		Attributes: map[string]string{"tenant": "blue"},
		Rooms:      []absenceFromRoom{{room: "lobby", since: 3}, {room: "Grüße", since: 1 << 40}},
		Left:       []absenceFromRoom{{room: "old", since: 1, until: 9}},
		OpenedAt:   1_790_000_000_123_456_789, Revision: 12, Start: 2, Acked: 5, Last: 9, Seq: 1<<32 + 17,
		Until: 1_790_000_300_123_456_789, Boot: "0b3e6e2c-8f0e-4f0e-9d4e-0c8f6f6a2b11", BootUntil: 123_456_789_000,
		Reason: TransportClose,
	}
	proven := *want // as a version writes it that knows of tokens
	proven.Subject, proven.Expires, proven.From = "auth0|alice", 1_790_003_600, "2001:db8::1"
	for name, want := range map[string]*sessionRecord{"session-0.1.0": want, "session-proven-0.1.0": &proven, "session-hashed-0.1.0": &proven} {
		for _, record := range [][]byte{golden(t, name, appendSession(nil, want)), appendSession(nil, want)} {
			for _, b := range [][]byte{record, later(record)} {
				got, err := parseSession(b, nil)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%+v, %v\nwant %+v", got, err, want)
				}
			}
		}
	}
}

func TestGoldenPacket(t *testing.T) {
	srv := NewServer(Config{RecoveryWindow: time.Minute}, nil, nil, slog.New(slog.DiscardHandler))
	defer srv.Close()
	n := newNamespace(srv, "/chat", true)
	e := &Emit{
		Event: "news", Args: []byte(`[{"a":[1,2]},{"_placeholder":true,"num":0},9007199254740993]`), Attachments: [][]byte{{0, 1, 255}},
		TTL: time.Minute, ID: "order-1",
		Target: Target{Namespace: "/chat", Rooms: []string{"lobby"}, SIDs: []string{"s"}, UserIDs: []string{"alice"}, Everyone: true,
			ExceptRooms: []string{"muted"}, ExceptSIDs: []string{"x", "y"}},
	}
	const at, offset = 1_790_000_000_123_456_789, 77
	written := n.appendPacket(nil, e, &packet{at: at})
	for _, record := range [][]byte{golden(t, "packet-0.1.0", written), written} {
		for _, b := range [][]byte{record, later(record)} {
			p, id, err := parsePacket(n, offset, b)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(p.message.Text()); text != `51-/chat,["news",{"a":[1,2]},{"_placeholder":true,"num":0},9007199254740993,"25"]` {
				t.Errorf("text %s", text)
			}
			if id != e.ID || p.at != at || p.ttl != e.TTL || p.orphan || !reflect.DeepEqual(p.message.Attachments(), e.Attachments) || !reflect.DeepEqual(*p.target, e.Target) {
				t.Errorf("%+v %+v %q", p, p.target, id)
			}
		}
	}
}

func TestGoldenEvents(t *testing.T) {
	srv := NewServer(Config{RecoveryWindow: time.Minute}, nil, nil, slog.New(slog.DiscardHandler))
	defer srv.Close()
	socket := srv.socket("k3FzQaX9bTqLm0aB-_cd", "/chat")
	at := time.Unix(0, 1_790_000_000_123_456_789)
	session := Session{SID: socket.SID, Namespace: "/chat", Connection: "c", UserID: "alice", Attributes: map[string]string{"tenant": "blue"},
		Rooms: []string{"lobby"}, State: Open, OpenedAt: at, Revision: 3, Transport: "websocket", Recovered: true,
		Handshake: &engineio.Handshake{RemoteAddr: "192.0.2.1:5", Path: "/socket.io/", RawQuery: "EIO=4&token=x", Headers: []string{"user-agent", "", "cookie", "a=b"},
			Transport: "polling", Secure: true, At: at}}
	for name, want := range map[string]*Event{
		"event-0.1.0": {Kind: ClientEvent, Seq: 9, At: at, Name: "say", NumericName: true, Args: []byte(`["hi",{"_placeholder":true,"num":0}]`),
			Attachments: [][]byte{{1, 2, 3}}, WantsReply: true, ackID: 4},
		"opened-0.1.0":    {Kind: Opened, Seq: 1, At: at, Life: &Life{Session: session, Auth: []byte(`{"token":"t"}`)}},
		"suspended-0.1.0": {Kind: Suspended, Seq: 2, At: at, Life: &Life{Reason: PingTimeout, Until: at.Add(time.Minute)}},
		"resumed-0.1.0":   {Kind: Resumed, Seq: 3, At: at, Life: &Life{Session: session, Replayed: 5, Complete: true}},
		"closed-0.1.0":    {Kind: Closed, Seq: 4, At: at, Life: &Life{Session: session, Reason: EdgeRestart}},
	} {
		want.Socket = socket
		for _, record := range [][]byte{golden(t, name, AppendEvent(nil, want)), AppendEvent(nil, want)} {
			for _, b := range [][]byte{record, later(record)} {
				got, err := srv.ParseEvent(b)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got.Socket = socket // it has ended: each stands for itself
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %+v %+v\nwant %+v %+v", name, got, got.Life, want, want.Life)
				}
			}
		}
	}
}

// A start with a lower bound must neither fail nor take rooms from a session: it would miss what
// it has a right to.
func TestARestoredSessionKeepsItsRooms(t *testing.T) {
	srv := NewServer(Config{RecoveryWindow: time.Minute, RoomsPerSocket: 1}, nil, nil, slog.New(slog.DiscardHandler))
	defer srv.Close()
	r := &sessionRecord{SID: "s", PID: privateIDOf("p"), Namespace: "/", Rooms: []absenceFromRoom{{room: "a", since: 1}, {room: "b", since: 2}, {room: "c", since: 3}}}
	k := srv.namespace("/").restore(0, r, srv.instant())
	for i, m := range k.rooms {
		if m.room.name != r.Rooms[i].room || m.since != r.Rooms[i].since || m.room.members[m.pos] != k {
			t.Errorf("room %d: %+v", i, m)
		}
	}
	if len(k.rooms) != 3 {
		t.Errorf("%d rooms", len(k.rooms))
	}
}

// TestWindowsOfRestoredSessions: what is left of a window is told by the clock of the machine if
// it is still the same run of it, whatever the wall clock says, and never more than a window.
func TestWindowsOfRestoredSessions(t *testing.T) {
	const window = 10 * time.Minute
	srv := NewServer(Config{RecoveryWindow: window, Clock: Clock{Boot: "this", Since: func() time.Duration { return time.Hour }}}, nil, nil, slog.New(slog.DiscardHandler))
	defer srv.Close()
	wall := func(d time.Duration) int64 { return time.Now().Add(d).UnixNano() }
	for _, c := range []struct {
		what string
		r    sessionRecord
		want time.Duration
	}{
		{"the client was there", sessionRecord{}, window},
		{"same boot, wall clock a day ahead", sessionRecord{Until: wall(-24 * time.Hour), Boot: "this", BootUntil: int64(time.Hour + time.Minute)}, time.Minute},
		{"same boot, wall clock a day behind", sessionRecord{Until: wall(24 * time.Hour), Boot: "this", BootUntil: int64(time.Hour + time.Minute)}, time.Minute},
		{"same boot, over", sessionRecord{Until: wall(time.Minute), Boot: "this", BootUntil: int64(time.Hour - time.Minute)}, 0},
		{"another boot", sessionRecord{Until: wall(2 * time.Minute), Boot: "that", BootUntil: 1}, 2 * time.Minute},
		{"another boot, wall clock wrong", sessionRecord{Until: wall(24 * time.Hour), Boot: "that"}, window},
	} {
		got := srv.remaining(&c.r, srv.instant())
		if d := got - c.want; d > time.Second || d < -time.Second {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
