package main

import (
	"bytes"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{span(0), "0s"}, {span(300 * time.Nanosecond), "1µs"}, {span(999 * time.Microsecond), "999µs"},
		{span(1300 * time.Microsecond), "1.3ms"}, {span(2 * time.Millisecond), "2ms"}, {span(412 * time.Millisecond), "412ms"},
		{span(1500 * time.Millisecond), "1.5s"}, {span(41 * time.Second), "41s"}, {span(5 * time.Minute), "5m"},
		{span(5*time.Minute + 3*time.Second), "5m3s"}, {span(130 * time.Minute), "2h10m"}, {span(73 * time.Hour), "3d1h"},
		{number(0), "0"}, {number(999), "999"}, {number(4012), "4,012"}, {number(1234567), "1,234,567"}, {number(-1234), "-1,234"}, {number(-123), "-123"},
		{plural(1, "socket"), "1 socket"}, {plural(4012, "socket"), "4,012 sockets"}, {plural(0, "socket"), "0 sockets"},
		{shortID("k3FzAAAAAAAAAAAAAAQa"), "k3Fz…Qa"}, {shortID("short"), "short"},
		{weight(12), "12 B"}, {weight(1536), "1.5 KiB"}, {weight(64 << 20), "64 MiB"},
		{cut("lobby", 5), "lobby"}, {cut("lobbies", 5), "lobb…"},
		{printable("a\x1b[31mb\n\u009b"), `a\u001b[31mb\u000a\u009b`}, {printable("žluť…"), "žluť…"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	(&page{w: &b}).table([]string{"ROOM", "SESSIONS#"}, [][]string{{"lobby", "4,012"}, {"žluťoučký", "1"}})
	want := "ROOM       SESSIONS\nlobby         4,012\nžluťoučký         1\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
	b.Reset()
	(&page{w: &b, color: true}).table([]string{"A"}, [][]string{{"x"}})
	if b.String() != dim+"A"+reset+"\nx\n" {
		t.Errorf("%q", b.String())
	}
}
