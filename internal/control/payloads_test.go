package control_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// People who look after the edge do without what applications say.
func TestOperatorsSeeNoPayloads(t *testing.T) {
	g := newGuarded(t)
	m := g.attach(&pb.Hello{Group: "all", MemberId: "1", InstanceId: "a", Spec: routes("/chat")})
	m.snapshot()
	tail, err := pb.NewAdminServiceClient(g.as(t, "ops")).TailEvents(g.context(), &pb.TailEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := pb.NewAdminServiceClient(g.conn).TailEvents(g.context(), &pb.TailEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both tails are open", func() bool { return strings.Count(g.audit.String(), "TailEvents") == 2 })
	c := g.open()
	c.send(`40/chat,{"token":"canary"}`)
	_, sid, _ := strings.Cut(c.recv(), `"sid":"`)
	sid = sid[:strings.IndexByte(sid, '"')]
	m.commands(&pb.Command{Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: sid, Namespace: "/chat", Set: map[string]string{"k": "canary"}}}},
		emit("", "down", `["canary"]`, &pb.Target{Namespace: "/chat", Everyone: true}))
	c.send(`42/chat,1["up","canary"]`)
	for m.delivery().Event.GetClientEvent() == nil {
	}
	var shown, full string
	for range 3 {
		entry, err := tail.Recv()
		if err != nil {
			t.Fatal(err)
		}
		shown += entry.String()
		if entry, err = whole.Recv(); err != nil {
			t.Fatal(err)
		}
		full += entry.String()
	}
	for _, want := range []string{`"up"`, `"down"`, sid} {
		if !strings.Contains(shown, want) {
			t.Errorf("the tail of an admin lacks %s: %s", want, shown)
		}
	}
	if strings.Contains(shown, "canary") || strings.Contains(shown, "Go-http-client") {
		t.Errorf("the tail of an admin: %s", shown)
	}
	if strings.Count(full, "canary") < 3 {
		t.Errorf("the tail with payload-debug: %s", full)
	}
	k, err := pb.NewSessionServiceClient(g.as(t, "watch")).GetSession(g.context(), &pb.GetSessionRequest{Namespace: "/chat", Sid: sid})
	if err != nil || k.Session.Transport != "polling" || strings.Contains(k.String(), "canary") || strings.Contains(k.String(), "Go-http-client") {
		t.Errorf("a session for an observer: %v, %v", k, err)
	}
}

// The pages of operators go by the same tables.
func TestPagesByRole(t *testing.T) {
	g := newGuarded(t)
	for _, c := range []struct {
		caller, token, path string
		want                int
	}{
		{"", "", "/events/tail", 401},
		{"", "guess", "/events/tail", 401},
		{"", cronToken, "/events/tail", 403},
		{"watch", "", "/events/tail", 403},
		{"watch", "", "/nowhere", 403}, // in no table
		{"", "", "/sioedge.v1.AdminService/GetEdge", 401},
	} {
		code, body := g.http(t, g.tls(t, g.ca, c.caller, time.Hour), "GET", c.path, c.token)
		if code != c.want || !strings.HasPrefix(body, `{"code":"`) {
			t.Errorf("%s as %q with %q: %d %s, want %d", c.path, c.caller, c.token, code, body, c.want)
		}
	}
	code, body := g.http(t, g.tls(t, nil, "", 0), "POST", "/sioedge.v1.CommandService/Execute", cronToken)
	if code != http.StatusOK || body != "{}" {
		t.Errorf("a command with a token: %d %s", code, body)
	}
}

// A copy of the store holds everything: it takes two roles.
func TestABackupTakesPayloadDebugToo(t *testing.T) {
	g := newGuarded(t)
	for caller, want := range map[string]codes.Code{"ops": codes.PermissionDenied, "all": codes.FailedPrecondition} { // there is no store
		stream, err := pb.NewAdminServiceClient(g.as(t, caller)).Backup(g.context(), &pb.BackupRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		equal(t, caller, status.Code(err), want)
	}
}
