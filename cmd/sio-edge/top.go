package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

type topCmd struct {
	remote
	Ops  string `default:"127.0.0.1:9090" env:"SIO_EDGE_OPS" placeholder:"HOST:PORT" help:"The edge's ops listener, for rates; without it there are none. https://HOST:PORT if it speaks TLS. Also SIO_EDGE_OPS."`
	Once bool   `help:"Print once and end; also what happens without a terminal."`
}

// Help is shown by --help.
func (topCmd) Help() string {
	return `Keys: tab goes from groups to sessions to the tail; up and down pick a session or a group, enter follows the session,
d disconnects it, D closes its connection; / filters sessions and tail, as in
  room=lobby user=ann sid=k3Fz…Qa ns=/chat event=say*
and escape takes the filter back; p pauses or resumes the group that is picked, R delivers its dead letters
again, X drains the edge; each asks first. q ends.

Examples:
  sio-edge top
  sio-edge top --once
  sio-edge top --control 10.0.0.7:7070 --ops 10.0.0.7:9090`
}

// Run shows the edge until q is pressed.
func (c *topCmd) Run() error {
	if c.Once || c.JSON || !term.IsTerminal(os.Stdout.Fd()) || !term.IsTerminal(os.Stdin.Fd()) {
		return c.ask(c.once)
	}
	return c.call(func(ctx context.Context, conn *grpc.ClientConn) error {
		w := c.watcher(conn)
		if first := w.look(ctx); first.err != nil {
			return first.err
		}
		m := newTop(ctx, w, &c.remote)
		program := tea.NewProgram(m, tea.WithContext(ctx))
		m.send = program.Send
		_, err := program.Run()
		m.unfollow()
		return err
	})
}

func (c *topCmd) watcher(conn *grpc.ClientConn) *watcher {
	client := &http.Client{Timeout: time.Second}
	if c, err := c.config(); err == nil && c != nil { // an error has ended the command before
		client.Transport = &http.Transport{TLSClientConfig: c}
	}
	return &watcher{conn: conn, ops: c.Ops, http: client, timeout: c.Timeout, totals: make(map[string]total), history: make(map[string][]float64)}
}

// once prints the figures without rates, which need two looks.
func (c *topCmd) once(ctx context.Context, conn *grpc.ClientConn) error {
	w := c.watcher(conn)
	f := w.look(ctx)
	if f.err != nil {
		return f.err
	}
	if c.JSON {
		if err := printJSON(os.Stdout, f.edge); err != nil {
			return err
		}
		for _, g := range f.groups {
			if err := printJSON(os.Stdout, g); err != nil {
				return err
			}
		}
		return nil
	}
	p := stdout()
	fmt.Fprintln(p.w, p.edgeLine(f.edge))
	fmt.Fprintf(p.w, "%s, %s, %s away\n\n", plural(f.edge.Connections, "connection"), plural(f.edge.OpenSessions, "open session"), number(f.edge.SuspendedSessions))
	if len(f.groups) == 0 {
		fmt.Fprintln(p.w, "no groups: no backend has attached yet")
		return nil
	}
	p.groups(f.groups)
	return nil
}

func (p *page) edgeLine(e *pb.Edge) string {
	state := p.style(green, "ready")
	if e.State == pb.EdgeState_EDGE_STATE_DRAINING {
		state = p.style(red, "draining")
	}
	return fmt.Sprintf("%s %s  %s  %s  up %s  start %d", p.style(bold, "sio-edge"), e.Version, e.EdgeId, state, span(time.Since(e.StartedAt.AsTime()).Truncate(time.Second)), e.Epoch)
}

// top is the screen. It is a tea.Model; everything happens on the goroutine of the program.
type top struct {
	// Static after construction.
	ctx    context.Context
	w      *watcher
	remote *remote
	send   func(tea.Msg)

	figures  figures
	width    int
	height   int
	view     int // of views
	filter   filterText
	typing   bool
	typed    string
	asking   string // what y would do
	do       func() error
	note     string // what the last action came to
	sessions []*pb.Session
	picked   int    // of sessions
	chosen   int    // of the groups
	followed string // sid
	follow   func() // ends the tail that is followed
	run      int    // number of the tail that is followed
	lines    []string
}

var views = []string{"groups", "sessions", "tail"}

// The messages of the program.
type (
	figuresMsg struct {
		figures
		sessions []*pb.Session
	}
	tailMsg struct {
		run   int
		lines []string
	}
	noteMsg string
)

const keptLines = 500

func newTop(ctx context.Context, w *watcher, r *remote) *top {
	return &top{ctx: ctx, w: w, remote: r, width: 80, height: 24, follow: func() {}}
}

// Init implements tea.Model.
func (t *top) Init() tea.Cmd { return t.look(0) }

// look asks the edge after a while.
func (t *top) look(after time.Duration) tea.Cmd {
	wanted := t.view == 1
	f := t.filter
	return func() tea.Msg {
		select {
		case <-time.After(after):
		case <-t.ctx.Done():
			return nil
		}
		m := figuresMsg{figures: t.w.look(t.ctx)}
		if wanted && m.err == nil {
			m.sessions, m.err = t.w.sessions(t.ctx, f)
		}
		return m
	}
}

// Update implements tea.Model.
func (t *top) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		t.width, t.height = msg.Width, msg.Height
	case figuresMsg:
		if msg.err == nil || t.figures.edge == nil {
			t.figures = msg.figures
		}
		t.figures.err = msg.err
		if msg.sessions != nil || t.view == 1 {
			t.relist(msg.sessions)
		}
		return t, t.look(time.Second)
	case tailMsg:
		if msg.run == t.run {
			t.lines = append(t.lines, msg.lines...)
			t.lines = t.lines[max(len(t.lines)-keptLines, 0):]
		}
	case noteMsg:
		t.note = string(msg)
	case tea.KeyPressMsg:
		return t, t.key(msg.String())
	}
	return t, nil
}

// relist keeps the session picked that was, wherever it is in the list now.
func (t *top) relist(sessions []*pb.Session) {
	if was := t.current(); was != nil {
		if i := slices.IndexFunc(sessions, func(s *pb.Session) bool { return s.Sid == was.Sid }); i >= 0 {
			t.picked = i
		}
	}
	t.sessions = sessions
	t.picked = min(t.picked, max(len(t.sessions)-1, 0))
}

func (t *top) key(key string) tea.Cmd {
	switch {
	case key == "ctrl+c":
		return tea.Quit
	case t.typing:
		t.typeKey(key)
		return nil
	case t.asking != "":
		do := t.do
		t.asking, t.do = "", nil
		if key != "y" {
			return nil
		}
		return func() tea.Msg {
			if err := do(); err != nil {
				return noteMsg(err.Error())
			}
			return noteMsg("done")
		}
	}
	t.note = ""
	switch key {
	case "q":
		return tea.Quit
	case "tab", "right":
		t.show((t.view + 1) % len(views))
	case "shift+tab", "left":
		t.show((t.view + len(views) - 1) % len(views))
	case "1", "2", "3":
		t.show(int(key[0] - '1'))
	case "up", "k":
		t.move(-1)
	case "down", "j":
		t.move(1)
	case "/":
		t.typing, t.typed = true, t.filter.String()
	case "esc":
		t.followed, t.filter = "", filterText{}
		t.show(t.view)
	case "enter":
		if s := t.current(); s != nil {
			t.followed = s.Sid
			t.show(2)
		}
	case "d", "D":
		if s := t.current(); s != nil {
			t.end(s, key == "D")
		}
	case "p", "R":
		if g := t.group(); g != nil && key == "p" {
			t.halt(g)
		} else if g != nil {
			t.redrive(g)
		}
	case "X":
		t.drain()
	}
	return nil
}

func (t *top) typeKey(key string) {
	switch key {
	case "enter":
		t.typing = false
		t.filter, t.note = parseFilter(t.typed)
		t.followed = ""
		t.show(t.view)
	case "esc":
		t.typing = false
	case "backspace":
		if r := []rune(t.typed); len(r) > 0 {
			t.typed = string(r[:len(r)-1])
		}
	case "space":
		t.typed += " "
	default:
		if len([]rune(key)) == 1 {
			t.typed += key
		}
	}
}

func (t *top) current() *pb.Session {
	if t.view != 1 || t.picked >= len(t.sessions) {
		return nil
	}
	return t.sessions[t.picked]
}

// show goes to a view. The tail is followed only while it is looked at.
func (t *top) show(view int) {
	t.unfollow()
	t.view = view
	if view != 2 {
		return
	}
	t.lines = nil
	t.run++
	ctx, cancel := context.WithCancel(t.ctx)
	ended := make(chan struct{})
	t.follow = func() {
		cancel()
		<-ended
	}
	f, run, width := t.filter, t.run, t.width
	if t.followed != "" {
		f.sid = t.followed
	}
	go func() { // awaited by follow
		defer close(ended)
		err := t.w.tail(ctx, f, width, func(lines []string) { go t.send(tailMsg{run, lines}) })
		if err != nil && ctx.Err() == nil {
			go t.send(noteMsg(err.Error()))
		}
	}()
}

func (t *top) unfollow() {
	t.follow()
	t.follow = func() {}
}

// filterText is what was typed behind the slash.
type filterText struct{ namespace, room, user, sid, event string }

func (f *filterText) fields() map[string]*string {
	return map[string]*string{"ns": &f.namespace, "room": &f.room, "user": &f.user, "sid": &f.sid, "event": &f.event}
}

func parseFilter(text string) (f filterText, fault string) {
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			name, value = "room", word
		}
		field := f.fields()[name]
		if field == nil {
			return filterText{}, "filter: ns=, room=, user=, sid= and event= are known, not " + name
		}
		*field = value
	}
	return f, ""
}

func (f filterText) String() string {
	var words []string
	for _, name := range []string{"ns", "room", "user", "sid", "event"} {
		if v := *f.fields()[name]; v != "" {
			words = append(words, name+"="+v)
		}
	}
	return strings.Join(words, " ")
}

// selection is the filter as flags would say it.
func (f filterText) selection() selection {
	s := selection{Namespace: "/"}
	if f.namespace != "" {
		s.Namespace = f.namespace
	}
	for _, v := range []struct {
		text string
		list *[]string
	}{{f.room, &s.Room}, {f.user, &s.User}, {f.sid, &s.Sid}} {
		if v.text != "" {
			*v.list = []string{v.text}
		}
	}
	return s
}
