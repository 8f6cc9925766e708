package access

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/sio-edge/sio-edge/internal/grpcconn"
)

// ServerOptions make a gRPC server let in whom the Guard knows. Who calls is decided when the head
// of a call has come, before anything else of it is read; whether the method is theirs, by Unary
// and Stream.
func (g *Guard) ServerOptions() []grpc.ServerOption {
	t := &transport{guard: g}
	if g.Secure() {
		t.tls = credentials.NewTLS(g.tls(true, "h2"))
	}
	return []grpc.ServerOption{grpc.Creds(grpcconn.Credentials(t)), grpc.InTapHandle(g.tap)}
}

// transport is a credentials.TransportCredentials that tells the Guard of connections.
type transport struct {
	guard *Guard
	tls   credentials.TransportCredentials // nil: nothing is encrypted
}

// peerInfo is the credentials.AuthInfo of a connection.
type peerInfo struct{ conn *conn }

// AuthType implements credentials.AuthInfo.
func (peerInfo) AuthType() string { return "sio-edge" }

// ServerHandshake implements credentials.TransportCredentials.
func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	own := t.guard.track(raw, t.tls != nil)
	if t.tls == nil {
		return own, peerInfo{own}, nil
	}
	c, info, err := t.tls.ServerHandshake(own)
	if err != nil {
		own.Close()
		if !errors.Is(err, io.EOF) { // that is somebody who looks whether the port is open
			t.guard.cfg.Refused("control", Handshake)
			t.guard.denials.note("handshake failed", "", "peer", hostOf(raw.RemoteAddr()), "error", cut(err.Error()))
		}
		return nil, nil, err
	}
	own.verified(info.(credentials.TLSInfo).State.PeerCertificates)
	return c, peerInfo{own}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (t *transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

// Info implements credentials.TransportCredentials.
func (t *transport) Info() credentials.ProtocolInfo {
	if t.tls != nil {
		return t.tls.Info()
	}
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

// Clone implements credentials.TransportCredentials.
func (t *transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements credentials.TransportCredentials.
func (t *transport) OverrideServerName(string) error { return nil }

// admitted is a call in its context.
type admitted struct {
	call
	conn *conn
}

type admittedKey struct{}

// tap is a tap.ServerInHandle.
func (g *Guard) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errUnknown
	}
	c := p.AuthInfo.(peerInfo).conn
	k, err := g.admit(c, bearerOf(info.Header["authorization"]))
	if err != nil {
		g.cfg.Refused("control", Credential)
		g.denials.note("caller unknown", "", "peer", hostOf(p.Addr), "method", string(methods[info.FullMethodName].name))
		c.refused()
		return nil, err
	}
	c.isKnown()
	ctx = context.WithValue(ctx, grantKey{}, k.grant)
	return context.WithValue(ctx, admittedKey{}, admitted{k, c}), nil
}

// Unary is a grpc.UnaryServerInterceptor that denies methods that are not the caller's.
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.authorise(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// Stream is the same for streams, which end when what they came with is not good any more.
func (g *Guard) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx := stream.Context()
	if err := g.authorise(ctx, info.FullMethod); err != nil {
		return err
	}
	a := ctx.Value(admittedKey{}).(admitted)
	defer a.conn.begin(&a.call)()
	return next(srv, stream)
}

func (g *Guard) authorise(ctx context.Context, path string) error {
	grant := From(ctx)
	_, err := grant.call(path)
	if err != nil {
		g.Denied(grant, err)
	}
	return err
}

// Denied tells of what a caller was denied.
func (g *Guard) Denied(grant *Grant, err error) {
	g.cfg.Refused("control", Role)
	g.denials.note("denied", grant.Name, "caller", grant.Name, "error", messageOf(err))
}
