package control

import (
	"errors"
	"io"
)

// nothingCompressed refuses messages compressed with gzip, which something else in the process may
// have registered: a kilobyte must not become a megabyte here (CVE-2024-36129). It is a
// grpc.Decompressor; other compressions are unknown to gRPC.
type nothingCompressed struct{}

// Type implements grpc.Decompressor.
func (nothingCompressed) Type() string { return "gzip" }

// Do implements grpc.Decompressor.
func (nothingCompressed) Do(io.Reader) ([]byte, error) {
	return nil, errors.New("the edge takes no compressed messages")
}
