package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// cable is a TCP path that can be cut so that neither end hears of it: as when a host loses its
// power, or a switch its mind.
type cable struct {
	addr string
	cut  chan struct{} // closed: nothing is passed on any more
}

func layCable(t *testing.T, to string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String(), cut: make(chan struct{})}
	var mu sync.Mutex
	var ends []net.Conn
	var passing sync.WaitGroup
	pass := func(dst, src net.Conn) {
		b := make([]byte, 64<<10)
		for {
			n, err := src.Read(b)
			select {
			case <-c.cut:
				io.Copy(io.Discard, src) // TCP itself goes on: only what is said gets lost
				return
			default:
			}
			if err != nil {
				dst.Close()
				return
			}
			dst.Write(b[:n])
		}
	}
	passing.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			mu.Lock()
			ends = append(ends, near, far)
			mu.Unlock()
			passing.Go(func() { pass(far, near) })
			passing.Go(func() { pass(near, far) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, e := range ends {
			e.Close()
		}
		mu.Unlock()
		passing.Wait()
	})
	return c
}

// TestP3_AHostThatVanishesIsReplacedWithin15Seconds: no FIN, no RST, only silence. Keepalive finds
// it, and what it had goes to the other member in order; clients stay where they are.
func TestP3_AHostThatVanishesIsReplacedWithin15Seconds(t *testing.T) {
	t.Parallel() // it waits
	p := startEdge(t)
	var mu sync.Mutex
	notes := make(map[string][]int) // that the near member got, by session
	near := func(edge *sioedge.Edge) {
		edge.On("note", func(ctx context.Context, s *sioedge.Socket, n int) error {
			mu.Lock()
			defer mu.Unlock()
			notes[s.ID()] = append(notes[s.ID()], n)
			return nil
		})
	}
	c := layCable(t, p.control)
	p.member(t, c.addr, "far", func(edge *sioedge.Edge) {
		edge.On("note", func(ctx context.Context, s *sioedge.Socket, n int) error { return nil })
	})
	p.member(t, p.control, "near", near)
	var far []*person
	for range 30 {
		c := p.person(t, nil)
		name, err := c.who(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if name == `["far"]` {
			far = append(far, c)
		}
	}
	if len(far) < 5 {
		t.Fatalf("%d of 30 sessions are at the member that will vanish", len(far))
	}
	close(c.cut)
	vanished := time.Now()
	for _, c := range far {
		for n := range 5 {
			c.write(fmt.Sprintf(`42["note",%d]`, n))
		}
	}
	for _, c := range far {
		name, err := c.who(30 * time.Second)
		if err != nil || name != `["near"]` {
			t.Fatalf("answered by %s, %v", name, err)
		}
	}
	took := time.Since(vanished)
	t.Logf("%d sessions were served again after %v", len(far), took.Round(10*time.Millisecond))
	if took > 16*time.Second {
		t.Errorf("took %v", took)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range far {
		if got := fmt.Sprint(notes[c.sid]); got != "[0 1 2 3 4]" {
			t.Errorf("the other member got %s", got)
		}
	}
}

// TestP4_ASlowBackendSlowsOnlyItsOwnClients: one of three members takes 5 s for each event.
func TestP4_ASlowBackendSlowsOnlyItsOwnClients(t *testing.T) {
	p := startEdge(t, "--ping-interval", "500ms", "--ping-timeout", "2s")
	release := make(chan struct{})
	work := func(name string) func(*sioedge.Edge) {
		return func(edge *sioedge.Edge) {
			edge.On("work", func(ctx context.Context, s *sioedge.Socket, text string) error {
				if name == "slow" {
					select {
					case <-time.After(5 * time.Second):
					case <-release:
					case <-ctx.Done():
					}
				}
				return nil
			})
		}
	}
	for _, name := range []string{"one", "two", "slow"} {
		p.member(t, p.control, name, work(name))
	}
	t.Cleanup(func() { close(release) }) // runs before the members are stopped
	var quick, slow []*person
	for range 60 {
		c := p.person(t, nil)
		name, err := c.who(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if name == `["slow"]` {
			slow = append(slow, c)
		} else {
			quick = append(quick, c)
		}
	}
	if len(slow) < 5 {
		t.Fatalf("%d of 60 sessions are at the slow member", len(slow))
	}
	latency(t, quick, 500*time.Millisecond) // to warm up
	alone := latency(t, quick, 2*time.Second)
	before := p.rss(t)
	text := strings.Repeat("x", 1000)
	var working sync.WaitGroup
	began := time.Now()
	for _, c := range slow {
		working.Go(func() {
			for range 200 { // fewer than a session may have waiting
				if err := c.write(`42["work","` + text + `"]`); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	among := latency(t, quick, 4*time.Second)
	working.Wait()
	grown := p.rss(t) - before
	t.Logf("the others: %v alone, %v beside a slow member; memory %s more with %d events waiting", alone, among, mib(grown), 200*len(slow))
	alone.atMostDouble(t, among)
	if grown > 64<<20 {
		t.Errorf("memory grew by %s", mib(grown))
	}
	for _, c := range append(slow, quick...) {
		select {
		case <-c.gone:
			t.Fatal("a client was disconnected")
		default:
		}
	}
	for _, c := range slow {
		c.conn.Close()
		<-c.gone
		last := began
		for _, at := range c.pings {
			if at.Before(began) {
				last = at
				continue
			}
			if late := at.Sub(last) - 500*time.Millisecond; late > 250*time.Millisecond && last != began {
				t.Errorf("a heartbeat was %v late", late)
			}
			last = at
		}
	}
}

// TestP22_ABackendThatFloodsSlowsNobodyElse: it gets its quota and refusals, its stream goes on,
// and the clients of another group notice nothing.
func TestP22_ABackendThatFloodsSlowsNobodyElse(t *testing.T) {
	const rate = 2000
	p := startEdge(t, "--commands-per-second", fmt.Sprint(rate))
	p.member(t, p.control, "one", nil)
	var clients []*person
	for range 20 {
		clients = append(clients, p.person(t, nil))
	}
	latency(t, clients, 500*time.Millisecond)
	alone := latency(t, clients, 2*time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := pb.NewEventServiceClient(p.dialControl(t)).Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Hello{Hello: &pb.Hello{ProtocolVersion: 1, Group: "flood", MemberId: "1", InstanceId: "a",
		Spec: &pb.GroupSpec{Routes: []*pb.Route{{Namespace: "/nothing"}}}}}})
	var done, refused, other atomic.Int64
	var ends sync.WaitGroup
	ends.Go(func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			for _, r := range m.GetResults().GetResults() {
				switch codes.Code(r.GetStatus().GetCode()) {
				case codes.OK:
					done.Add(1)
				case codes.ResourceExhausted:
					refused.Add(1)
				default:
					other.Add(1)
				}
			}
		}
	})
	began := time.Now()
	ends.Go(func() {
		batch := make([]*pb.Command, 0, 200)
		for n := 0; ; n++ {
			batch = batch[:0]
			for i := range cap(batch) {
				batch = append(batch, emitTo(fmt.Sprintf("%d-%d", n, i), "nobody"))
			}
			if err := stream.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Commands{Commands: &pb.CommandBatch{Commands: batch}}}); err != nil {
				if ctx.Err() == nil {
					t.Errorf("the stream of the flooding backend: %v", err)
				}
				return
			}
		}
	})
	among := latency(t, clients, 6500*time.Millisecond)
	took := time.Since(began)
	cancel()
	ends.Wait()
	t.Logf("%v alone, %v in the flood; %d commands done and %d refused in %v", alone, among, done.Load(), refused.Load(), took.Round(time.Millisecond))
	alone.atMostDouble(t, among)
	if most := int64(rate*(took.Seconds()+1)) + 200; done.Load() > most {
		t.Errorf("%d commands were done in %v, at most %d may be", done.Load(), took, most)
	}
	if refused.Load() == 0 || other.Load() > 0 {
		t.Errorf("%d refused, %d other errors", refused.Load(), other.Load())
	}
}

func emitTo(id, room string) *pb.Command {
	return &pb.Command{CommandId: id, Op: &pb.Command_Emit{Emit: &pb.Emit{Target: &pb.Target{Rooms: []string{room}}, Event: "noise",
		Payload: &pb.Payload{Json: []byte(`["x"]`)}}}}
}
