package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type tailCmd struct {
	remote
	selection
	Event  []string      `short:"e" sep:"none" help:"Only events with this name; * stands for any text. May be repeated."`
	Full   bool          `help:"Do not shorten arguments."`
	Hold   time.Duration `default:"500ms" help:"How long a line waits for the end of its event, so that both are one line; those behind it wait too."`
	Count  int           `short:"c" help:"End after so many lines."`
	Follow bool          `short:"f" help:"As with other tails. This one always follows: nothing is kept to begin with."`
}

// Help is shown by --help.
func (tailCmd) Help() string {
	return `One line for each thing that passes:
  >  a client emitted, and -> what its callback got; behind it who handled it, and how long that took
  <  a backend emitted, and how many sockets got it
  ?  a client asks to come in    +  a session began     -  it ended
  x  the connection was lost     ~  the client is back  !  a backend handed an event back
  =  an event that was shown before was settled only now

A tail that is read too slowly misses entries and says how many; nobody else waits for it.

Examples:
  sio-edge tail
  sio-edge tail --sid k3Fz…Qa
  sio-edge tail --room lobby --event 'say*'
  sio-edge tail --json | jq .event.clientEvent.name`
}

// Run prints entries until Ctrl-C.
func (c *tailCmd) Run() error {
	return c.call(func(ctx context.Context, conn *grpc.ClientConn) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		req := &pb.TailEventsRequest{Events: c.Event}
		if c.named() || c.Namespace != "/" || len(c.ExceptRoom)+len(c.ExceptSid) > 0 {
			var err error
			if req.Filter, err = c.filter(ctx, conn); err != nil {
				return err
			}
		}
		stream, err := pb.NewAdminServiceClient(conn).TailEvents(ctx, req)
		if err != nil {
			return err
		}
		entries, failed := make(chan *pb.TailEventsResponse), make(chan error, 1)
		go func() { // ends with ctx
			for {
				m, err := stream.Recv()
				if err != nil {
					failed <- err
					return
				}
				select {
				case entries <- m:
				case <-ctx.Done():
					failed <- ctx.Err()
					return
				}
			}
		}()
		t := tailer{page: stdout(), full: c.Full, json: c.JSON, hold: c.Hold, left: c.Count}
		defer t.print(time.Time{})
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for !t.done() {
			select {
			case m := <-entries:
				if err := t.add(m); err != nil {
					return err
				}
			case <-tick.C:
				t.print(time.Now())
			case err := <-failed:
				return err
			}
		}
		return nil
	})
}

// tailer makes lines of entries.
type tailer struct {
	page  *page
	full  bool
	json  bool
	hold  time.Duration
	left  int // lines to print; 0: no end
	ended bool

	lines []*tailLine
	late  map[uint64]string // names of events whose lines did not wait any longer, by offset
}

type tailLine struct {
	at         time.Time
	who        string
	mark       string
	what, note string
	offset     uint64    // of the client event that is not settled; 0: nothing to wait for
	until      time.Time // the line waits no longer
}

// add takes an entry and prints what is complete.
func (t *tailer) add(m *pb.TailEventsResponse) error {
	if t.json {
		t.count()
		return printJSON(os.Stdout, m)
	}
	at := m.At.AsTime().Local()
	switch e := m.Entry.(type) {
	case *pb.TailEventsResponse_Event:
		l := eventLine(at, e.Event)
		l.until = time.Now().Add(t.hold)
		t.lines = append(t.lines, l)
	case *pb.TailEventsResponse_Emitted:
		t.lines = append(t.lines, emittedLine(at, e.Emitted))
	case *pb.TailEventsResponse_Settled:
		t.settled(at, e.Settled)
	case *pb.TailEventsResponse_Missed:
		t.lines = append(t.lines, &tailLine{at: at, mark: "…", what: plural(e.Missed, "entry") + " missed: this reader is too slow"})
	}
	t.print(time.Now())
	return nil
}

func (t *tailer) done() bool { return t.ended }

func (t *tailer) count() {
	if t.left > 0 {
		t.left--
		t.ended = t.left == 0
	}
}

func eventLine(at time.Time, ev *pb.Event) *tailLine {
	l := &tailLine{at: at, who: shortID(ev.Sid)}
	session := func(k *pb.Session) string {
		text := k.GetHandshake().GetRemoteAddr()
		if k.GetUserId() != "" {
			text = "as " + printable(k.UserId) + " from " + text
		}
		return text
	}
	switch k := ev.Kind.(type) {
	case *pb.Event_ClientEvent:
		l.mark, l.what = ">", printable(k.ClientEvent.Event)+" "+arrangement(k.ClientEvent.Payload)
		l.offset = ev.Offset
	case *pb.Event_ConnectRequested:
		l.mark, l.what, l.note = "?", "asks to come in", k.ConnectRequested.GetHandshake().GetRemoteAddr()
		if k.ConnectRequested.Resuming {
			l.what = "asks to come back"
		}
		l.offset = ev.Offset
	case *pb.Event_Opened:
		l.mark, l.what, l.note = "+", "opened", session(k.Opened.Session)
	case *pb.Event_Suspended:
		l.mark, l.what = "x", reasonWords[k.Suspended.Reason]
		l.note = "resumable until " + day(k.Suspended.ResumableUntil.AsTime())
	case *pb.Event_Resumed:
		l.mark, l.what = "~", "resumed, nothing missed"
		switch {
		case !k.Resumed.Complete:
			l.what = "resumed, but what it missed is gone (recovered=false)"
		case k.Resumed.Replayed > 0:
			l.what = "resumed, " + plural(uint64(k.Resumed.Replayed), "packet") + " replayed"
		}
		l.note = session(k.Resumed.Session)
	case *pb.Event_Closed:
		l.mark, l.what = "-", "closed: "+reasonWords[k.Closed.Reason]
	}
	if ev.Namespace != "/" {
		l.who += " " + ev.Namespace
	}
	return l
}

// reasonWords are the words of Socket.IO servers.
var reasonWords = map[pb.CloseReason]string{
	pb.CloseReason_CLOSE_REASON_CLIENT:              "client namespace disconnect",
	pb.CloseReason_CLOSE_REASON_BACKEND:             "server namespace disconnect",
	pb.CloseReason_CLOSE_REASON_TRANSPORT_CLOSE:     "transport close",
	pb.CloseReason_CLOSE_REASON_TRANSPORT_ERROR:     "transport error",
	pb.CloseReason_CLOSE_REASON_PING_TIMEOUT:        "ping timeout",
	pb.CloseReason_CLOSE_REASON_PARSE_ERROR:         "parse error",
	pb.CloseReason_CLOSE_REASON_FORCED_CLOSE:        "forced close",
	pb.CloseReason_CLOSE_REASON_FORCED_SERVER_CLOSE: "forced server close",
	pb.CloseReason_CLOSE_REASON_EDGE_DRAIN:          "server shutting down",
	pb.CloseReason_CLOSE_REASON_SLOW_CONSUMER:       "slow consumer",
	pb.CloseReason_CLOSE_REASON_EDGE_RESTART:        "edge restart",
}

func emittedLine(at time.Time, e *pb.Emitted) *tailLine {
	l := &tailLine{at: at, mark: "<", what: printable(e.Emit.Event) + " " + arrangement(e.Emit.Payload), note: plural(e.Receipt.GetWritten(), "socket")}
	if n := e.Receipt.GetDropped(); n > 0 {
		l.note += fmt.Sprintf(" (%s dropped)", number(n))
	}
	t := e.Emit.Target
	var names []string
	for _, name := range append(append([]string(nil), t.GetRooms()...), t.GetUserIds()...) {
		names = append(names, printable(name))
	}
	for _, sid := range t.GetSids() {
		names = append(names, shortID(sid))
	}
	if t.GetEveryone() {
		names = []string{"everyone"}
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	l.who = strings.Join(names, " ")
	if ns := t.GetNamespace(); ns != "/" && ns != "" {
		l.who += " " + ns
	}
	return l
}

// settled completes the line of an event, or makes one of its own if that is gone.
func (t *tailer) settled(at time.Time, s *pb.Settled) {
	by := fmt.Sprintf("%-8s %s", s.Group+"/"+printable(s.MemberId), span(s.Took.AsDuration()))
	reply := ""
	switch {
	case s.Reply != nil:
		reply = " -> " + arrangement(s.Reply)
	case s.Refusal != "":
		reply = " -> refused: " + printable(s.Refusal)
	}
	for _, l := range t.lines {
		if l.offset != s.Offset || l.who != shortID(s.Sid) && !strings.HasPrefix(l.who, shortID(s.Sid)+" ") {
			continue
		}
		if s.Nacked {
			t.lines = append(t.lines, &tailLine{at: at, who: shortID(s.Sid), mark: "!", what: "handed back", note: by})
			return
		}
		l.what += reply
		if l.note != "" {
			by = l.note + "  " + by
		}
		l.note, l.offset = by, 0
		return
	}
	name, known := t.late[s.Offset]
	switch {
	case s.Nacked:
		t.lines = append(t.lines, &tailLine{at: at, who: shortID(s.Sid), mark: "!", what: strings.TrimSpace(name + " handed back"), note: by})
	case known:
		delete(t.late, s.Offset)
		t.lines = append(t.lines, &tailLine{at: at, who: shortID(s.Sid), mark: "=", what: name + reply, note: by})
	}
}

// print prints the lines that need not wait at that time; the zero time is the end of all.
func (t *tailer) print(now time.Time) {
	for len(t.lines) > 0 && !t.ended {
		l := t.lines[0]
		if l.offset != 0 && !now.IsZero() {
			if now.Before(l.until) {
				return
			}
			if t.late == nil || len(t.late) > 10_000 {
				t.late = make(map[uint64]string)
			}
			name, _, _ := strings.Cut(l.what, " ")
			t.late[l.offset] = name
		}
		t.lines = t.lines[1:]
		t.page.tailLine(l, t.full)
		t.count()
	}
}

var markStyles = map[string]string{">": green, "<": blue, "x": yellow, "!": red, "-": dim, "=": dim, "…": red}

// tailLine prints a line: the time, who, what, and to the right what there is to note.
func (p *page) tailLine(l *tailLine, full bool) {
	const column = 42 // of what, so that the notes are below each other
	room := 160
	if p.width > 0 {
		room = max(p.width-12-2-8-2-2-2-max(utf8.RuneCountInString(l.note), 18), 20)
	}
	what := l.what
	if !full {
		what = cut(what, room)
	}
	pad := ""
	if n := utf8.RuneCountInString(what); l.note != "" {
		pad = strings.Repeat(" ", max(min(column, room)-n, 0)+2)
	}
	fmt.Fprintf(p.w, "%s  %-8s  %s %s%s%s\n", p.style(dim, l.at.Format("15:04:05.000")), l.who, p.style(markStyles[l.mark], l.mark), what, pad, p.style(dim, l.note))
}
