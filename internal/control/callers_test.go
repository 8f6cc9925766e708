package control_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
