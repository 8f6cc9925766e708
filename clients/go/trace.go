package sioedge

import "context"

type traceKey struct{}

// TraceParent is the W3C traceparent of what a handler is called for, empty if the edge does not
// follow it. Commands that are given the handler's context, or one made from it, carry it on, so
// that a trace shows what came of an event. With OpenTelemetry, a span of one's own goes in between:
//
//	carrier := propagation.MapCarrier{"traceparent": sioedge.TraceParent(ctx)}
//	ctx, span := tracer.Start(otel.GetTextMapPropagator().Extract(ctx, carrier), "look up")
//	defer span.End()
//	otel.GetTextMapPropagator().Inject(ctx, carrier)
//	ctx = sioedge.WithTraceParent(ctx, carrier["traceparent"])
func TraceParent(ctx context.Context) string {
	parent, _ := ctx.Value(traceKey{}).(string)
	return parent
}

// WithTraceParent returns a context whose commands carry the traceparent.
func WithTraceParent(ctx context.Context, traceParent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceParent)
}
