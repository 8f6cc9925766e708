package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// now is the time in nanoseconds on the clock that all processes of this machine share and nobody
// can set.
func now() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return ts.Nano()
}

// history is a file of lines: a word for what happened, the time, and fields by kind.
//
// Of a client (number c, event k, emit instance/emitter/number):
//
//	try c pid          CONNECT was sent; pid is - without a session
//	on c sid pid       CONNECT was answered
//	lost c             the connection is gone
//	up c k ack         emitted event k, with a callback if ack is 1
//	ack c k            the callback of event k was called with k
//	got c i j n        received an emit
//	stale c i j n      received it on a connection that has lost the session
//	leave c            said goodbye and comes again
//	bye c              said goodbye
//	odd c text         something that must not happen
//
// Of a backend:
//
//	wire kind sid offset at seq attempt c k   an event reached the process
//	open sid c; close sid; suspend sid; resume sid whole   a handler ran
//	event sid c k                                          a handler ran
//	ghost sid c k                                          an event of a connection without session
//	emit j n kind target; ok j n; no j n                   an emit: begun, accepted, given up
//	bare sid                                               a session without its attributes
//	in j sid; out j sid                                    emitter j's room took a member, lost one
//
// Of the run:
//
//	kill; term code ns   the edge has ended, so long after SIGTERM
//	ready ns          it serves again, so long after its start
//	healed ns         it writes again, so long after its disk does
//	dead n            backend n was killed
//	late ns           the run itself could not run for so long
//	away; back        all backends have been killed, are started
//	goodbye           clients begin to leave
type history struct {
	direct bool // each line is written at once: the process may be killed

	mu  sync.Mutex // guards the following
	f   *os.File
	buf *bufio.Writer
	tmp []byte
}

func newHistory(dir, name string, direct bool) (*history, error) {
	f, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &history{direct: direct, f: f, buf: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (h *history) add(word, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tmp = fmt.Appendf(h.tmp[:0], "%s %d ", word, now())
	h.tmp = fmt.Appendf(h.tmp, format, args...)
	h.tmp = append(h.tmp, '\n')
	h.buf.Write(h.tmp)
	if h.direct {
		h.buf.Flush()
	}
}

func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.buf.Flush(); err != nil {
		return err
	}
	return h.f.Close()
}

// read calls f with every whole line of a history: its word, its time, its fields.
func read(path string, f func(word string, t int64, fields []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<20)
	for line := 1; ; line++ {
		text, err := in.ReadString('\n')
		if err != nil {
			return nil // the end, or a line cut off by a kill
		}
		fields := strings.Fields(text)
		if len(fields) < 2 {
			return fmt.Errorf("%s:%d: %q", path, line, text)
		}
		var t int64
		if _, err := fmt.Sscan(fields[1], &t); err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
		if err := f(fields[0], t, fields[2:]); err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}

func (p *plan) save() error {
	text, _ := json.MarshalIndent(p, "", "  ") // plain data
	return os.WriteFile(filepath.Join(p.Dir, "plan.json"), text, 0o600)
}

func loadPlan(dir string) (*plan, error) {
	text, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil {
		return nil, err
	}
	p := &plan{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	p.Dir = dir
	return p, nil
}
