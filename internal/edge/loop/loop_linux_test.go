package loop

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a Handler, and the other end of its descriptor.
type peer struct {
	mu    sync.Mutex // guards the following field, as every Handler's has to
	desc  Descriptor
	other int
	got   chan string
	seen  chan struct{}
	hand  *peer // that takes the descriptor over with the first event
}

func newPeer(t *testing.T, loops *Loops) *peer {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{other: fds[1], got: make(chan string, 16), seen: make(chan struct{}, 1)}
	if p.desc, err = loops.Own(int32(fds[0])); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p.other) })
	return p
}

func (p *peer) start(t *testing.T, arrives bool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	start := func() error { return p.desc.Start(In, p) }
	if arrives {
		start = func() error { return p.desc.Arrive(In, p) }
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) Ready(_ Events, buf []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hand != nil {
		p.hand.mu.Lock()
		defer p.hand.mu.Unlock()
		p.hand.desc = p.desc.Hand(p.hand)
		return
	}
	n, err := p.desc.Read(buf)
	switch {
	case err == ErrNotNow:
	case err != nil || n == 0:
		p.desc.Close()
		p.got <- "end"
	default:
		p.got <- string(buf[:n])
	}
}

func (p *peer) Seen() { p.seen <- struct{}{} }

func (p *peer) say(s string) { unix.Write(p.other, []byte(s)) }

func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: nothing happens", what)
	}
	return v
}

func TestWhatArrivesIsTold(t *testing.T) {
	var loops Loops
	defer loops.Stop()
	p := newPeer(t, &loops)
	p.say("early")
	p.start(t, false)
	if got := await(t, "what was there before", p.got); got != "early" {
		t.Errorf("%q", got)
	}
	p.say("late")
	if got := await(t, "what comes", p.got); got != "late" {
		t.Errorf("%q", got)
	}
	if n, err := p.desc.Write([]byte("answer")); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := p.desc.WriteMore(bytes.Repeat([]byte("x"), 16<<20)); err != nil || n == 16<<20 {
		t.Errorf("%d, %v: more than there is room for", n, err)
	}
	if _, err := p.desc.Write([]byte("x")); err != ErrNotNow {
		t.Errorf("%v", err)
	}
	unix.Shutdown(p.other, unix.SHUT_WR)
	if got := await(t, "the end", p.got); got != "end" {
		t.Errorf("%q", got)
	}
}

// With a descriptor its events go over to another, none is lost.
func TestHand(t *testing.T) {
	var loops Loops
	defer loops.Stop()
	p := newPeer(t, &loops)
	p.hand = &peer{got: make(chan string, 1)}
	p.start(t, false)
	p.say("x")
	if got := await(t, "the new one", p.hand.got); got != "x" {
		t.Errorf("%q", got)
	}
	p.mu.Lock()
	if p.desc.Started() {
		t.Error("the old one has it still")
	}
	p.mu.Unlock()
	unix.Shutdown(p.other, unix.SHUT_WR)
	await(t, "the end", p.hand.got)
}

// An arrival that says nothing is seen when somebody asks for it, one that speaks before it is heard.
func TestArrivalsAreSeen(t *testing.T) {
	var loops Loops
	defer loops.Stop()
	silent := newPeer(t, &loops)
	loops.want = 1
	silent.start(t, true)
	loops.Hurry()
	await(t, "a silent arrival", silent.seen)
	loops.Hurry() // nobody waits: nothing happens
	speaks := newPeer(t, &loops)
	speaks.say("hello")
	speaks.start(t, true)
	if got := await(t, "one that speaks", speaks.got); got != "hello" {
		t.Errorf("%q", got)
	}
	loops.Hurry()
	await(t, "and is seen", speaks.seen)
	for _, p := range []*peer{silent, speaks} {
		unix.Close(int(p.desc.Release()))
	}
}

func TestStoppedLoops(t *testing.T) {
	var loops Loops
	loops.Stop()
	loops.Stop()
	loops.Hurry()
	if _, err := loops.Own(0); err == nil {
		t.Error("a descriptor is taken")
	}
}

// insistent is always ready, and ends when somebody else has had the processor.
type insistent struct {
	mu    sync.Mutex // guards the following fields
	desc  Descriptor
	began time.Time
	call  chan struct{} // for somebody else
	heard atomic.Bool
	after chan time.Duration
}

func (i *insistent) Ready(Events, []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.began.IsZero() {
		i.began = time.Now()
		i.call <- struct{}{}
	}
	if took := time.Since(i.began); i.heard.Load() || took > 3*time.Second {
		i.desc.Close()
		i.after <- took
	}
}

// TestABusyLoopLeavesTimeForOthers: with one processor, in a process that was idle. The runtime has
// then nobody awake who would interrupt the loop.
func TestABusyLoopLeavesTimeForOthers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var loops Loops
	defer loops.Stop()
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	i := &insistent{call: make(chan struct{}, 1), after: make(chan time.Duration, 1)}
	if i.desc, err = loops.Own(int32(fd)); err != nil {
		t.Fatal(err)
	}
	var somebody sync.WaitGroup
	somebody.Go(func() { <-i.call; i.heard.Store(true) })
	// The kernel wakes the process, and not a timer of Go's.
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(100 * time.Millisecond))}, nil); err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	err = i.desc.Start(In, i)
	i.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if took := <-i.after; took > time.Second {
		t.Errorf("another goroutine waited for %v", took)
	}
	somebody.Wait()
}
