package main

import (
	"testing"
	"time"
)

func TestPaceOfTheCollector(t *testing.T) {
	const mb = 1 << 20
	now := time.Now()
	p := newPace(0)
	p.ran = now
	for _, step := range []struct {
		what    string
		after   time.Duration
		live    uint64
		percent int
	}{
		{"little lives: the first megabytes are free", time.Second, 2 * mb, 200},
		{"many idle sessions: half of what lives", time.Second, 100 * mb, 50},
		{"little again", time.Second, 4 * mb, 100},
		{"it runs all the time because clients come: no more room", 20 * time.Millisecond, 6 * mb, 66},
		{"and less lives again", 2 * time.Second, 4 * mb, 100},
		{"it runs all the time: twice the room", 20 * time.Millisecond, 4 * mb, 200},
		{"still", 80 * time.Millisecond, 4 * mb, 400},
		{"it runs now and then: as it is", 700 * time.Millisecond, 4 * mb, 400},
		{"a small change is none, since it stops the world", 700 * time.Millisecond, 4*mb + mb/4, 400},
		{"too often again", 20 * time.Millisecond, 4 * mb, 800},
		{"and again, and that is the most", 20 * time.Millisecond, 4 * mb, 1600},
		{"still too often", 20 * time.Millisecond, 4 * mb, 1600},
		{"seldom: half the room", 2 * time.Second, 4 * mb, 800},
	} {
		now = now.Add(step.after)
		p.next(now, step.live)
		if p.percent != step.percent {
			t.Fatalf("%s: %d %%, want %d", step.what, p.percent, step.percent)
		}
	}
	if !p.shrink() {
		t.Error("what was given to many is not worth a run")
	}
	if p.shrink() {
		t.Error("it runs twice, although nothing was given meanwhile")
	}
	for range 2 {
		now = now.Add(time.Millisecond)
		p.next(now, 500*mb)
	}
	if p.room != 2*gcLeastRoom || p.shrink() {
		t.Error("it runs although half of what lives is more than the room")
	}
	for limit, want := range map[int64]uint64{0: gcMostRoom, 64 * mb: gcLeastRoom, 256 * mb: 16 * mb, 8192 * mb: gcMostRoom} {
		if p := newPace(limit); p.most != want {
			t.Errorf("limit %d: at most %d", limit, p.most)
		}
	}
}
