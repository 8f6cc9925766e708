package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if runRole() {
		return
	}
	goleak.VerifyTestMain(m)
}

// short is a run that takes some seconds.
func short(t *testing.T) *plan {
	return &plan{Dir: t.TempDir(), Clients: 150, Backends: 3, Up: 150, Down: 300, Window: 30 * time.Second,
		GapMin: 50 * time.Millisecond, GapMax: 800 * time.Millisecond, Backoff: 200 * time.Millisecond}
}

func demand(t *testing.T, p *plan) {
	t.Helper()
	v, err := run(t.Context(), p, t.Output())
	if errors.Is(err, errMount) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	v.print(t.Output())
	if v.ok() {
		return
	}
	kept, err := os.MkdirTemp("", "chaos-failed-")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(p.Dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("promises were broken; the history is in %s", kept)
}

// P7, P6, P3, P4, P12, P16: in short. make chaos is the long form.
func TestP7_NothingIsLostWhateverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := short(t)
	p.Kills, p.Terms, p.Others = 8, 1, 12
	demand(t, p)
}

// P5: in short.
func TestP5_BackendsMayBeAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := short(t)
	p.Kills, p.Away = 2, 4*time.Second
	demand(t, p)
}

// P6: the edge is restarted in good order, again and again. make rolling is the long form.
func TestP6_RestartsLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := short(t)
	p.Terms = 4
	demand(t, p)
}

// P15: in short. make chaos CHAOS=storm is the long form.
func TestP15_EverybodyComesBackAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := short(t)
	p.Also, p.Back = map[string]int{"drop": 4}, 10*time.Second
	demand(t, p)
}

// P7, P8, P9: in short, where the system lets a test mount a disk. make chaos CHAOS=disk is the
// long form.
func TestP8_TheDiskFailsAtEveryPointOfACommit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := short(t)
	p.Disk, p.Clients = true, 60
	p.Also = map[string]int{"commit": 8, "power": 6, "refused": 1, "held": 1, "full": 1}
	demand(t, p)
}
