package control_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sio-edge/sio-edge/internal/control/access/authority"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Whoever is not known is turned away at once, and learns nothing but that.
func TestG1_CallersWithoutAGoodCredential(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	der, _ := x509.MarshalPKIXPublicKey(public)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "issuer.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGuardedBy(t, fmt.Sprintf(callers, hashOf(cronToken))+
		"  ci: {subjects: [ci], roles: [observer]}\n"+
		"  twin: {certificates: [twin], roles: [observer]}\n"+
		"jwt: {issuer: https://issuer.example, audience: sio-edge, keys: ["+filepath.Join(dir, "issuer.pem")+"]}\n", nil)
	sign := func(claims jwt.RegisteredClaims) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	claims := func(lasts time.Duration) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{Issuer: "https://issuer.example", Audience: jwt.ClaimStrings{"sio-edge"}, Subject: "ci",
			ExpiresAt: jwt.NewNumericDate(time.Now().Add(lasts))}
	}
	stranger := g.authority(t)
	both := func() *tls.Config { // a certificate with the names of two callers
		c := g.tls(t, g.ca, "chat", time.Hour)
		c.Certificates = []tls.Certificate{issue(t, g.ca, "chat", "twin")}
		return c
	}
	for _, c := range []struct {
		name  string
		tls   *tls.Config
		token string
		want  codes.Code
	}{
		{"a good certificate", g.tls(t, g.ca, "watch", time.Hour), "", codes.OK},
		{"a good JWT", g.tls(t, nil, "", 0), sign(claims(time.Hour)), codes.OK},
		{"nothing", g.tls(t, nil, "", 0), "", codes.Unauthenticated},
		{"an unknown token", g.tls(t, nil, "", 0), "guess", codes.Unauthenticated},
		{"a hash as token", g.tls(t, nil, "", 0), "sha256:" + hashOf(cronToken), codes.Unauthenticated},
		{"a bad token beside a good certificate", g.tls(t, g.ca, "watch", time.Hour), "guess", codes.Unauthenticated},
		{"a certificate of nobody", g.tls(t, g.ca, "mallory", time.Hour), "", codes.Unauthenticated},
		{"a name that only begins so", g.tls(t, g.ca, "watch.evil.example", time.Hour), "", codes.Unauthenticated},
		{"the names of two callers", both(), "", codes.Unauthenticated},
		{"an expired certificate", g.tls(t, g.ca, "watch", -time.Minute), "", codes.Unavailable},
		{"a certificate of another authority", g.tls(t, stranger, "watch", time.Hour), "", codes.Unavailable},
		{"an expired JWT", g.tls(t, nil, "", 0), sign(claims(-2 * time.Minute)), codes.Unauthenticated},
		{"a JWT for ever", g.tls(t, nil, "", 0), sign(claims(48 * time.Hour)), codes.Unauthenticated},
		{"another role", g.tls(t, g.ca, "cron", time.Hour), "", codes.PermissionDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if c.token != "" {
				ctx = bearing(ctx, c.token)
			}
			_, err := pb.NewAdminServiceClient(g.dial(t, c.tls)).GetEdge(ctx, &pb.GetEdgeRequest{})
			if status.Code(err) != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if text := status.Convert(err).Message(); c.want == codes.Unauthenticated && text != "no certificate and no token of a caller that this edge knows" {
				t.Errorf("it says %q", text)
			}
		})
	}
}

// Without tokens in the access file the TLS layer wants a certificate.
func TestG1_CertificatesAreAMustWhereThereAreNoTokens(t *testing.T) {
	g := newGuardedBy(t, "callers: {all: {certificates: [all], roles: [observer]}}", nil)
	_, err := pb.NewAdminServiceClient(g.dial(t, g.tls(t, nil, "", 0))).GetEdge(g.context(), &pb.GetEdgeRequest{})
	equal(t, "code", status.Code(err), codes.Unavailable)
	if _, err := pb.NewAdminServiceClient(g.conn).GetEdge(g.context(), &pb.GetEdgeRequest{}); err != nil {
		t.Error(err)
	}
}

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

// issue makes a certificate with several names.
func issue(t *testing.T, ca *authority.Authority, names ...string) tls.Certificate {
	t.Helper()
	p, err := ca.Caller(time.Hour, names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
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

// What lasts ends when what it came with is not good any more, and goes on otherwise.
func TestG18_AccessIsWithdrawnFromWhoIsConnected(t *testing.T) {
	file := fmt.Sprintf(callers, hashOf(cronToken)) + "  bot: {tokens: [\"sha256:" + hashOf("bot-canary") + "\"], roles: [admin]}\n"
	for name, change := range map[string]func(*guarded){
		"its certificate's name is gone": func(g *guarded) { g.write(t, "access.yaml", []byte(strings.Replace(file, "[ops]", "[ops2]", 1))) },
		"its role is gone": func(g *guarded) {
			g.write(t, "access.yaml", []byte(strings.Replace(file, "ops: {certificates: [ops], roles: [admin]}", "ops: {certificates: [ops], roles: [observer]}", 1)))
		},
		"the authority is another":         func(g *guarded) { g.write(t, "ca.crt", g.authority(t).Pair().Cert) },
		"its certificate has been revoked": func(g *guarded) { g.write(t, "access.yaml", []byte(file+"revoked: [\""+g.serial+"\"]\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuardedBy(t, file, nil)
			tail := func(conn *grpc.ClientConn, ctx context.Context) chan error {
				n := strings.Count(g.audit.String(), "TailEvents")
				stream, err := pb.NewAdminServiceClient(conn).TailEvents(ctx, &pb.TailEventsRequest{})
				if err != nil {
					t.Fatal(err)
				}
				eventually(t, "the tail is open", func() bool { return strings.Count(g.audit.String(), "TailEvents") > n })
				ended := make(chan error, 1)
				go func() { _, err := stream.Recv(); ended <- err }()
				return ended
			}
			c := g.tls(t, g.ca, "ops", time.Hour)
			leaf, _ := x509.ParseCertificate(c.Certificates[0].Certificate[0])
			g.serial = leaf.SerialNumber.Text(16)
			byCert := tail(g.dial(t, c), g.context())
			byToken := tail(g.dial(t, g.tls(t, nil, "", 0)), bearing(g.context(), "bot-canary"))
			change(g)
			select {
			case err := <-byCert:
				equal(t, "code", status.Code(err), codes.Unavailable)
			case <-g.context().Done():
				t.Fatal("it goes on")
			}
			select {
			case err := <-byToken:
				t.Fatalf("the other ended: %v", err)
			default:
			}
			if !strings.Contains(g.audit.String(), `"msg":"access withdrawn, connection closed","audit":{"caller":"ops"`) {
				t.Errorf("audit log:\n%s", g.audit)
			}
			g.write(t, "access.yaml", []byte(strings.Replace(file, hashOf("bot-canary"), hashOf("another"), 1)))
			select {
			case <-byToken:
			case <-g.context().Done():
				t.Fatal("it goes on without its token")
			}
		})
	}
}

// A faulty file changes nothing, and is told of once.
func TestFaultyFilesLeaveTheFormerOnesInForce(t *testing.T) {
	g := newGuarded(t)
	for name, good := range map[string][]byte{"access.yaml": nil, "ca.crt": nil, "edge.crt": nil, "edge.key": nil} {
		good, _ = os.ReadFile(filepath.Join(g.dir, name))
		g.write(t, name, []byte("nothing that makes sense"))
		eventually(t, name+" is found faulty", g.guard.Stale)
		if _, err := pb.NewAdminServiceClient(g.as(t, "watch")).GetEdge(g.context(), &pb.GetEdgeRequest{}); err != nil {
			t.Errorf("%s is faulty: %v", name, err)
		}
		_, err := pb.NewAdminServiceClient(g.dial(t, g.tls(t, nil, "", 0))).GetEdge(g.context(), &pb.GetEdgeRequest{})
		equal(t, "nobody, while "+name+" is faulty", status.Code(err), codes.Unauthenticated)
		g.write(t, name, good)
		eventually(t, name+" is found good", func() bool { return !g.guard.Stale() })
	}
	equal(t, "told", strings.Count(g.audit.String(), "access files are faulty"), 4)
}

// The certificate of the edge is replaced without a restart.
func TestANewCertificateIsServed(t *testing.T) {
	g := newGuarded(t)
	serial := func() string {
		c, err := tls.Dial("tcp", g.addr, g.tls(t, g.ca, "all", time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	next, err := g.ca.Server([]string{"127.0.0.1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, "edge.crt", next.Cert) // for an instant they do not fit: that is no moment without one
	serial()
	g.write(t, "edge.key", next.Key)
	eventually(t, "the new one", func() bool { return serial() != before })
}

// No token and nothing made of one is in any log.
func TestTokensAreInNoLog(t *testing.T) {
	g := newGuarded(t)
	for _, token := range []string{cronToken, "canary-that-nobody-knows"} {
		ctx := bearing(g.context(), token)
		conn := g.dial(t, g.tls(t, nil, "", 0))
		conn.Invoke(ctx, "/"+token+"/x", &pb.GetEdgeRequest{}, &pb.GetEdgeResponse{}) // put into the wrong place, and told of first
		pb.NewAdminServiceClient(conn).GetEdge(ctx, &pb.GetEdgeRequest{})
		pb.NewCommandServiceClient(conn).Execute(ctx, &pb.ExecuteRequest{})
		g.http(t, g.tls(t, nil, "", 0), "GET", "/events/tail", token)
	}
	log := g.audit.String()
	if !strings.Contains(log, `"caller":"cron"`) || !strings.Contains(log, "caller unknown") {
		t.Fatalf("nothing was written: %s", log)
	}
	for _, secret := range []string{"canary", hashOf(cronToken)} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", secret, log)
		}
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
