package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// world is one run.
type world struct {
	*plan
	out     io.Writer
	log     *history // of the faults
	edge    *edge
	storage *storage // nil: the edge keeps its file among the others
	proxy   *proxy
	pool    *pool
	rng     *rand.Rand // of the faults
	members []*member
	spawned int            // backends so far
	busy    sync.WaitGroup // faults that take time
	hearing sync.WaitGroup // what the backends say
}

// member is a backend process.
type member struct {
	instance int
	cmd      *exec.Cmd
	in       io.WriteCloser
	attached chan struct{} // closed when it has been attached
	hushed   chan struct{} // closed when it emits no more
}

// run starts everything, breaks it, ends it, and checks what was seen.
func run(ctx context.Context, p *plan, out io.Writer) (*verdict, error) {
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintln(out, p)
	w := &world{plan: p, out: out, rng: rand.New(rand.NewPCG(p.Seed, 0))}
	if err := w.play(ctx); err != nil {
		return nil, err
	}
	return check(p)
}

func (w *world) play(ctx context.Context) (err error) {
	if w.log, err = newHistory(w.Dir, "faults", false); err != nil {
		return err
	}
	defer w.log.close()
	clientLog, err := newHistory(w.Dir, "clients", false)
	if err != nil {
		return err
	}
	defer clientLog.close()
	defer w.clock()()
	if w.edge, err = newEdge(w.plan); err != nil {
		return err
	}
	if w.Disk {
		if w.storage, err = newStorage(w.edge.data()); err != nil {
			return err
		}
		defer func() { w.storage.close() }()
	}
	if _, err := w.edge.start(ctx); err != nil {
		return err
	}
	defer func() { w.edge.kill() }()
	if w.proxy, err = newProxy(w.edge.backends); err != nil {
		return err
	}
	defer w.proxy.close()
	if w.Sessions > 0 {
		if err := fill(ctx, w.edge.clients, w.Sessions, w.out); err != nil {
			return err
		}
	}
	defer func() {
		for _, m := range w.members {
			m.kill()
		}
		w.hearing.Wait()
	}()
	for i := range w.Backends {
		if err := w.spawn(i); err != nil {
			return err
		}
	}
	for _, m := range w.members { // before them clients would come in unasked and untold
		select {
		case <-m.attached:
		case <-time.After(30 * time.Second):
			return fmt.Errorf("the backends are not attached after 30 s")
		}
	}
	w.pool = newPool(w.plan, w.edge.clients, clientLog)
	w.pool.start()
	over := false
	defer func() {
		if !over { // an error: nobody waits for anything
			close(w.pool.quiet)
			w.pool.goodbye()
		}
	}()
	if !w.wait(ctx, time.Minute, func() bool { return w.pool.connected() == w.Clients }) {
		return fmt.Errorf("only %d of %d clients came in", w.pool.connected(), w.Clients)
	}
	w.say("%d clients are in", w.Clients)
	if err := w.faults(ctx); err != nil {
		return err
	}
	w.busy.Wait()
	over = true
	return w.finish(ctx)
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// clock notes when the machine does not let this program run: then nobody runs, and what is
// measured in time must not count it. It returns what ends it.
func (w *world) clock() (stop func()) {
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(noticed / 10)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-tick.C:
			case <-ended:
				return
			}
			if late := time.Since(last); late > noticed {
				w.log.add("late", "%d", late.Nanoseconds())
			}
			last = time.Now()
		}
	})
	return func() {
		close(ended)
		running.Wait()
	}
}

// noticed is how long the machine must stand still to be noticed.
const noticed = 200 * time.Millisecond

// wait polls until f is true.
func (w *world) wait(ctx context.Context, most time.Duration, f func() bool) bool {
	for deadline := time.Now().Add(most); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if f() {
			return true
		}
	}
	return false
}

// spawn starts the backend that takes the i-th seat.
func (w *world) spawn(i int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w.spawned++
	a := backendArgs{Addr: w.proxy.l.Addr().String(), Dir: w.Dir, Instance: w.spawned, Member: fmt.Sprint("member-", i),
		Clients: w.Clients, Down: float64(w.Down) / float64(w.Backends), Durable: w.Durable, Backlog: w.Backlog, Alone: w.Disk}
	m := &member{instance: w.spawned, cmd: exec.Command(self), attached: make(chan struct{}), hushed: make(chan struct{})}
	m.cmd.Env = append(os.Environ(), roleVariable+"="+a.String())
	log, err := os.OpenFile(filepath.Join(w.Dir, "backend-err.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	m.cmd.Stderr = log
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return err
	}
	said, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	w.hearing.Go(func() { // ends with the process or its word
		var attached sync.Once
		for in := bufio.NewScanner(said); in.Scan(); {
			switch in.Text() {
			case "attached":
				attached.Do(func() { close(m.attached) })
			case "hushed":
				close(m.hushed)
			}
		}
	})
	if i == len(w.members) {
		w.members = append(w.members, m)
	} else {
		w.members[i] = m
	}
	return nil
}

func (m *member) kill() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
}

func (m *member) tell(format string, args ...any) { fmt.Fprintf(m.in, format+"\n", args...) }

// finish lets everything settle, says goodbye and looks whether all sessions have ended.
func (w *world) finish(ctx context.Context) error {
	close(w.pool.quiet)
	for _, m := range w.members {
		m.tell("fast")
		m.tell("hush")
	}
	for i, m := range w.members {
		select {
		case <-m.hushed:
		case <-time.After(time.Minute):
			return fmt.Errorf("backend %d waits for its emits for a minute", i)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	settled := w.wait(ctx, time.Minute, func() bool { return w.pool.connected() == w.Clients && w.pool.waiting() == 0 })
	w.say("at the end %d of %d clients are in, %d events wait for their acknowledgement", w.pool.connected(), w.Clients, w.pool.waiting())
	if settled {
		time.Sleep(time.Second) // what is on its way arrives
	}
	w.log.add("goodbye", "")
	w.pool.goodbye()

	// Sessions whose clients never heard of them end with their windows.
	edge := sioedge.New(w.edge.backends)
	defer edge.Close(ctx)
	left := -1
	w.wait(ctx, w.Window+15*time.Second, func() bool {
		time.Sleep(200 * time.Millisecond)
		n, err := edge.Count(ctx)
		if err == nil {
			left = n.Open + n.Suspended
		}
		return left == 0
	})
	w.say("%d sessions are left", left)
	time.Sleep(time.Second) // the last events arrive
	for _, m := range w.members {
		m.tell("quit")
	}
	for _, m := range w.members {
		late := time.AfterFunc(20*time.Second, func() { m.cmd.Process.Kill() })
		m.cmd.Wait()
		late.Stop()
	}
	w.terminate()
	return ctx.Err()
}
