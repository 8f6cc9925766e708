package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// printJSON prints a message on a line of its own, as the edge does over HTTP.
func printJSON(w io.Writer, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	json.Compact(&line, b) // protojson varies its spaces on purpose
	line.WriteByte('\n')
	_, err = w.Write(line.Bytes())
	return err
}

// printValue prints what is no message of the contract as JSON, on a line of its own.
func printValue(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// shortID is an id as people compare it: its first four and last two characters.
func shortID(id string) string {
	if utf8.RuneCountInString(id) <= 8 {
		return id
	}
	r := []rune(id)
	return string(r[:4]) + "…" + string(r[len(r)-2:])
}

// number writes 4012 as 4,012.
func number[N ~uint64 | ~int | ~uint32 | ~int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// span writes a duration with as many digits as people want: 1.3ms, 41s, 5m, 2h10m, 3d.
func span(d time.Duration) string {
	one := func(unit time.Duration, name string) string {
		s := strconv.FormatFloat(float64(d)/float64(unit), 'f', 1, 64)
		return strings.TrimSuffix(s, ".0") + name
	}
	two := func(unit time.Duration, name string, part time.Duration, partName string) string {
		if rest := d % unit / part; rest > 0 {
			return fmt.Sprintf("%d%s%d%s", d/unit, name, rest, partName)
		}
		return fmt.Sprintf("%d%s", d/unit, name)
	}
	switch {
	case d <= 0:
		return "0s"
	case d < time.Millisecond:
		return strconv.Itoa(int(max(d/time.Microsecond, 1))) + "µs"
	case d < 10*time.Millisecond:
		return one(time.Millisecond, "ms")
	case d < time.Second:
		return strconv.Itoa(int(d/time.Millisecond)) + "ms"
	case d < 10*time.Second:
		return one(time.Second, "s")
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return two(time.Minute, "m", time.Second, "s")
	case d < 24*time.Hour:
		return two(time.Hour, "h", time.Minute, "m")
	}
	return two(24*time.Hour, "d", time.Hour, "h")
}

// weight writes a number of bytes.
func weight(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i+1 < len(units) {
		v /= 1024
		i++
	}
	if i == 0 || v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + units[i]
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}

// day writes a time of today as a time, and any other with its date.
func day(t time.Time) string {
	if t, now := t.Local(), time.Now(); t.YearDay() != now.YearDay() || t.Year() != now.Year() {
		return t.Format("2006-01-02 15:04")
	}
	return t.Local().Format("15:04:05")
}

// Styles of a terminal.
const (
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	reset  = "\x1b[0m"
)

// page is where a subcommand prints for people.
type page struct {
	w     io.Writer
	color bool
	width int // of the terminal; 0: unlimited
}

func stdout() *page {
	p := &page{w: os.Stdout}
	if term.IsTerminal(os.Stdout.Fd()) {
		p.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if w, _, err := term.GetSize(os.Stdout.Fd()); err == nil {
			p.width = w
		}
	}
	return p
}

// style is text in a style, where there are styles.
func (p *page) style(style, text string) string {
	if !p.color || style == "" || text == "" {
		return text
	}
	return style + text + reset
}

// table prints rows below a head. Columns whose name ends in "#" hold numbers and go to the right.
func (p *page) table(head []string, rows [][]string) {
	right := make([]bool, len(head))
	widths := make([]int, len(head))
	for i, name := range head {
		head[i], right[i] = strings.CutSuffix(name, "#")
		widths[i] = utf8.RuneCountInString(head[i])
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case right[i]:
				b.WriteString(pad + cell)
			case i == len(cells)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
			if i < len(cells)-1 {
				b.WriteString("  ")
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	fmt.Fprintln(p.w, p.style(dim, line(head)))
	for _, row := range rows {
		fmt.Fprintln(p.w, line(row))
	}
}

// facts prints names and what they are, below each other. Empty ones are left out.
func (p *page) facts(pairs ...string) {
	widest := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			widest = max(widest, utf8.RuneCountInString(pairs[i]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(p.w, "%s%s  %s\n", p.style(dim, pairs[i]), strings.Repeat(" ", widest-utf8.RuneCountInString(pairs[i])), pairs[i+1])
		}
	}
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	if n <= 0 || utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:max(n-1, 0)]) + "…"
}

// printable shows what clients may have put into names and arguments without letting it steer
// the terminal.
func printable(text string) string {
	clean := func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError }
	if !strings.ContainsFunc(text, clean) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if clean(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
