package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// spans is a collector of traces.
type spans struct {
	collector.UnimplementedTraceServiceServer
	mu  sync.Mutex // guards the following
	all []*tracepb.Span
}

func (s *spans) Export(ctx context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			s.all = append(s.all, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// tree is the spans as "parent > child", in no order.
func (s *spans) tree() map[string]*tracepb.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make(map[string]string)
	for _, span := range s.all {
		names[string(span.SpanId)] = span.Name
	}
	tree := make(map[string]*tracepb.Span)
	for _, span := range s.all {
		tree[names[string(span.ParentSpanId)]+" > "+span.Name] = span
	}
	return tree
}

func collect(t *testing.T) (*spans, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, server := &spans{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return s, "http://" + l.Addr().String()
}

// A client event is one trace from the edge through the backend to the emits that it makes, and what is
// not followed has no traceparent.
func TestTrace(t *testing.T) {
	got, endpoint := collect(t)
	p := startEdge(t, "--trace-endpoint", endpoint, "--trace-ratio", "1")
	edge := sioedge.New(p.control, sioedge.Group("chat"), sioedge.Member("1"), sioedge.Logger(slog.New(slog.DiscardHandler)))
	parents := make(chan string, 1)
	edge.On("say", func(ctx context.Context, s *sioedge.Socket, text string) (string, error) {
		parents <- sioedge.TraceParent(ctx)
		return "ok", s.Emit(ctx, "said", text)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	eventually(t, "the backend is attached", func() bool { return strings.Contains(p.run(t, "groups"), "chat   1/1") })
	a := p.join(t)
	a.send(`420["say","hi"]`)
	a.want(`42["said","hi"`)
	a.want(`430["ok"]`)
	parent := <-parents

	p.Process.Signal(os.Interrupt) // sends what there is
	io.Copy(io.Discard, p.stdout)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	tree := got.tree()
	whole, delivery, emit := tree[" > say"], tree["say > deliver chat"], tree["deliver chat > emit said"]
	if whole == nil || delivery == nil || emit == nil {
		t.Fatalf("%v", tree)
	}
	if want := fmt.Sprintf("00-%x-%x-01", delivery.TraceId, delivery.SpanId); parent != want {
		t.Errorf("the backend got %s, want %s", parent, want)
	}
	if whole.StartTimeUnixNano > delivery.StartTimeUnixNano || delivery.StartTimeUnixNano > emit.StartTimeUnixNano ||
		emit.EndTimeUnixNano > delivery.EndTimeUnixNano || delivery.EndTimeUnixNano > whole.EndTimeUnixNano {
		t.Errorf("they do not lie within each other:\n%v\n%v\n%v", whole, delivery, emit)
	}
}

// A collector that is not there costs nobody anything but the spans.
func TestTraceWithoutACollector(t *testing.T) {
	p := startEdge(t, "--trace-endpoint", "http://127.0.0.1:1", "--trace-ratio", "1")
	release := p.backend(t)
	defer release()
	a := p.join(t)
	for range 100 {
		a.send(`420["sum",1,2]`)
		a.want("430[3]")
	}
	p.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, p.stdout)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}
