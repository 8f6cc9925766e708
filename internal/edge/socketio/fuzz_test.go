package socketio

import (
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// nobody is a Backend that hears of everything and does nothing.
type nobody struct{}

func (nobody) Deliver(*Event) bool        { return true }
func (nobody) Release(*Event)             {}
func (nobody) Changed(Change)             {}
func (nobody) Admission(string) Admission { return Free }

func quietServer() *Server {
	return NewServer(Config{RecoveryWindow: time.Minute}, nobody{}, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// FuzzRecord: a stored record whose check was right says something or is refused, and costs what it is
// long. A session that was read is written as what reads the same.
func FuzzRecord(f *testing.F) {
	session := &sessionRecord{SID: "sid", PID: privateIDOf("pid"), Namespace: "/chat", UserID: "ann", Attributes: map[string]string{"a": "b"},
		Rooms: []absenceFromRoom{{room: "r", since: 7}}, Left: []absenceFromRoom{{room: "l", since: 1, until: 2}}, OpenedAt: 1, Revision: 2,
		Start: 3, Acked: 4, Last: 5, Seq: 6, Until: 7, Boot: "boot", BootUntil: 8, Reason: TransportClose}
	f.Add(appendSession(nil, session))
	s := quietServer()
	f.Cleanup(s.Close)
	n := s.namespace("/chat")
	socket := newSocket(n)
	f.Add(AppendEvent(nil, &Event{Kind: ClientEvent, Socket: socket, Seq: 1, At: time.Unix(1, 0), Name: "say", Args: []byte(`["hi"]`), Attachments: [][]byte{{1}}, WantsReply: true}))
	f.Add(AppendEvent(nil, &Event{Kind: Closed, Socket: socket, Seq: 2, At: time.Unix(1, 0), Life: &Life{Reason: PingTimeout}}))
	f.Add(appendGroup(appendString(appendUint(nil, 8, 1<<63), 1, "x"), 5, []byte{0xff}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		kept, err := parseSession(b, nil)
		s.ParseEvent(b)
		parsePacket(n, 1, b)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(60*len(b)+64<<10); got > most {
			t.Errorf("%d bytes cost %d bytes of memory, %d at most", len(b), got, most)
		}
		if err != nil {
			return
		}
		again, err := parseSession(appendSession(nil, kept), nil)
		if err != nil || !reflect.DeepEqual(again, kept) {
			t.Errorf("%+v became %+v, %v", kept, again, err)
		}
	})
}

// FuzzOffset: a client comes back with an offset that was given out, or not to its session.
func FuzzOffset(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "7", "8", "a", "zz", "-1", "+1", "01", "1.0", "1e1", "zzzzzzzzzzzzz", "zzzzzzzzzzzzzz", " 1", "A"} {
		f.Add("pid", seed)
	}
	f.Add("", "1")
	f.Add("other", "")
	s := quietServer()
	f.Cleanup(s.Close)
	n := s.namespace("/")
	n.log.head = 40
	mine := newSocket(n)
	n.pids[privateIDOf("pid")] = mine
	f.Fuzz(func(t *testing.T, pid, offset string) {
		got := n.resumable(pid, offset)
		given := offset == ""
		for o := range n.log.head + 1 {
			given = given || strconv.FormatUint(o, 36) == offset
		}
		if (got == mine) != (pid == "pid" && given) {
			t.Errorf("pid %q, offset %q: %v", pid, offset, got)
		}
	})
}
