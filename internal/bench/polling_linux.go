package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// poller is a client that speaks HTTP: one connection for what goes up and one for what comes
// down, as browsers do.
type poller struct {
	target   Target
	sid      string
	up, down *httpConn
}

type httpConn struct {
	net.Conn
	r *bufio.Reader
}

// openPolling opens a session and joins "/".
func openPolling(t Target) (*poller, error) {
	p := &poller{target: t}
	err := p.open()
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) open() error {
	for _, c := range []**httpConn{&p.up, &p.down} {
		nc, err := p.target.connect()
		if err != nil {
			return err
		}
		*c = &httpConn{nc, bufio.NewReaderSize(nc, 1024)}
	}
	body, err := p.get()
	if err != nil {
		return err
	}
	var handshake struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &handshake); err != nil {
		return fmt.Errorf("handshake %.100q: %w", body, err)
	}
	p.sid = handshake.SID
	if err := p.post("40" + p.target.Auth); err != nil {
		return err
	}
	if body, err = p.get(); err == nil && !strings.HasPrefix(body, "40") {
		err = fmt.Errorf("await 40: got %.100q", body)
	}
	return err
}

func (p *poller) close() {
	for _, c := range []*httpConn{p.up, p.down} {
		if c != nil {
			c.Close()
		}
	}
}

func (p *poller) request(c *httpConn, method, body string) error {
	sid := ""
	if p.sid != "" {
		sid = "&sid=" + p.sid
	}
	head := fmt.Sprintf("%s %s?EIO=4&transport=polling%s HTTP/1.1\r\nHost: %s\r\n", method, p.target.Path, sid, p.target.Addr)
	if method == "POST" {
		head += fmt.Sprintf("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	_, err := c.Write([]byte(head + "\r\n" + body))
	return err
}

func (p *poller) response(c *httpConn) (string, error) { return readBody(c.r) }

func (p *poller) get() (string, error) {
	if err := p.request(p.down, "GET", ""); err != nil {
		return "", fmt.Errorf("poll: %w", err)
	}
	body, err := p.response(p.down)
	if err != nil {
		return "", fmt.Errorf("poll: %w", err)
	}
	return body, nil
}

func (p *poller) post(packet string) error {
	if err := p.request(p.up, "POST", packet); err != nil {
		return fmt.Errorf("post: %w", err)
	}
	body, err := p.response(p.up)
	if err == nil && body != "ok" {
		err = fmt.Errorf("answer %.100q", body)
	}
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	return nil
}

// measurePolling measures events with an acknowledgement of clients that poll: each has a poll
// pending and one event outstanding.
func measurePolling(ctx context.Context, t Target, s Scenario, o Options) (Result, error) {
	r := Result{Scenario: s.String(), Connections: s.A}
	var mu sync.Mutex // guards r, latencies and first
	var latencies []time.Duration
	var first error
	var measuring, ending atomic.Bool
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		r.Dropped++
		if first == nil {
			first = err
		}
	}

	var wg sync.WaitGroup
	for range s.A {
		p, err := openPolling(t)
		if err != nil {
			ending.Store(true)
			wg.Wait()
			return r, err
		}
		p.up.SetDeadline(time.Now().Add(time.Minute + 2*o.For))
		p.down.SetDeadline(time.Now().Add(time.Minute + 2*o.For))
		wg.Go(func() {
			defer p.close()
			for id := 0; !ending.Load() && ctx.Err() == nil; id++ {
				start := time.Now()
				right, err := p.ask(id)
				if err != nil {
					fail(err)
					return
				}
				mu.Lock()
				if !right {
					r.Wrong++
				} else if measuring.Load() {
					r.Done++
					latencies = append(latencies, time.Since(start))
				}
				mu.Unlock()
			}
		})
	}
	wait(ctx, o.For/5)
	cpu, start := cpuTime(t.PID), time.Now()
	measuring.Store(true)
	wait(ctx, o.For)
	measuring.Store(false)
	took, cpu := time.Since(start).Seconds(), cpuTime(t.PID)-cpu
	ending.Store(true)
	wg.Wait()
	r.count(took, cpu, latencies)
	if first != nil && r.Done == 0 {
		return r, first
	}
	return r, ctx.Err()
}

// ask sends one event while a poll is pending, and polls until its answer is there.
func (p *poller) ask(id int) (right bool, err error) {
	if err := p.request(p.down, "GET", ""); err != nil {
		return false, err
	}
	if err := p.post(fmt.Sprintf(`42%d["echo","%s"]`, id, pollText)); err != nil {
		return false, err
	}
	expected := fmt.Sprintf(`43%d["%s"]`, id, pollText)
	for {
		body, err := p.response(p.down)
		if err != nil {
			return false, fmt.Errorf("poll: %w", err)
		}
		found := false
		for packet := range strings.SplitSeq(body, "\x1e") {
			switch {
			case packet == expected:
				found = true
			case packet == "2":
				if err := p.post("3"); err != nil {
					return false, err
				}
			case packet == "6", strings.HasPrefix(packet, string(greeting)):
			default:
				return false, nil
			}
		}
		if found {
			return true, nil
		}
		if err := p.request(p.down, "GET", ""); err != nil {
			return false, err
		}
	}
}

var pollText = strings.Repeat("p", 100)

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
