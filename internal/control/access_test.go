package control_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Every method of the contract is called by a caller of each role, and answers as this says. A
// method or a role that is not here fails the test.
func TestEveryMethodForEveryRole(t *testing.T) {
	const roles = "backend emitter observer drainer admin payload-debug"
	may := map[protoreflect.FullName]string{
		"sioedge.v1.EventService.Subscribe":          "backend",
		"sioedge.v1.CommandService.Execute":          "backend emitter admin",
		"sioedge.v1.CommandService.EmitWithAck":      "backend emitter",
		"sioedge.v1.SessionService.GetSession":       "backend observer admin",
		"sioedge.v1.SessionService.ListSessions":     "backend observer admin",
		"sioedge.v1.SessionService.CountSessions":    "backend observer admin",
		"sioedge.v1.SessionService.ListRooms":        "backend observer admin",
		"sioedge.v1.AdminService.GetEdge":            "observer drainer admin",
		"sioedge.v1.AdminService.ListGroups":         "observer admin",
		"sioedge.v1.AdminService.ListDeadLetters":    "admin",
		"sioedge.v1.AdminService.RedriveDeadLetters": "admin",
		"sioedge.v1.AdminService.SeekGroup":          "admin",
		"sioedge.v1.AdminService.PauseGroup":         "admin",
		"sioedge.v1.AdminService.ResumeGroup":        "admin",
		"sioedge.v1.AdminService.TailEvents":         "admin",
		"sioedge.v1.AdminService.ListSlowClients":    "observer admin",
		"sioedge.v1.AdminService.ListRefusals":       "observer admin",
		"sioedge.v1.AdminService.Drain":              "drainer admin",
		"sioedge.v1.AdminService.Backup":             "nobody", // with payload-debug as well: see below
	}
	file := "callers:\n  all: {certificates: [all], roles: [admin]}\n"
	for role := range strings.FieldsSeq(roles) {
		pattern := ""
		if role == "backend" || role == "emitter" {
			pattern = ":*"
		}
		file += fmt.Sprintf("  %s: {certificates: [%s], roles: [%q]}\n", role, role, role+pattern)
	}
	g := newGuardedBy(t, file, nil)
	conns := make(map[string]*grpc.ClientConn)
	for role := range strings.FieldsSeq(roles) {
		conns[role] = g.as(t, role)
	}
	seen := 0
	for _, f := range []protoreflect.FileDescriptor{pb.File_sioedge_v1_event_service_proto, pb.File_sioedge_v1_command_service_proto,
		pb.File_sioedge_v1_session_service_proto, pb.File_sioedge_v1_admin_service_proto} {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				seen++
				if may[m.FullName()] == "" {
					t.Errorf("%s: who may call it?", m.FullName())
				}
				for role := range strings.FieldsSeq(roles) {
					want := !strings.Contains(" "+may[m.FullName()]+" ", " "+role+" ")
					if got := call(t, conns[role], m); (got == codes.PermissionDenied) != want {
						t.Errorf("%s as %s: %s", m.FullName(), role, got)
					}
					if m.IsStreamingClient() || m.IsStreamingServer() {
						continue
					}
					if code := g.post(t, g.tls(t, g.ca, role, time.Hour), m); (code == http.StatusForbidden) != want {
						t.Errorf("%s as %s over JSON: %d", m.FullName(), role, code)
					}
				}
			}
		}
	}
	if seen != len(may) {
		t.Errorf("%d methods, want %d", seen, len(may))
	}
}

// call calls a method with an empty request and returns what comes of it, OK for a stream that goes on.
func call(t *testing.T, conn *grpc.ClientConn, m protoreflect.MethodDescriptor) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	path := "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
	req, resp := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	if !m.IsStreamingClient() && !m.IsStreamingServer() {
		return status.Code(conn.Invoke(ctx, path, req, resp))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
	if err != nil {
		return status.Code(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- stream.RecvMsg(resp) }()
	stream.SendMsg(req)
	stream.CloseSend()
	select {
	case err := <-answered:
		return status.Code(err)
	case <-time.After(200 * time.Millisecond): // the tail of nothing
		cancel()
		<-answered
		return codes.OK
	}
}

func (g *guarded) post(t *testing.T, c *tls.Config, m protoreflect.MethodDescriptor) int {
	t.Helper()
	code, _ := g.http(t, c, "POST", "/"+string(m.Parent().FullName())+"/"+string(m.Name()), "")
	return code
}

// http asks the ops listener.
func (g *guarded) http(t *testing.T, c *tls.Config, method, path, token string, headers ...string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	req, _ := http.NewRequestWithContext(g.context(), method, "https"+strings.TrimPrefix(g.ops.URL, "http")+path, strings.NewReader("{}"))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if token != "" {
		req.SetBasicAuth("me", token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// The health service is for everybody who is let in, and for nobody else.
func TestHealthNeedsACaller(t *testing.T) {
	g := newGuarded(t)
	if _, err := healthpb.NewHealthClient(g.as(t, "cron")).Check(g.context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	_, err := healthpb.NewHealthClient(g.dial(t, g.tls(t, nil, "", 0))).Check(g.context(), &healthpb.HealthCheckRequest{})
	equal(t, "code", status.Code(err), codes.Unauthenticated)
}

// A command is for one namespace. What a caller may not know of looks as if it were not there, and
// its stream goes on.
func TestG8_OtherNamespacesLookAsIfTheyWereNotThere(t *testing.T) {
	g := newGuarded(t)
	everything := g.attach(&pb.Hello{Group: "all", MemberId: "1", InstanceId: "a", Spec: routes("/chat", "/shop")})
	everything.snapshot()
	_, sid := g.join("/shop")
	c, own := g.join("/chat")

	g.conn = g.as(t, "chat")
	m := g.attach(&pb.Hello{Group: "chat", MemberId: "1", InstanceId: "a", Spec: routes("/chat")})
	equal(t, "sessions", len(m.snapshot()), 1)
	m.commands(
		emit("1", "x", `[]`, &pb.Target{Namespace: "/shop", Sids: []string{sid}}),
		emit("2", "x", `[]`, &pb.Target{Namespace: "/nowhere", Sids: []string{sid}}),
		emit("3", "x", `[]`, &pb.Target{Namespace: "/chat-nowhere", Sids: []string{sid}}),
		&pb.Command{CommandId: "4", Op: &pb.Command_Disconnect{Disconnect: &pb.Disconnect{Target: &pb.Target{Namespace: "/shop", Everyone: true}}}},
		&pb.Command{CommandId: "5", Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: sid, Namespace: "/shop"}}},
		&pb.Command{CommandId: "6", Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: "unknown", Namespace: "/chat"}}},
		&pb.Command{CommandId: "7", Op: &pb.Command_Update{Update: &pb.UpdateSession{Sid: sid, Namespace: "/chat"}}},
		emit("8", "x", `[]`, &pb.Target{Namespace: "/chat", Everyone: true}),
	)
	var got []string
	for len(got) < 8 {
		for _, r := range m.recv().GetResults().GetResults() {
			st := status.FromProto(r.Status)
			got = append(got, fmt.Sprintf("%s %s %s", r.CommandId, st.Code(), reason(st)))
			if r.CommandId == "1" || r.CommandId == "3" {
				text := strings.ReplaceAll(strings.ReplaceAll(st.Message(), "/shop", "N"), "/chat-nowhere", "N")
				equal(t, "text of "+r.CommandId, text, `namespace "N": no configuration and no group declares it`)
			}
		}
	}
	equal(t, "results", strings.Join(got, "\n"), `1 NotFound NAMESPACE_UNKNOWN
2 NotFound NAMESPACE_UNKNOWN
3 NotFound NAMESPACE_UNKNOWN
4 NotFound NAMESPACE_UNKNOWN
5 NotFound NAMESPACE_UNKNOWN
6 NotFound SESSION_GONE
7 NotFound SESSION_GONE
8 OK `)
	equal(t, "packet", strings.HasPrefix(c.recv(), `42/chat,["x"`), true)

	sessions := pb.NewSessionServiceClient(g.conn)
	_, err := sessions.GetSession(g.context(), &pb.GetSessionRequest{Namespace: "/shop", Sid: sid})
	equal(t, "session of another", reason(status.Convert(err)), "NAMESPACE_UNKNOWN")
	_, err = sessions.ListSessions(g.context(), &pb.ListSessionsRequest{Filter: &pb.Target{Namespace: "/shop"}})
	equal(t, "sessions of another", reason(status.Convert(err)), "NAMESPACE_UNKNOWN")
	_, err = sessions.CountSessions(g.context(), &pb.CountSessionsRequest{}) // of "/"
	equal(t, "count of another", reason(status.Convert(err)), "NAMESPACE_UNKNOWN")
	_, err = sessions.ListRooms(g.context(), &pb.ListRoomsRequest{Namespace: "/shop"})
	equal(t, "rooms of another", reason(status.Convert(err)), "NAMESPACE_UNKNOWN")
	mine, err := sessions.GetSession(g.context(), &pb.GetSessionRequest{Namespace: "/chat", Sid: own})
	if err != nil || mine.Session.Handshake.Headers["user-agent"] == "" {
		t.Errorf("its own session: %v, %v", mine, err)
	}
}

func routes(namespaces ...string) *pb.GroupSpec {
	spec := &pb.GroupSpec{}
	for _, n := range namespaces {
		spec.Routes = append(spec.Routes, &pb.Route{Namespace: n})
	}
	return spec
}

// A Hello that asks for more than the role allows is refused, whether it asks by name, by a
// pattern, by default, or by joining a group that got more before.
func TestAHelloBeyondTheRoleIsRefused(t *testing.T) {
	g := newGuarded(t)
	g.attach(&pb.Hello{Group: "wide", MemberId: "1", InstanceId: "a", Spec: routes("/chat", "/shop")}).snapshot()
	for _, c := range []struct {
		caller, group string
		spec          *pb.GroupSpec
		want          string
	}{
		{"chat", "a", routes("/chat"), ""},
		{"chat", "b", routes("/chat", "/chat-2", "/chat*"), ""},
		{"chat", "c", nil, "NAMESPACE_DENIED"},
		{"chat", "d", routes("/shop"), "NAMESPACE_DENIED"},
		{"chat", "e", routes("/chat", "*"), "NAMESPACE_DENIED"},
		{"chat", "f", routes("/ch*"), "NAMESPACE_DENIED"},
		{"chat", "wide", routes("/chat"), "NAMESPACE_DENIED"},
		{"shop", "shop", routes("/shop"), ""},
		{"shop", "other", routes("/shop"), "GROUP_DENIED"},
		{"shop", "shop", routes("/shop*"), "NAMESPACE_DENIED"},
		{"cron", "g", routes("/chat"), "ROLE_MISSING"},
		{"ops", "h", routes("/chat"), "ROLE_MISSING"},
	} {
		stream, err := pb.NewEventServiceClient(g.as(t, c.caller)).Subscribe(g.context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Send(&pb.SubscribeRequest{Message: &pb.SubscribeRequest_Hello{Hello: &pb.Hello{ProtocolVersion: 1, Group: c.group, MemberId: "2", InstanceId: "b", Spec: c.spec}}})
		_, err = stream.Recv()
		if got := reason(status.Convert(err)); got != c.want {
			t.Errorf("%s in %s with %v: %q (%v), want %q", c.caller, c.group, c.spec, got, err, c.want)
		}
	}
	if !strings.Contains(g.audit.String(), `"audit":{"caller":"shop","error":"caller shop may not attach to group \"other\": it is not among its groups"}`) {
		t.Errorf("audit log:\n%s", g.audit)
	}
}

// A group that comes to get more than one of its members may see loses that member before it is
// told anything.
func TestAMemberIsNeverToldOfNamespacesBeyondItsRole(t *testing.T) {
	g := newGuarded(t)
	wide := g.conn
	g.conn = g.as(t, "chat")
	narrow := g.attach(&pb.Hello{Group: "chat", MemberId: "1", InstanceId: "a", Spec: routes("/chat")})
	narrow.snapshot()
	g.conn = wide
	// The same group, now for everything: its newest Hello counts. Half of the sessions go to each.
	h := &pb.Hello{Group: "chat", MemberId: "2", InstanceId: "a", Spec: routes("/chat", "/shop"), Flow: &pb.FlowControl{Paused: true}}
	g.attach(h).snapshot()
	gone := make(chan error, 1)
	go func() {
		for {
			r, err := narrow.stream.Recv()
			if err != nil {
				gone <- err
				return
			}
			for _, d := range r.GetDeliveries().GetDeliveries() {
				if d.Event.Namespace != "/chat" {
					t.Errorf("it got %v", d.Event)
				}
			}
			for _, k := range r.GetAssignment().GetGained() {
				if k.Namespace != "/chat" {
					t.Errorf("it gained %v", k)
				}
			}
		}
	}()
	for range 50 { // every other session is that member's
		g.join("/shop")
		select {
		case err := <-gone:
			equal(t, "reason", reason(status.Convert(err)), "NAMESPACE_DENIED")
			return
		default:
		}
	}
	select {
	case err := <-gone:
		equal(t, "reason", reason(status.Convert(err)), "NAMESPACE_DENIED")
	case <-time.After(5 * time.Second):
		t.Error("it is still there")
	}
}

// disconnect with close_connection does not reach into namespaces of others.
func TestClosingAConnectionSparesTheSessionsOfOthers(t *testing.T) {
	g := newGuarded(t)
	g.attach(&pb.Hello{Group: "all", MemberId: "1", InstanceId: "a", Spec: routes("/chat", "/chat-2", "/shop")}).snapshot()
	c, one := g.join("/chat")
	c.join("/chat-2")
	theirs := c.join("/shop")
	execute := func(caller string) *pb.CommandResult {
		t.Helper()
		resp, err := pb.NewCommandServiceClient(g.as(t, caller)).Execute(g.context(), &pb.ExecuteRequest{Commands: []*pb.Command{
			{Op: &pb.Command_Disconnect{Disconnect: &pb.Disconnect{Target: &pb.Target{Namespace: "/chat", Sids: []string{one}}, CloseConnection: true}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Results[0]
	}
	equal(t, "as an emitter", reason(status.FromProto(execute("cron").Status)), "ROLE_MISSING")
	equal(t, "ended", execute("chat").Receipt.GetWritten(), 1)
	equal(t, "packets", c.recv(), "41/chat,\x1e41/chat-2,")
	g.conn = g.as(t, "shop")
	k, err := pb.NewSessionServiceClient(g.conn).GetSession(g.context(), &pb.GetSessionRequest{Namespace: "/shop", Sid: theirs})
	if err != nil || k.Session.State != pb.SessionState_SESSION_STATE_OPEN {
		t.Errorf("the session of another: %v, %v", k, err)
	}
	c.join("/chat")
}

// Two callers that choose the same command_id do not meet, within this process or after it.
func TestG10_TheKeysOfTwoCallersAreTwo(t *testing.T) {
	g := newGuarded(t)
	g.attach(&pb.Hello{Group: "all", MemberId: "1", InstanceId: "a", Spec: routes("/chat")}).snapshot()
	g.join("/chat")
	do := func(caller, event string) *pb.CommandResult {
		t.Helper()
		resp, err := pb.NewCommandServiceClient(g.as(t, caller)).Execute(g.context(), &pb.ExecuteRequest{Commands: []*pb.Command{
			emit("key", event, "[]", &pb.Target{Namespace: "/chat", Everyone: true})}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Results[0]
	}
	first := do("cron", "a")
	equal(t, "first", first.Receipt.GetWritten(), 1)
	other := do("chat", "b")
	equal(t, "of another caller", fmt.Sprint(other.Receipt.GetWritten(), other.Receipt.GetRepeatedCommand()), "1 false")
	equal(t, "again", do("cron", "a").Receipt.GetRepeatedCommand(), true)
	equal(t, "its id", do("cron", "a").CommandId, "key")
	equal(t, "with another body", codes.Code(do("cron", "c").GetStatus().GetCode()), codes.AlreadyExists)
	equal(t, "the first is kept", do("cron", "a").Receipt.GetWritten(), 1)
	g.server.Remember("cron\x00before", time.Now())
	resp, err := pb.NewCommandServiceClient(g.as(t, "chat")).Execute(g.context(), &pb.ExecuteRequest{Commands: []*pb.Command{
		emit("before", "x", "[]", &pb.Target{Namespace: "/chat", Everyone: true})}})
	if err != nil || resp.Results[0].Receipt.RepeatedCommand {
		t.Errorf("what another caller did before the restart: %v, %v", resp, err)
	}
}

// A caller says something to members of groups only that it might be a member of.
func TestTellReachesGroupsOfTheCallerOnly(t *testing.T) {
	g := newGuarded(t)
	g.attach(&pb.Hello{Group: "wide", MemberId: "1", InstanceId: "a", Spec: routes("/chat", "/shop")}).snapshot()
	g.attach(&pb.Hello{Group: "chat", MemberId: "1", InstanceId: "a", Spec: routes("/chat")}).snapshot()
	tell := func(caller, group, namespace string) string {
		t.Helper()
		resp, err := pb.NewCommandServiceClient(g.as(t, caller)).Execute(g.context(), &pb.ExecuteRequest{Commands: []*pb.Command{
			{Op: &pb.Command_Tell{Tell: &pb.Tell{Group: group, Namespace: namespace, Event: "x"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		st := status.FromProto(resp.Results[0].Status)
		return reason(st) + " " + st.Message()
	}
	equal(t, "its own", tell("chat", "chat", "/chat"), " ")
	unknown := tell("chat", "nowhere", "/chat")
	equal(t, "reason", strings.HasPrefix(unknown, "GROUP_UNKNOWN "), true)
	equal(t, "one that gets more", tell("chat", "wide", "/chat"), unknown)
	equal(t, "another namespace", strings.HasPrefix(tell("chat", "chat", "/shop"), "NAMESPACE_UNKNOWN "), true)
	equal(t, "as an emitter", strings.HasPrefix(tell("cron", "chat", "/chat"), "ROLE_MISSING "), true)
}
