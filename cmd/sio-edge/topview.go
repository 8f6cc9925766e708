package main

import (
	"fmt"
	"math"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values over so many places, the newest to the right.
func sparkline(values []float64, places int) string {
	values = values[max(len(values)-places, 0):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", places-len(values)))
	for _, v := range values {
		i := 0
		if top > 0 && v > 0 {
			i = int(math.Ceil(v/top*float64(len(bars)))) - 1
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}

func rate(v float64) string {
	if v >= 10 || v == 0 {
		return number(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.1f", v)
}

// View implements tea.Model.
func (t *top) View() tea.View {
	var b strings.Builder
	p := &page{w: &b, color: true, width: t.width}
	if f := &t.figures; f.edge != nil {
		fmt.Fprintln(&b, p.edgeLine(f.edge))
		t.tiles(p, f)
	}
	if err := t.figures.err; err != nil {
		fmt.Fprintln(&b, p.style(red, t.remote.explain(err).Error()))
	} else {
		fmt.Fprintln(&b)
	}
	t.tabs(p)
	switch t.view {
	case 0:
		t.groupRows(p)
	case 1:
		t.sessionRows(p)
	case 2:
		room := max(t.height-strings.Count(b.String(), "\n")-1, 1)
		for _, line := range t.lines[max(len(t.lines)-room, 0):] {
			fmt.Fprintln(&b, line)
		}
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	lines = lines[:min(len(lines), max(t.height-1, 1))]
	for len(lines) < t.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, t.footer(p))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], t.width, "")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "sio-edge top"
	return v
}

func (t *top) tiles(p *page, f *figures) {
	type tile struct{ name, value, note, series string }
	tiles := []tile{
		{"connections", number(f.edge.Connections), "", "connections"},
		{"sessions", number(f.edge.OpenSessions), "+" + number(f.edge.SuspendedSessions) + " away", "sessions"},
	}
	if f.series != nil {
		tiles = append(tiles,
			tile{"events/s", rate(f.last("events")), "", "events"},
			tile{"emits/s", rate(f.last("emits")), "to " + rate(f.last("recipients")), "emits"},
			tile{"handshakes/s", rate(f.last("handshakes")), rate(f.last("refused")) + " refused", "handshakes"},
			tile{"paused", rate(f.last("paused")), rate(f.last("slow")) + "/s too slow", "paused"},
		)
	}
	columns := min(max(t.width/44, 1), 3)
	for i, tl := range tiles {
		cell := fmt.Sprintf("%-13s%s %s", p.style(dim, fmt.Sprintf("%-13s", tl.name)), tl.value, p.style(dim, tl.note))
		cell = ansi.Truncate(cell, 30, "")
		cell += strings.Repeat(" ", max(31-ansi.StringWidth(cell), 1)) + p.style(green, sparkline(f.recent[tl.series], 11))
		fmt.Fprint(p.w, cell)
		if (i+1)%columns == 0 || i == len(tiles)-1 {
			fmt.Fprintln(p.w)
		} else {
			fmt.Fprint(p.w, "  ")
		}
	}
	if f.series == nil {
		fmt.Fprintln(p.w, p.style(dim, "no rates: nothing answers on --ops "+t.w.ops))
	}
}

func (t *top) tabs(p *page) {
	for i, name := range views {
		label := fmt.Sprintf(" %d %s ", i+1, name)
		if i == t.view {
			label = p.style("\x1b[7m", label)
		}
		fmt.Fprint(p.w, label, " ")
	}
	switch {
	case t.followed != "" && t.view == 2:
		fmt.Fprint(p.w, p.style(yellow, shortID(t.followed)))
	case t.filter != (filterText{}):
		fmt.Fprint(p.w, p.style(yellow, t.filter.String()))
	}
	fmt.Fprintln(p.w)
}

func (t *top) groupRows(p *page) {
	groups := t.figures.groups
	if len(groups) == 0 {
		fmt.Fprintln(p.w, "no backend has attached yet")
		return
	}
	var body strings.Builder
	table := &page{w: &body}
	table.groups(groups)
	lines := strings.Split(strings.TrimSuffix(body.String(), "\n"), "\n")
	width := 0
	for _, line := range lines {
		width = max(width, ansi.StringWidth(line))
	}
	for i, line := range lines {
		switch {
		case i == 0:
			fmt.Fprintf(p.w, "%s%s  %-16s  %s\n", p.style(dim, line), strings.Repeat(" ", width-ansi.StringWidth(line)), p.style(dim, "DELIVERIES/S"), p.style(dim, "LAG"))
		case i <= len(groups):
			g := groups[i-1]
			style := ""
			if g.Paused {
				style = yellow
			} else if len(g.Members) == 0 || attachedMembers(g) == 0 {
				style = red
			} else if g.PausedClients > 0 || g.BacklogAge.AsDuration().Seconds() > 5 {
				style = yellow
			}
			if i-1 == min(t.chosen, len(groups)-1) && len(groups) > 1 {
				style += "\x1b[7m"
			}
			fmt.Fprintf(p.w, "%s%s  %s %6s  %s\n", p.style(style, line), strings.Repeat(" ", width-ansi.StringWidth(line)),
				p.style(green, sparkline(t.figures.recent["deliveries "+g.Name], 9)), rate(t.figures.last("deliveries "+g.Name)), p.style(yellow, sparkline(t.figures.recent["lag "+g.Name], 12)))
		default:
			fmt.Fprintln(p.w, p.style(yellow, line))
		}
	}
	for _, g := range groups {
		for _, m := range g.Members {
			state := "attached"
			if !m.Attached {
				state = p.style(yellow, "expected back")
			}
			fmt.Fprintf(p.w, "  %s %s  %s  %s, %s in flight  %s\n", p.style(dim, "└"), g.Name+"/"+printable(m.MemberId), state, plural(m.Sessions, "session"), number(m.InFlight), p.style(dim, printable(m.Sdk)))
		}
	}
}

func attachedMembers(g *pb.Group) (n int) {
	for _, m := range g.Members {
		if m.Attached {
			n++
		}
	}
	return n
}

func (t *top) sessionRows(p *page) {
	if len(t.sessions) == 0 {
		fmt.Fprintln(p.w, "no sessions")
		return
	}
	var rows [][]string
	for _, k := range t.sessions {
		rows = append(rows, []string{shortID(k.Sid), printable(k.UserId), sessionStates[k.State], k.Transport, day(k.OpenedAt.AsTime()),
			k.Handshake.GetRemoteAddr(), cut(printable(strings.Join(k.Rooms, " ")), 60)})
	}
	var body strings.Builder
	table := &page{w: &body}
	table.table([]string{"SID", "USER", "STATE", "TRANSPORT", "SINCE", "ADDRESS", "ROOMS"}, rows)
	lines := strings.Split(strings.TrimSuffix(body.String(), "\n"), "\n")
	fmt.Fprintln(p.w, p.style(dim, lines[0]))
	visible := max(t.height-9, 3)
	first := max(t.picked-visible+1, 0)
	for i, line := range lines[1:] {
		if i < first || i >= first+visible {
			continue
		}
		if i == t.picked {
			line = p.style("\x1b[7m", line+strings.Repeat(" ", max(t.width-ansi.StringWidth(line), 0)))
		}
		fmt.Fprintln(p.w, line)
	}
}

func (t *top) footer(p *page) string {
	switch {
	case t.typing:
		return "/" + t.typed + "█"
	case t.asking != "":
		return p.style(yellow, t.asking)
	case t.note != "":
		return p.style(yellow, t.note)
	}
	keys := "tab view   / filter   X drain   q quit"
	if t.group() != nil {
		keys = "tab view   ↑↓ pick   p pause   R redrive   / filter   X drain   q quit"
		if t.group().Paused {
			keys = "tab view   ↑↓ pick   p resume   R redrive   / filter   X drain   q quit"
		}
	}
	if t.view == 1 {
		keys = "tab view   ↑↓ pick   enter follow   d disconnect   D close connection   / filter   q quit"
	}
	if t.filter != (filterText{}) || t.followed != "" {
		keys += "   esc no filter"
	}
	return p.style(dim, keys)
}
