package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
)

// progress shows how far something long has come, in one line on a terminal's standard error;
// elsewhere it shows nothing.
type progress struct {
	what  string
	total float64
	write func(float64) string // an amount, for people
	begin time.Time
	shown time.Time
	width int // of the terminal; 0: there is none
}

func newProgress(what string, total uint64, write func(float64) string) *progress {
	p := &progress{what: what, total: float64(total), write: write, begin: time.Now()}
	if term.IsTerminal(os.Stderr.Fd()) && os.Getenv("TERM") != "dumb" {
		p.width, _, _ = term.GetSize(os.Stderr.Fd())
	}
	return p
}

// bytesOf and things write amounts.
func bytesOf(n float64) string { return weight(uint64(n)) }
func things(n float64) string  { return number(uint64(n)) }

// at says how much is done.
func (p *progress) at(done uint64) {
	if p.width == 0 || time.Since(p.shown) < 50*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(os.Stderr, "\r%s\x1b[K", cut(p.line(float64(done), time.Since(p.begin)), p.width-1))
}

// line is "backup  ████████░░░░  67%  12 MiB of 18 MiB  2s left".
func (p *progress) line(done float64, took time.Duration) string {
	const places = 24
	share := 1.0
	if p.total > 0 {
		share = min(done/p.total, 1)
	}
	full := int(share * places)
	left := ""
	if share > 0.02 && share < 1 && took > time.Second {
		left = "  " + span((time.Duration(float64(took) * (1 - share) / share)).Truncate(time.Second)) + " left"
	}
	return fmt.Sprintf("%s  %s%s %3.0f%%  %s of %s%s", p.what, strings.Repeat("█", full), strings.Repeat("░", places-full), share*100, p.write(done), p.write(p.total), left)
}

// end takes the line away: what follows says what came of it.
func (p *progress) end() {
	if p.width > 0 {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
