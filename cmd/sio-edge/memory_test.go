package main

import (
	"testing"
	"time"
)

func TestPaceOfTheCollector(t *testing.T) {
	const mb = 1 << 20
	now := time.Now()
	p := pace{percent: gcPercent, room: gcRoom, ran: now}
	for _, step := range []struct {
		what    string
		after   time.Duration
		live    uint64
		percent int
	}{
		{"little lives: the first megabytes are free", time.Second, 2 * mb, 500},
		{"many idle sessions: half of what lives", time.Second, 100 * mb, 50},
		{"little again", time.Second, 4 * mb, 250},
		{"it runs all the time: twice the room", 20 * time.Millisecond, 4 * mb, 500},
		{"still", 40 * time.Millisecond, 4 * mb, 1000},
		{"it runs now and then: as it is", 100 * time.Millisecond, 4 * mb, 1000},
		{"a small change is none, since it stops the world", 100 * time.Millisecond, 4*mb + mb/4, 1000},
		{"too often again, and that is the most", 20 * time.Millisecond, 4 * mb, 1600},
		{"still too often", 20 * time.Millisecond, 4 * mb, 1600},
		{"seldom: half the room", time.Second, 4 * mb, 800},
		{"seldom", time.Minute, 4 * mb, 400},
		{"seldom", time.Minute, 4 * mb, 250},
		{"seldom: as in the beginning", time.Minute, 4 * mb, 250},
	} {
		now = now.Add(step.after)
		if p.next(now, step.live); p.percent != step.percent {
			t.Fatalf("%s: %d %%, want %d", step.what, p.percent, step.percent)
		}
	}
}
