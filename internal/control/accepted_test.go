package control_test

import (
	"context"
	"sync"
	"testing"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// slowDisk is a Store that commits when it is told to.
type slowDisk struct {
	mu      sync.Mutex
	hold    bool
	waiters []func(error)
}

func (d *slowDisk) SaveSession(uint64, []byte)        {}
func (d *slowDisk) SavePacket(string, uint64, []byte) {}
func (d *slowDisk) TrimPackets(string, uint64)        {}
func (d *slowDisk) SaveNamespace(string, []byte)      {}
func (d *slowDisk) Together(f func())                 { f() }
func (d *slowDisk) Refuses() error                    { return nil }

func (d *slowDisk) Committed(f func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiters = append(d.waiters, f)
	if !d.hold {
		go d.commit()
	}
}

func (d *slowDisk) commit() {
	d.mu.Lock()
	waiters := d.waiters
	d.waiters = nil
	d.mu.Unlock()
	for _, f := range waiters {
		f(nil)
	}
}

// P5 of the design: accepted means kept.
func TestTheResultOfAnEmitWaitsForTheCommit(t *testing.T) {
	disk := &slowDisk{}
	w := newWorldOn(t, disk)
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	m.delivery()
	disk.mu.Lock()
	disk.hold = true
	disk.mu.Unlock()
	m.commands(emit("k", "news", `[1]`, &pb.Target{Sids: []string{sid}}))
	equal(t, "the client gets it at once", c.recv(), `42["news",1,"1"]`)
	got := make(chan *pb.SubscribeResponse, 1)
	go func() { got <- m.recv() }()
	select {
	case r := <-got:
		t.Fatalf("before the commit: %v", r)
	case <-time.After(50 * time.Millisecond):
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	call := &pb.ExecuteRequest{Commands: []*pb.Command{emit("k2", "news", `[2]`, &pb.Target{Sids: []string{sid}})}}
	if _, err := pb.NewCommandServiceClient(w.conn).Execute(ctx, call); err == nil {
		t.Error("Execute returned before the commit")
	}
	disk.mu.Lock()
	disk.hold = false
	disk.mu.Unlock()
	disk.commit()
	if r := (<-got).GetResults().GetResults(); len(r) != 1 || r[0].CommandId != "k" || r[0].Status != nil {
		t.Errorf("result %v", r)
	}
}

// P16: of a command that a former process has done, only the result is given again.
func TestACommandOfAFormerProcessIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	w.server.Remember("k", time.Now())
	w.server.Remember("old", time.Now().Add(-time.Hour))
	m := w.attach(chat())
	m.snapshot()
	c, sid := w.connect()
	m.delivery()
	target := &pb.Target{Sids: []string{sid}}
	m.commands(emit("k", "done", `[]`, target), emit("old", "forgotten", `[]`, target))
	var results []*pb.CommandResult
	for len(results) < 2 {
		results = append(results, m.recv().GetResults().GetResults()...)
	}
	if results[0].Status != nil || !results[0].Receipt.RepeatedCommand || results[1].Receipt.RepeatedCommand {
		t.Errorf("results %v", results)
	}
	equal(t, "packet", c.recv(), `42["forgotten","1"]`)
}
