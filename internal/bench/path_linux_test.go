package bench

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// path is the whole way of an event in one process: a real connection, the floors of the edge, and
// a member that takes what is delivered as far as the bytes of a gRPC message.
type path struct {
	tb      testing.TB
	target  Target
	sockets *socketio.Server
	member  *group.Member
	taken   group.Batch
	message convert.Batch
	bytes   []byte
}

func newPath(tb testing.TB) *path {
	log := slog.New(slog.DiscardHandler)
	groups := group.New(group.Config{EdgeID: "edge", LogID: "log", Epoch: 1, Namespaces: []string{"/"}}, log)
	p := &path{tb: tb, sockets: socketio.NewServer(socketio.Config{RecoveryWindow: time.Minute}, groups, nil, log)}
	groups.Start(p.sockets)
	engine := engineio.NewServer(engineio.Config{}, p.sockets, log)
	front := httptest.NewServer(engine)
	p.target = Target{Addr: front.Listener.Addr().String(), Path: "/socket.io/"}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			tb.Error(err)
		}
		front.Close()
		p.sockets.Close()
		groups.Close()
	})
	var err error
	p.member, _, err = groups.Attach(group.Hello{Group: "g", MemberID: "m", InstanceID: "1"})
	if err == nil {
		err = p.member.Snapshot(100, func([]socketio.Session) error { return nil })
	}
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// client is a bare descriptor: what it does costs no memory.
type client struct {
	fd  int
	buf []byte
}

func (p *path) connect() *client {
	p.tb.Helper()
	c, r, err := dial(p.target)
	if err != nil {
		p.tb.Fatal(err)
	}
	fd, _, _, err := take(c, r)
	if err != nil {
		p.tb.Fatal(err)
	}
	unix.SetNonblock(fd, false)
	p.tb.Cleanup(func() { unix.Close(fd) })
	return &client{fd, make([]byte, 64<<10)}
}

// deliver takes client events until it has n.
func (p *path) deliver(n int) {
	p.tb.Helper()
	for n > 0 {
		if err := p.member.Next(p.tb.Context(), &p.taken); err != nil {
			p.tb.Fatal(err)
		}
		p.message.Reset()
		all := p.taken.Deliveries
		for i := range all {
			d := &all[i]
			p.message.Add(d.ID, d.Attempt, d.Offset, d.PrevSeq, d.Event, "")
			if d.Event.Kind == socketio.ClientEvent {
				n--
			}
		}
		p.bytes = append(p.bytes[:0], p.message.Wire()...)
		if len(all) > 0 {
			p.member.Done(all[0].ID, all[len(all)-1].ID)
		}
	}
}

// mallocs is how many objects f makes, in all goroutines.
func mallocs(tb testing.TB, f func()) float64 {
	tb.Helper()
	if raceDetector {
		tb.Skip("the race detector allocates")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}

// window is how many events a client of these tests sends at once.
const window = 10

func burst() []byte {
	var b []byte
	for i := range window {
		b = appendFrame(b, opText, fmt.Appendf(nil, `42%d["echo","%s"]`, i, strings.Repeat("x", echoSize)))
	}
	return b
}

// TestAllocationsUp bounds what one event makes from the client's bytes to those of the message
// that a member gets. More would show as time of the collector under load.
func TestAllocationsUp(t *testing.T) {
	const atMost = 6
	p := newPath(t)
	c := p.connect()
	b := burst()
	send := func(bursts int) {
		for range bursts {
			unix.Write(c.fd, b)
			p.deliver(window)
		}
	}
	send(50)
	const bursts = 200
	if each := mallocs(t, func() { send(bursts) }) / (bursts * window); each > atMost {
		t.Errorf("%.2f allocations for one event, want at most %d", each, atMost)
	} else {
		t.Logf("%.2f allocations for one event", each)
	}
}

// TestAllocationsDown proves that a broadcast makes nothing for each of its recipients.
func TestAllocationsDown(t *testing.T) {
	const few, many = 10, 210
	p := newPath(t)
	var clients []*client
	cost := func(recipients int) float64 {
		for len(clients) < recipients {
			clients = append(clients, p.connect())
		}
		var flush socketio.Flush
		args := []byte(`["` + strings.Repeat("y", broadcastSize) + `"]`)
		emit := func() {
			r, err := p.sockets.Apply(&socketio.Emit{Target: socketio.Target{Everyone: true}, Event: "bcast", Args: args}, &flush)
			if err != nil || r.Written != recipients {
				t.Fatalf("written to %d of %d: %v", r.Written, recipients, err)
			}
			flush.Do()
			for _, c := range clients {
				c.receive(t, "bcast")
			}
		}
		for range 20 {
			emit()
		}
		const times = 50
		return mallocs(t, func() {
			for range times {
				emit()
			}
		}) / times
	}
	one, all := cost(few), cost(many)
	if each := (all - one) / (many - few); each > 0.02 {
		t.Errorf("%.3f allocations for each recipient (%.1f for %d, %.1f for %d), want none", each, one, few, all, many)
	} else {
		t.Logf("%.1f allocations for a broadcast, %.3f for each recipient", one, each)
	}
}

// receive reads one frame, which the tests keep below the size of the buffer.
func (c *client) receive(t *testing.T, event string) {
	have := 0
	for {
		n, err := unix.Read(c.fd, c.buf[have:])
		if n <= 0 {
			t.Fatal("the connection ended: ", err)
		}
		have += n
		if _, payload, n := parseFrame(c.buf[:have]); n > 0 {
			if n != have || !strings.Contains(string(payload[:16]), event) {
				t.Fatalf("got %.50q", payload)
			}
			return
		}
	}
}

// BenchmarkUp is the whole way up. One operation is one event.
func BenchmarkUp(b *testing.B) {
	p := newPath(b)
	c := p.connect()
	bytes := burst()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += window {
		unix.Write(c.fd, bytes)
		p.deliver(window)
	}
}

// BenchmarkSelect finds the 1,000 sessions of a room among 1,100.
func BenchmarkSelect(b *testing.B) {
	p := newPath(b)
	for range 1100 {
		p.connect()
	}
	var sids []string
	p.sockets.EachSID(func(sid, _ string) { sids = append(sids, sid) })
	var flush socketio.Flush
	if _, err := p.sockets.Apply(&socketio.Join{Target: socketio.Target{SIDs: sids[:1000]}, Rooms: []string{"r"}}, &flush); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if n, _, err := p.sockets.Count(&socketio.Target{Rooms: []string{"r"}}); n != 1000 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkEncode makes the frames of an event, once for any number of recipients.
func BenchmarkEncode(b *testing.B) {
	args := []byte(`["` + strings.Repeat("y", broadcastSize) + `"]`)
	b.ReportAllocs()
	for b.Loop() {
		engineio.NewMessageFunc(func(dst []byte) []byte {
			return sio.AppendEvent(dst, "/", 0, false, "bcast", args, "1a2b-77", 0)
		}, nil)
	}
}

// BenchmarkConvert makes the bytes of a message of 64 deliveries. One operation is one delivery.
func BenchmarkConvert(b *testing.B) {
	p := newPath(b)
	c := p.connect()
	unix.Write(c.fd, burst())
	var events []*socketio.Event
	for len(events) < window {
		if err := p.member.Next(b.Context(), &p.taken); err != nil {
			b.Fatal(err)
		}
		for _, d := range p.taken.Deliveries {
			if d.Event.Kind == socketio.ClientEvent {
				events = append(events, d.Event)
			}
		}
		if d := p.taken.Deliveries; len(d) > 0 {
			p.member.Done(d[0].ID, d[len(d)-1].ID)
		}
	}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		p.message.Add(n, 1, n, n, events[n%window], "")
		if n++; n%64 == 0 {
			p.bytes = append(p.bytes[:0], p.message.Wire()...)
			p.message.Reset()
		}
	}
}

// BenchmarkQueueAndFlush brings one message to 500 connections. One operation is one delivery,
// the client's reading included.
func BenchmarkQueueAndFlush(b *testing.B) {
	const recipients = 500
	p := newPath(b)
	clients := make([]*client, recipients)
	for i := range clients {
		clients[i] = p.connect()
	}
	var flush socketio.Flush
	args := []byte(`["` + strings.Repeat("y", broadcastSize) + `"]`)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += recipients {
		if _, err := p.sockets.Apply(&socketio.Emit{Target: socketio.Target{Everyone: true}, Event: "bcast", Args: args}, &flush); err != nil {
			b.Fatal(err)
		}
		flush.Do()
		for _, c := range clients {
			unix.Read(c.fd, c.buf)
		}
	}
}

// The calibration loops: what the machine does at the moment, in the three ways that the steps of
// the path depend on it.

// BenchmarkCalibrateCompute scans, copies and looks up.
func BenchmarkCalibrateCompute(b *testing.B) {
	text := []byte(strings.Repeat(`{"room":"general","text":"hello, how are you doing?"},`, 20))
	words := map[string]int{"room": 1, "text": 2, "general": 3}
	dst := make([]byte, 0, len(text))
	sum := 0
	for b.Loop() {
		dst = append(dst[:0], text...)
		start := -1
		for i, c := range dst {
			if c != '"' {
				continue
			}
			if start < 0 {
				start = i + 1
				continue
			}
			sum += words[string(dst[start:i])]
			start = -1
		}
	}
	if sum == 0 {
		b.Fatal("the loop does nothing")
	}
}

// BenchmarkCalibrateNetwork passes 300 bytes over a loopback connection.
func BenchmarkCalibrateNetwork(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var fds [2]int
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	for i, c := range []net.Conn{near, far} {
		if fds[i], _, _, err = take(c, bufio.NewReaderSize(c, 16)); err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fds[i])
	}
	unix.SetNonblock(fds[1], false)
	buf := make([]byte, 300)
	for b.Loop() {
		unix.Write(fds[0], buf)
		unix.Read(fds[1], buf)
	}
}
