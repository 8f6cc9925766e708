package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// screen drives a top as its program would, on a running edge.
type screen struct {
	t    *testing.T
	top  *top
	msgs chan tea.Msg
}

func (p *process) top(t *testing.T) *screen {
	t.Helper()
	c := topCmd{remote: remote{Control: p.control, Timeout: 5 * time.Second}, Ops: strings.TrimPrefix(p.ops, "http://")}
	ctx, cancel := context.WithCancel(t.Context())
	w := c.watcher(p.dialControl(t))
	s := &screen{t: t, top: newTop(ctx, w, &c.remote), msgs: make(chan tea.Msg, 100)}
	s.top.send = func(m tea.Msg) { s.msgs <- m }
	t.Cleanup(func() {
		s.top.unfollow()
		cancel()
		w.http.CloseIdleConnections()
	})
	s.top.Update(tea.WindowSizeMsg{Width: 120, Height: 30})
	return s
}

func (s *screen) text() string { return ansi.Strip(s.top.View().Content) }

// shows waits until the screen has all of the texts, looking at the edge meanwhile.
func (s *screen) shows(texts ...string) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		s.top.Update(s.top.look(0)())
		for len(s.msgs) > 0 {
			s.top.Update(<-s.msgs)
		}
		missing := ""
		for _, text := range texts {
			if !strings.Contains(s.text(), text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q is not on the screen:\n%s", missing, s.text())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *screen) press(keys ...string) {
	for _, key := range keys {
		k := tea.Key{Text: key, Code: []rune(key)[0]}
		switch key {
		case "tab":
			k = tea.Key{Code: tea.KeyTab}
		case "enter":
			k = tea.Key{Code: tea.KeyEnter}
		case "esc":
			k = tea.Key{Code: tea.KeyEscape}
		case "down":
			k = tea.Key{Code: tea.KeyDown}
		}
		if _, cmd := s.top.Update(tea.KeyPressMsg(k)); cmd != nil {
			go func() { s.msgs <- cmd() }() // msgs has room
		}
	}
}

func (s *screen) write(text string) {
	for _, r := range text {
		s.press(string(r))
	}
}

func TestTop(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	p := startEdge(t)
	s := p.top(t)
	s.shows("sio-edge 0.1.0", "ready", "no backend has attached yet")
	release := p.backend(t)
	defer release()
	a, b := p.join(t), p.join(t)
	s.shows("connections  2", "sessions     2 +0 away", "chat   1/1      2", "chat/1  attached  2 sessions")
	for range 20 {
		a.send(`420["sum",1,2]`)
		a.want("430[3]")
	}
	s.shows("events/s", "DELIVERIES/S", "█")

	s.press("p")
	s.shows("pause chat? its events wait until it is resumed. y/n")
	s.press("y")
	s.shows("done", "group chat: paused")
	a.send(`420["sum",1,2]`)
	s.press("R")
	s.shows("chat has no dead letters")
	s.press("p", "y")
	a.want("430[3]")
	s.shows("done")
	s.press("X", "n")

	s.press("tab")
	s.shows("2 sessions", shortID(a.sid), shortID(b.sid), "lobby", "d disconnect")
	first, other := a, b
	if b.sid < a.sid {
		first, other = b, a
	}
	s.press("/")
	s.write("sid=" + other.sid)
	s.press("enter")
	s.shows(shortID(other.sid), "sid="+other.sid)
	if strings.Contains(s.text(), shortID(first.sid)) {
		t.Errorf("the filter does nothing:\n%s", s.text())
	}
	s.press("esc")
	s.shows(shortID(first.sid)) // above the one that was picked, and is still
	s.press("d")
	if !strings.Contains(s.text(), "disconnect "+shortID(other.sid)+"?") {
		t.Fatalf("no question:\n%s", s.text())
	}
	s.press("n")
	s.press("enter")
	s.shows("3 tail", shortID(other.sid))
	eventually(t, "the event is in the tail", func() bool {
		first.send(`42["sum",1,2]`)
		other.send(`42["sum",7,8]`)
		s.top.Update(<-s.msgs)
		return strings.Contains(s.text(), "> sum [7,8]")
	})
	if strings.Contains(s.text(), "[1,2]") {
		t.Errorf("another session is in the tail:\n%s", s.text())
	}
	s.press("2", "D")
	s.press("y")
	s.shows("done")
	other.want("41")
	s.shows("sessions     1 +0 away")

	s.press("/")
	s.write("colour=red")
	s.press("enter")
	s.shows("not colour")
	p.Process.Kill()
	p.Wait()
	s.shows("no edge at " + p.control)
	for _, width := range []int{1, 20, 300} { // nothing panics and nothing is wider than the screen
		s.top.Update(tea.WindowSizeMsg{Width: width, Height: 5})
		for line := range strings.Lines(s.text()) {
			if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d", width, n)
			}
		}
	}
}

// Without a terminal it prints once.
func TestTopOnce(t *testing.T) {
	p := startEdge(t)
	matches(t, "top", p.run(t, "top"), `sio-edge 0\.1\.0  edge-\w+  ready  up \S+  start 1\n0 connections, 0 open sessions, 0 away\n\nno groups: .*\n`)
	matches(t, "top --json", p.run(t, "top", "--json"), `\{"edgeId":.*\}\n`)
}

func TestSparkline(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   string
	}{{nil, "    "}, {[]float64{0, 0}, "  ▁▁"}, {[]float64{9, 1, 8, 4, 0}, "▁█▄▁"}} {
		if got := sparkline(tt.values, 4); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.values, got, tt.want)
		}
	}
}
