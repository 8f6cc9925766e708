package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// long says whether the long form of a test is asked for.
func long() bool { return os.Getenv("SIOEDGE_TORTURE") != "" }

// member attaches a member of the group "chat" over addr and lets set say what it does. "who" is
// answered with the member's name.
func (p *process) member(t *testing.T, addr, name string, set func(*sioedge.Edge)) {
	t.Helper()
	edge := sioedge.New(addr, sioedge.Group("chat"), sioedge.Member(name), sioedge.DrainTimeout(time.Second), sioedge.Logger(slog.New(slog.DiscardHandler)))
	edge.On("who", func(ctx context.Context, s *sioedge.Socket) (string, error) { return name, nil })
	if set != nil {
		set(edge)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("backend: %v", err)
		}
	})
	admin := pb.NewAdminServiceClient(p.dialControl(t))
	eventually(t, name+" is attached", func() bool {
		list, err := admin.ListGroups(t.Context(), &pb.ListGroupsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range list.Groups {
			for _, m := range g.Members {
				if m.MemberId == name && m.Attached {
					return true
				}
			}
		}
		return false
	})
}

// person is a client that answers pings, asks, and says what it saw. Its reader is the only one
// who reads.
type person struct {
	*socket
	writing sync.Mutex
	acks    chan string // payloads of acknowledgements
	heard   func(packet string)
	pings   []time.Time
	gone    chan struct{} // closed when the connection has ended
}

func (p *process) person(t *testing.T, heard func(packet string)) *person {
	t.Helper()
	c := &person{socket: p.join(t), acks: make(chan string, 1024), heard: heard, gone: make(chan struct{})}
	c.conn.SetReadDeadline(time.Time{})
	go c.read()
	t.Cleanup(func() {
		c.conn.Close()
		<-c.gone
	})
	return c
}

func (c *person) read() {
	defer close(c.gone)
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		switch packet := string(b); {
		case packet == "2":
			c.pings = append(c.pings, time.Now())
			c.write("3")
		case strings.HasPrefix(packet, "43"):
			_, payload, _ := strings.Cut(packet, "[")
			c.acks <- "[" + payload
		case c.heard != nil:
			c.heard(packet)
		}
	}
}

func (c *person) write(packet string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.conn.WriteMessage(websocket.TextMessage, []byte(packet))
}

// who asks which member the client's session is at.
func (c *person) who(within time.Duration) (string, error) {
	if err := c.write(`427["who"]`); err != nil {
		return "", err
	}
	select {
	case a := <-c.acks:
		return a, nil
	case <-c.gone:
		return "", errors.New("the connection has ended")
	case <-time.After(within):
		return "", fmt.Errorf("no answer within %v", within)
	}
}

func sorted(all []time.Duration) []time.Duration {
	slices.Sort(all)
	return all
}

// spread is how long something took.
type spread struct{ p50, p99 time.Duration }

func spreadOf(t *testing.T, all []time.Duration) spread {
	t.Helper()
	if len(all) == 0 {
		t.Fatal("nothing was measured")
	}
	all = sorted(all)
	return spread{all[len(all)/2], all[len(all)*99/100]}
}

func (s spread) String() string { return fmt.Sprintf("p50 %v, p99 %v", s.p50, s.p99) }

// atMostDouble checks that it became no worse than twice as long. Tests run beside others, so the
// short form allows for what they do to the slowest.
func (s spread) atMostDouble(t *testing.T, now spread) {
	t.Helper()
	noise := 150 * time.Millisecond
	if long() {
		noise = 10 * time.Millisecond
	}
	if now.p50 > 2*s.p50+5*time.Millisecond || now.p99 > 2*s.p99+noise {
		t.Errorf("%v, was %v", now, s)
	}
}

// latency lets clients ask, one after the other and each a few milliseconds after its last answer,
// for so long.
func latency(t *testing.T, clients []*person, d time.Duration) spread {
	t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var asking sync.WaitGroup
	end := time.Now().Add(d)
	for _, c := range clients {
		asking.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				if _, err := c.who(20 * time.Second); err != nil {
					t.Error(err)
					return
				}
				took := time.Since(began)
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	asking.Wait()
	return spreadOf(t, all)
}

// rss is the resident memory of the process in bytes.
func (p *process) rss(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
