// Package trace follows some client events with OpenTelemetry: from the edge's reading one, through
// its delivery to a group, to what the backend sends because of it. Most of an edge runs without: a
// nil *Tracer does nothing, and an event that is not followed has a nil *Event.
//
// The spans of an event that two emits answer:
//
//	say                     from reading it to its last settlement
//	└ deliver chat          from its delivery to its settlement; its traceparent goes to the backend
//	  └ (spans of the backend's own, if it has any)
//	    ├ emit said         a command that carries the traceparent back, while it is applied
//	    └ emit noted
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is where spans go and how many of them.
type Config struct {
	// Endpoint is the collector's: http://host:4317 in the clear, https://host:4317 with TLS. OTLP
	// over gRPC. Headers, certificates and the like come from OTEL_EXPORTER_OTLP_… of the environment.
	Endpoint string
	// Ratio is how many of the client events are followed, from 0 to 1. What a backend traces by itself
	// is followed whatever the ratio is.
	Ratio float64
	// EdgeID and Version describe the edge.
	EdgeID, Version string
}

// Tracer makes spans. All methods may be called concurrently, and on nil.
type Tracer struct {
	// Static after New.
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	below    uint64 // a random number below it is followed
}

// New returns a Tracer that sends spans when it has some: no connection is made here. What goes wrong
// with sending is logged once a minute at most.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Tracer, error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(cfg.Endpoint))
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", cfg.Endpoint, err)
	}
	var quiet sync.Mutex // guards said
	var said time.Time
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		quiet.Lock()
		defer quiet.Unlock()
		if time.Since(said) > time.Minute {
			said = time.Now()
			log.Warn("spans are lost: the collector does not take them", "endpoint", cfg.Endpoint, "error", err)
		}
	}))
	return newTracer(cfg, sdktrace.WithBatcher(exporter)), nil
}

func newTracer(cfg Config, option sdktrace.TracerProviderOption) *Tracer {
	about := resource.NewSchemaless(attribute.String("service.name", "sio-edge"),
		attribute.String("service.version", cfg.Version), attribute.String("service.instance.id", cfg.EdgeID))
	// Who is asked for a span wants it: the choice was made before.
	p := sdktrace.NewTracerProvider(option, sdktrace.WithResource(about), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	t := &Tracer{provider: p, tracer: p.Tracer("sio-edge"), below: math.MaxUint64}
	if cfg.Ratio < 1 {
		t.below = uint64(cfg.Ratio * math.MaxUint64)
	}
	return t
}

// Close sends what there is, as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Event is a client event that is followed.
type Event struct {
	tracer *Tracer
	ctx    context.Context // with the span of the whole

	mu         sync.Mutex            // guards the following
	deliveries map[string]trace.Span // by group
}

// Follow begins to follow an event, or decides not to and returns nil: that costs a random number.
func (t *Tracer) Follow(at time.Time, namespace, name, sid string, size int) *Event {
	if t == nil || rand.Uint64() >= t.below {
		return nil
	}
	ctx, _ := t.tracer.Start(context.Background(), name, trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("sio.namespace", namespace), attribute.String("sio.event", name),
			attribute.String("sio.sid", sid), attribute.Int("sio.bytes", size)))
	return &Event{tracer: t, ctx: ctx, deliveries: make(map[string]trace.Span)}
}

// Delivered notes that a group got the event, and returns the traceparent that goes with it.
func (e *Event) Delivered(group, member string, attempt uint32) (traceParent string) {
	if e == nil {
		return ""
	}
	ctx, span := e.tracer.tracer.Start(e.ctx, "deliver "+group, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("sio.group", group), attribute.String("sio.member", member), attribute.Int("sio.attempt", int(attempt))))
	e.mu.Lock()
	before := e.deliveries[group]
	e.deliveries[group] = span
	e.mu.Unlock()
	if before != nil { // its member is gone
		before.SetStatus(codes.Error, "taken back")
		before.End()
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Settled notes that a group is done with the event, or has handed it back.
func (e *Event) Settled(group string, handedBack bool) {
	if e == nil {
		return
	}
	e.mu.Lock()
	span := e.deliveries[group]
	delete(e.deliveries, group)
	last := len(e.deliveries) == 0
	e.mu.Unlock()
	if span == nil {
		return
	}
	if handedBack {
		span.SetStatus(codes.Error, "handed back")
	}
	span.End()
	if last {
		trace.SpanFromContext(e.ctx).End() // a later group finds it ended, which is no harm
	}
}

// Command is a command that is followed.
type Command struct{ span trace.Span }

// Command begins to follow a command that carries a traceparent of a trace that is sampled; nil for
// any other.
func (t *Tracer) Command(traceParent, name string) *Command {
	if t == nil || traceParent == "" {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceParent})
	if from := trace.SpanContextFromContext(ctx); !from.IsValid() || !from.IsSampled() {
		return nil
	}
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer))
	return &Command{span}
}

// Applied ends the following of a command, with what it did.
func (c *Command) Applied(matched, written, dropped int, err error) {
	if c == nil {
		return
	}
	c.span.SetAttributes(attribute.Int("sio.matched", matched), attribute.Int("sio.written", written), attribute.Int("sio.dropped", dropped))
	if err != nil {
		c.span.SetStatus(codes.Error, err.Error())
	}
	c.span.End()
}
