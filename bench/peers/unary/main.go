// Command unary is the backend of a server that asks for every event by a unary call. It answers
// the bytes that it gets; encoding them is not what is compared.
package main

import (
	"context"
	"flag"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7071", "address for the server that asks")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(raw{}))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Backend",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Event", Handler: event}},
	}, struct{}{})
	log.Fatal(s.Serve(l))
}

func event(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var b []byte
	err := decode(&b)
	return b, err
}

// raw passes bytes as they are.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
