package main

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/sio-edge/sio-edge/internal/bench"
)

// bar is one peer of a plot.
type bar struct {
	label string
	value bench.Spread
}

// point is one place on the line of a plot.
type point struct {
	x float64
	y bench.Spread
}

// The colours stand on light and on dark pages alike.
const (
	ours   = "#2f81f7"
	theirs = "#8b949e"
	ink    = "#6e7781"
)

func svg(width, height int, title string, body *strings.Builder) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12" fill="%s" role="img">
<title>%s</title>
<text x="8" y="18" font-size="13" font-weight="600">%s</text>
%s</svg>
`, width, height, width, height, ink, html.EscapeString(title), html.EscapeString(title), body)
}

// barPlot draws a bar for each peer, with a whisker from its lowest to its highest run.
func barPlot(title string, bars []bar) []byte {
	const left, right, width, row, top = 110, 130, 640, 26, 34
	longest := 0.0
	for _, b := range bars {
		longest = max(longest, b.value.High)
	}
	scale := func(v float64) float64 { return v / longest * (width - left - right) }
	var body strings.Builder
	for i, b := range bars {
		y, colour := top+i*row, theirs
		if b.label == base {
			colour = ours
		}
		fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, html.EscapeString(b.label))
		fmt.Fprintf(&body, `<rect x="%d" y="%d" width="%.1f" height="18" rx="2" fill="%s"/>`, left, y, scale(b.value.Median), colour)
		fmt.Fprintf(&body, `<path d="M%.1f %d H%.1f" stroke="%s" stroke-width="1.5"/>`, left+scale(b.value.Low), y+9, left+scale(b.value.High), ink)
		fmt.Fprintf(&body, `<text x="%.1f" y="%d">%s</text>`+"\n", left+8+scale(b.value.High), y+14, bench.Short(b.value.Median))
	}
	return svg(width, top+len(bars)*row+8, title, &body)
}

// linePlot draws a line over a logarithmic x axis, with a whisker at each point.
func linePlot(title, x string, points []point) []byte {
	const left, right, width, height, top, bottom = 60, 40, 640, 260, 40, 50
	highest := 0.0
	for _, p := range points {
		highest = max(highest, p.y.High)
	}
	first, last := math.Log(points[0].x), math.Log(points[len(points)-1].x)
	at := func(p point) float64 { return left + (math.Log(p.x)-first)/(last-first)*(width-left-right) }
	level := func(v float64) float64 { return height - bottom - v/highest*(height-top-bottom) }
	var body, line strings.Builder
	fmt.Fprintf(&body, `<path d="M%d %d V%d H%d" stroke="%s" fill="none"/>`+"\n", left, top, height-bottom, width-right, ink)
	for i := range 3 {
		v := highest * float64(i) / 2
		fmt.Fprintf(&body, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-6, level(v)+4, bench.Short(v))
	}
	for i, p := range points {
		step := "L"
		if i == 0 {
			step = "M"
		}
		fmt.Fprintf(&line, "%s%.1f %.1f ", step, at(p), level(p.y.Median))
		fmt.Fprintf(&body, `<path d="M%.1f %.1f V%.1f" stroke="%s"/>`, at(p), level(p.y.Low), level(p.y.High), ours)
		fmt.Fprintf(&body, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, at(p), level(p.y.Median), ours)
		fmt.Fprintf(&body, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, at(p), level(p.y.High)-8, bench.Short(p.y.Median))
		fmt.Fprintf(&body, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", at(p), height-bottom+16, bench.Short(p.x))
	}
	fmt.Fprintf(&body, `<path d="%s" stroke="%s" stroke-width="2" fill="none"/>`, strings.TrimSpace(line.String()), ours)
	fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-14, html.EscapeString(x))
	return svg(width, height, title, &body)
}
