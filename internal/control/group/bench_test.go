package group

import (
	"context"
	"fmt"
	"testing"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

func benchSockets(n int) []*socketio.Socket {
	all := make([]*socketio.Socket, n)
	for i := range all {
		all[i] = newSession(fmt.Sprintf("session-%012d", i), "/").Socket
	}
	return all
}

// The whole way of an event through a group, in batches of 64: Deliver, Next, Done.
func BenchmarkEvent(b *testing.B) {
	for _, members := range []int{1, 4} {
		b.Run(fmt.Sprint("members=", members), func(b *testing.B) {
			e := newEdge(b, Config{})
			defer e.gs.Close()
			ms := make([]*Member, members)
			for i := range ms {
				ms[i] = e.attach(hello(fmt.Sprint("m", i)), Fresh).Member
			}
			sockets := benchSockets(10_000)
			ev := make([]socketio.Event, 64)
			batch := Batch{Deliveries: make([]Delivery, 0, 64)}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				k := n % 64
				ev[k] = socketio.Event{Kind: socketio.ClientEvent, Socket: sockets[n%len(sockets)], Seq: 1, Name: "message"}
				e.gs.Deliver(&ev[k])
				if n++; n%64 != 0 {
					continue
				}
				for left := 64; left > 0; {
					for _, m := range ms {
						if m.place.ready.head == nil {
							continue
						}
						if err := m.Next(context.Background(), &batch); err != nil {
							b.Fatal(err)
						}
						d := batch.Deliveries
						m.Done(d[0].ID, d[len(d)-1].ID)
						left -= len(d)
					}
				}
			}
		})
	}
}

// Deliver alone, into a queue that nobody reads.
func BenchmarkDeliver(b *testing.B) {
	e := newEdge(b, Config{Spec: Spec{MaxBacklogEvents: 1 << 30, MaxBacklogBytes: 1 << 50}, SessionEvents: 1 << 30})
	defer e.gs.Close()
	e.attach(hello("a"), Fresh)
	sockets := benchSockets(10_000)
	ev := &socketio.Event{Kind: socketio.ClientEvent, Seq: 1, Name: "message"}
	evs := make([]socketio.Event, len(sockets))
	for i := range evs {
		evs[i] = *ev
		evs[i].Socket = sockets[i]
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		e.gs.Deliver(&evs[n%len(evs)])
		n++
	}
}

// An event that no group wants.
func BenchmarkDeliverToNobody(b *testing.B) {
	e := newEdge(b, Config{})
	defer e.gs.Close()
	h := hello("a")
	h.Spec.Routes = []Route{{Events: []string{"room:*"}}}
	e.attach(h, Fresh)
	ev := &socketio.Event{Kind: socketio.ClientEvent, Seq: 1, Name: "message", Socket: benchSockets(1)[0]}
	b.ReportAllocs()
	for b.Loop() {
		e.gs.Deliver(ev)
	}
}

func BenchmarkAdmission(b *testing.B) {
	e := newEdge(b, Config{Namespaces: []string{"/files-*"}})
	defer e.gs.Close()
	e.attach(hello("a"), Fresh)
	b.ReportAllocs()
	for b.Loop() {
		e.gs.Admission("/")
	}
}

// What a join costs the group beside itself: by the member that has the session, which is nothing to
// tell, and by somebody else, in batches of 64 with Next.
func BenchmarkChanged(b *testing.B) {
	for _, own := range []bool{true, false} {
		b.Run(fmt.Sprint("own=", own), func(b *testing.B) {
			e := newEdge(b, Config{})
			defer e.gs.Close()
			m := e.attach(hello("m"), Fresh).Member
			sockets := benchSockets(10_000)
			for _, s := range sockets {
				e.sessions[s.SID] = &session{Socket: s, live: true}
			}
			c := socketio.Change{Rooms: []string{"room"}}
			if own {
				c.By = m
			}
			batch := Batch{Deliveries: make([]Delivery, 0, 64)}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				c.Socket = sockets[n%len(sockets)]
				e.gs.Changed(c)
				if n++; own || n%64 != 0 {
					continue
				}
				if err := m.Next(context.Background(), &batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
