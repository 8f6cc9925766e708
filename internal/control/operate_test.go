package control_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sio-edge/sio-edge/internal/control"
	"github.com/sio-edge/sio-edge/internal/edge/store"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

func TestAGroupIsPausedAndResumed(t *testing.T) {
	w := newWorld(t)
	admin := pb.NewAdminServiceClient(w.conn)
	m := w.attach(chat())
	m.snapshot()
	c, _ := w.connect()
	m.done(m.delivery().DeliveryId)
	if _, err := admin.PauseGroup(w.context(), &pb.PauseGroupRequest{Group: "chat"}); err != nil {
		t.Fatal(err)
	}
	c.send(`42["waits"]`)
	list, err := admin.ListGroups(w.context(), &pb.ListGroupsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "paused", list.Groups[0].Paused, true)
	resumed := time.Now()
	if _, err := admin.ResumeGroup(w.context(), &pb.ResumeGroupRequest{Group: "chat"}); err != nil {
		t.Fatal(err)
	}
	d := m.delivery()
	equal(t, "event", d.Event.GetClientEvent().Event, "waits")
	if d.Event.ReceivedAt.AsTime().After(resumed) {
		t.Error("it was read only then")
	}
	_, err = admin.PauseGroup(w.context(), &pb.PauseGroupRequest{Group: "nobody"})
	equal(t, "no such group", refusal(err), "NotFound GROUP_UNKNOWN")
}

// What waits for a client is told with its sessions.
func TestSlowClientsAreListed(t *testing.T) {
	w := newWorld(t)
	admin := pb.NewAdminServiceClient(w.conn)
	m := w.attach(chat())
	m.snapshot()
	_, sid := w.connect()
	m.commands(emit("1", "news", `["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]`, &pb.Target{Sids: []string{sid}}))
	var resp *pb.ListSlowClientsResponse
	for deadline := time.Now().Add(10 * time.Second); len(resp.GetClients()) == 0; {
		var err error
		if resp, err = admin.ListSlowClients(w.context(), &pb.ListSlowClientsRequest{}); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody is slow")
		}
	}
	k := resp.Clients[0]
	if k.QueuedBytes < 30 || k.QueuedPackets != 1 || k.Transport != "polling" || len(k.Sessions) != 1 || k.Sessions[0].Sid != sid || resp.MaxQueuedBytes != 1<<20 {
		t.Errorf("%v", resp)
	}
}

// A drain is told to backends when it begins, and GetEdge knows.
func TestDrainIsTold(t *testing.T) {
	asked := make(chan struct{}, 1)
	w := newWorldWith(t, nil, func(c *control.Config) {
		c.Operations.Drain = func() time.Duration {
			asked <- struct{}{}
			return 11 * time.Second
		}
	})
	admin := pb.NewAdminServiceClient(w.conn)
	m := w.attach(chat())
	m.snapshot()
	resp, err := admin.Drain(w.context(), &pb.DrainRequest{})
	if err != nil || resp.Within.AsDuration() != 11*time.Second {
		t.Fatalf("%v, %v", resp, err)
	}
	<-asked
	w.server.Draining(10 * time.Second)
	equal(t, "within", m.recv().GetDraining().GetWithin().AsDuration(), 10*time.Second)
	edge, err := admin.GetEdge(w.context(), &pb.GetEdgeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "state", edge.Edge.State, pb.EdgeState_EDGE_STATE_DRAINING)

	w = newWorld(t)
	_, err = pb.NewAdminServiceClient(w.conn).Drain(w.context(), &pb.DrainRequest{})
	equal(t, "without", status.Code(err), codes.FailedPrecondition)
}

// The parts of a backup are the store, larger than one message.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	kept, err := store.Open(filepath.Join(dir, "edge.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for i := range uint64(100) {
		kept.Put(store.Letters, "chat", i, make([]byte, 10_000))
	}
	w := newWorldWith(t, nil, func(c *control.Config) { c.Operations.Snapshot = kept.Snapshot })
	stream, err := pb.NewAdminServiceClient(w.conn).Backup(w.context(), &pb.BackupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	size := uint64(0)
	for parts := 0; ; parts++ {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if parts < 2 {
				t.Errorf("%d parts", parts)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part.Data...)
		size += part.Size
	}
	equal(t, "size", int(size), len(all))
	file := filepath.Join(dir, "backup.db")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := store.Inspect(file, nil); err != nil || !r.Sound || len(r.Parts) != 1 || r.Parts[0].Records != 100 {
		t.Errorf("%+v, %v", r, err)
	}

	w = newWorld(t)
	stream, _ = pb.NewAdminServiceClient(w.conn).Backup(w.context(), &pb.BackupRequest{})
	_, err = stream.Recv()
	equal(t, "without a store", refusal(err), "FailedPrecondition STORE_NONE")
}
