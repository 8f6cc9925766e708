package socketio_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// stepped is a configuration whose edge runs on a machine that somebody sets the wall clock of:
// what *step says has been added to it.
func stepped(step *time.Duration) socketio.Config {
	cfg := recovering
	begin := time.Now()
	cfg.Clock = socketio.Clock{Boot: "boot", Since: func() time.Duration { return time.Since(begin) - *step }}
	return cfg
}

// TestP11_AStepOfTheWallClockExpiresNothing: over restarts on the same boot neither the window of
// a session nor the time to live of an emit sees that the clock was set.
func TestP11_AStepOfTheWallClockExpiresNothing(t *testing.T) {
	var step time.Duration
	inWorlds(t, stepped(&step), func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		e := news(to(sid), `["a"]`)
		e.TTL = time.Minute
		c.lose()
		w.emit(e)
		settle()
		d.mu.Lock()
		d.dead = true // killed
		d.mu.Unlock()
		time.Sleep(24 * time.Hour)
		step += 24 * time.Hour
		restart()
		time.Sleep(30 * time.Second)
		c, got := w.resume(`{"pid":"` + pid + `"}`)
		equal(t, "after a step of a day", got, `42["news","a","1"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
		c.lose()
		settle()
		restart()
		time.Sleep(31 * time.Second)
		_, got = w.resume(`{"pid":"` + pid + `"}`)
		equal(t, "after a minute of its own", got, `40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

// TestP11_NoTimerReadsTheWallClock: whoever turns an instant into a number loses the reading of the
// monotonic clock in it. These functions do, for records and for people; nothing that expires may.
func TestP11_NoTimerReadsTheWallClock(t *testing.T) {
	known := []string{
		"engineio: servePost",  // a deadline that is over
		"group: replay",        // Seek to a time that somebody gave
		"group: restoreLetter", // when it was set aside, for people
		"group: retainLocked",  // settled events are kept by the wall clock: Seek names one
		"group: saveLetterLocked",
		"group: sweepSome",
		"socketio: AppendEvent", // At and Until, for backends
		"socketio: ParseEvent",
		"socketio: ParseSession",
		"socketio: appendState",
		"socketio: emitLocked",  // at, for a start after another boot
		"socketio: instant",     // of a record of another boot
		"socketio: newSocket",   // OpenedAt
		"socketio: parsePacket", // as instant
		"socketio: parseState",
		"socketio: proveLocked", // a token says itself when it expires
		"socketio: recordLocked",
		"socketio: restorePackets",
		"socketio: sessionLocked",
	}
	turns := regexp.MustCompile(`\.Unix(Nano|Milli|Micro)?\(\)|time\.Unix(Milli|Micro)?\(|\.Round\(0\)`)
	funcs := regexp.MustCompile(`^func (?:\([^)]*\) )?(\w+)`)
	var found []string
	for _, dir := range []string{".", "../engineio", "../../control/group"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		if len(files) == 0 {
			t.Fatalf("no files in %s", dir)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pkg := ""
			name := ""
			for line := range strings.Lines(string(b)) {
				if rest, ok := strings.CutPrefix(line, "package "); ok {
					pkg = strings.TrimSpace(rest)
				}
				if m := funcs.FindStringSubmatch(line); m != nil {
					name = m[1]
				}
				if turns.MatchString(line) {
					found = append(found, pkg+": "+name)
				}
			}
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, known) {
		t.Errorf("the wall clock is read by\n\t%s\nknown are\n\t%s", strings.Join(found, "\n\t"), strings.Join(known, "\n\t"))
	}
}
