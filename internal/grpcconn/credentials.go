// Package grpcconn has the connections that gRPC runs on, at the edge and in Go backends.
package grpcconn

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials returns c for connections that read and write without telling Go's scheduler, see
// package nonblock. It begins at the handshake, because gRPC sets up what it has dialed or accepted
// only if that is a net.TCPConn. Without c there are none, and gRPC says so.
func Credentials(c credentials.TransportCredentials) credentials.TransportCredentials {
	if c == nil {
		return nil
	}
	return creds{c}
}

type creds struct {
	credentials.TransportCredentials
}

// ClientHandshake implements credentials.TransportCredentials.
func (c creds) ClientHandshake(ctx context.Context, authority string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.TransportCredentials.ClientHandshake(ctx, authority, wrap(nc))
}

// ServerHandshake implements credentials.TransportCredentials.
func (c creds) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.TransportCredentials.ServerHandshake(wrap(nc))
}

// Clone implements credentials.TransportCredentials.
func (c creds) Clone() credentials.TransportCredentials {
	return creds{c.TransportCredentials.Clone()}
}
