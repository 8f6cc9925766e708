package control_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sio-edge/sio-edge/internal/control"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// A bug in one call is the end of that call, and says nothing to who made it.
func TestG17_APanicEndsOneCall(t *testing.T) {
	w := newWorldWith(t, nil, func(c *control.Config) {
		c.Operations.Refusals = func(func(string, string, uint64, time.Time)) { panic("secret of a unary call") }
		c.Operations.Snapshot = func() (*os.File, error) { panic("secret of a stream") }
	})
	admin := pb.NewAdminServiceClient(w.conn)
	ctx := t.Context()
	want := func(err error) {
		t.Helper()
		if s := status.Convert(err); s.Code() != codes.Internal || strings.Contains(s.Message(), "secret") {
			t.Errorf("got %v", err)
		}
	}
	for n := range 3 {
		_, err := admin.ListRefusals(ctx, &pb.ListRefusalsRequest{})
		want(err)
		stream, err := admin.Backup(ctx, &pb.BackupRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		want(err)
		resp, err := http.Post(w.ops.URL+"/sioedge.v1.AdminService/ListRefusals", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusInternalServerError || strings.Contains(string(b), "secret") {
			t.Errorf("JSON: %d %s", resp.StatusCode, b)
		}
		if _, err := admin.GetEdge(ctx, &pb.GetEdgeRequest{}); err != nil {
			t.Errorf("the next call: %v", err)
		}
		equal(t, "counted", w.server.Panics(), 3*n+3)
	}
}
