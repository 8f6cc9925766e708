package budget

import (
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLevels(t *testing.T) {
	b := New(Config{Limit: 1000})
	for _, step := range []struct {
		add  int
		want Level
	}{
		{799, Roomy}, {1, Tight}, {-39, Tight}, {-2, Roomy}, {141, Short}, {50, Spent}, {-30, Spent}, {-1, Short}, {-918, Roomy}, {0, Roomy},
		{960, Spent}, {-960, Roomy}, // all at once
	} {
		b.Add(Clients, step.add)
		if got := b.Level(); got != step.want {
			t.Errorf("%d used: %v, want %v", b.Total(), got, step.want)
		}
	}
	for _, want := range []struct {
		level Level
		times uint64
	}{{Tight, 1}, {Short, 1}, {Spent, 2}} {
		if got := b.Raised(want.level); got != want.times {
			t.Errorf("%v began %d times, want %d", want.level, got, want.times)
		}
	}
}

// What is left to the collector is for nobody: the levels and what may be taken are of the rest.
func TestGarbageIsNotForClients(t *testing.T) {
	b := New(Config{Limit: 1000, Garbage: 200})
	if b.Limit() != 1000 || b.Room() != 800 {
		t.Errorf("%d of %d", b.Room(), b.Limit())
	}
	for used, want := range map[int]Level{639: Roomy, 640: Tight, 720: Short, 760: Spent} {
		b.Add(Clients, used)
		if got := b.Level(); got != want {
			t.Errorf("%d used: %v, want %v", used, got, want)
		}
		b.Free(Clients, used)
	}
	if b.Take(Input, 801) || !b.Take(Input, 800) {
		t.Error("not all of the room can be taken, or more")
	}
}

// What nobody charges counts as well, once it is seen.
func TestObserve(t *testing.T) {
	b := New(Config{Limit: 1000})
	b.Add(Clients, 300)
	b.Add(Kernel, 200)
	b.Observe(500) // 200 more than our own 300
	if got := b.Overhead(); got != 200 {
		t.Errorf("overhead %d", got)
	}
	if b.Add(Clients, 99); b.Level() != Roomy {
		t.Errorf("%v at 799", b.Level())
	}
	if b.Add(Clients, 1); b.Level() != Tight {
		t.Errorf("%v at 800", b.Level())
	}
	if b.Observe(400); b.Level() != Roomy { // the collector has run
		t.Errorf("%v at 600", b.Level())
	}
	if b.Observe(800); b.Level() != Spent {
		t.Errorf("%v at 1000", b.Level())
	}
}

func TestTake(t *testing.T) {
	b := New(Config{Limit: 1000})
	if !b.Take(Strangers, 100) {
		t.Error("no room for the share")
	}
	if b.Take(Strangers, 1) {
		t.Error("more than the share")
	}
	b.Move(Strangers, Clients, 60)
	if !b.Take(Strangers, 60) {
		t.Error("no room after some were let in")
	}
	if b.Take(Input, 841) {
		t.Error("more than the limit")
	}
	if !b.Take(Input, 840) {
		t.Error("no room for what is left")
	}
	if b.Used(Strangers) != 100 || b.Used(Clients) != 60 || b.Used(Input) != 840 || b.Total() != 1000 {
		t.Errorf("used: %d %d %d of %d", b.Used(Strangers), b.Used(Clients), b.Used(Input), b.Total())
	}
	select {
	case <-b.Changed():
	default:
		t.Error("nobody was told")
	}
}

// Many may charge at once; what is taken back is gone.
func TestTheSumIsRight(t *testing.T) {
	b := New(Config{Limit: 100_000})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k := Kind(i) % kinds
			a := b.Account(k)
			for n := range 10_000 {
				if b.Take(k, n%977) {
					b.Free(k, n%977)
				}
				a.Add(n % 100)
				a.Add(-(n % 100))
			}
		})
	}
	all.Wait()
	if b.Total() != 0 || b.Level() != Roomy {
		t.Errorf("%d left, %v", b.Total(), b.Level())
	}
	for _, k := range Kinds() {
		if b.Used(k) != 0 {
			t.Errorf("%v: %d left", k, b.Used(k))
		}
	}
}

func TestAnAccountChargesInSteps(t *testing.T) {
	b := New(Config{Limit: 1 << 30})
	a := b.Account(Log)
	changes, last := 0, int64(0)
	for range 100_000 {
		a.Add(100)
		if now := b.Used(Log); now != last {
			changes, last = changes+1, now
		}
		if used := b.Used(Log); used < int64(a.used)-slack || used > int64(a.used)+64<<10 {
			t.Fatalf("%d charged for %d", used, a.used)
		}
	}
	if changes > 300 {
		t.Errorf("%d charges", changes)
	}
	if a.Add(-10_000_000); b.Total() != 0 {
		t.Errorf("%d left", b.Total())
	}
}

func TestNoBudget(t *testing.T) {
	var b *Budget
	a := b.Account(Log)
	a.Add(1 << 40)
	b.Add(Queues, 1<<40)
	b.Move(Strangers, Clients, 1)
	if !b.Take(Input, 1<<40) || b.Level() != Roomy || b.Full(Queues) || b.Used(Queues) != 0 {
		t.Error("a budget that is not there bounds something")
	}
}

func BenchmarkAccount(b *testing.B) {
	a := New(Config{Limit: 1 << 30}).Account(Backlog)
	for b.Loop() {
		a.Add(200)
		a.Add(-200)
	}
}

func BenchmarkTake(b *testing.B) {
	own := New(Config{Limit: 1 << 30})
	for b.Loop() {
		own.Take(Input, 200)
		own.Free(Input, 200)
	}
}
