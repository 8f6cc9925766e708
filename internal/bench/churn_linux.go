package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// measureVisits measures clients that come and go, as many at a time as the scenario says. visit
// is one of them, from its first byte to its last.
func measureVisits(ctx context.Context, t Target, s Scenario, o Options, visit func(Target) error) (Result, error) {
	type one struct {
		took time.Duration
		err  error
	}
	results := make(chan one, s.A)
	end := time.Now().Add(o.For * 6 / 5)
	for range s.A {
		go func() { // ends with the time; all are awaited below
			for time.Now().Before(end) && ctx.Err() == nil {
				start := time.Now()
				err := visit(t)
				results <- one{time.Since(start), err}
			}
			results <- one{took: -1}
		}()
	}
	r := Result{Scenario: s.String(), Connections: s.A}
	begin := time.Now().Add(o.For / 5)
	var cpu float64
	var start time.Time
	var latencies []time.Duration
	var first error
	for running := s.A; running > 0; {
		v := <-results
		if start.IsZero() && time.Now().After(begin) {
			cpu, start, r.Done, latencies = cpuTime(t.PID), time.Now(), 0, nil
		}
		switch {
		case v.took < 0:
			running--
		case v.err != nil:
			r.Lost++
			if first == nil {
				first = v.err
			}
		default:
			r.Done++
			latencies = append(latencies, v.took)
		}
	}
	if first != nil && r.Done == 0 {
		return r, first
	}
	r.count(time.Since(start).Seconds(), cpuTime(t.PID)-cpu, latencies)
	return r, ctx.Err()
}

// connectOnce joins "/" over WebSocket and leaves.
func connectOnce(t Target) error {
	c, _, err := dial(t)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(appendFrame(appendFrame(nil, opText, []byte("41")), opClose, nil))
	return err
}

// upgradeOnce joins "/" over HTTP, goes over to WebSocket as the official client does, makes sure
// that events pass there, and leaves.
func upgradeOnce(t Target) error {
	p, err := openPolling(t)
	if err != nil {
		return err
	}
	defer p.close()
	c, r, err := openWebSocket(t, p.sid)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := p.request(p.down, "GET", ""); err != nil { // is pending while the client probes
		return err
	}
	write := func(packet string) {
		if err == nil {
			_, err = c.Write(appendFrame(nil, opText, []byte(packet)))
		}
	}
	await := func(prefix string) {
		for err == nil {
			var m string
			if m, err = readFrame(r); err == nil && strings.HasPrefix(m, prefix) {
				return
			}
			if err == nil && !strings.HasPrefix(m, string(greeting)) {
				err = fmt.Errorf("upgrade: awaited %s, got %.100q", prefix, m)
			}
		}
	}
	write("2probe")
	await("3probe")
	if err != nil {
		return err
	}
	if _, err := p.response(p.down); err != nil {
		return err
	}
	write("5")
	write(`420["echo","up"]`)
	await(`430["up"]`)
	write("41")
	return err
}

// readBody reads a response whose body is a payload.
func readBody(r *bufio.Reader) (string, error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.100s", resp.Status, b)
	}
	return string(b), err
}
