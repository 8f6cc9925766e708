package main

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/store"
	"github.com/sio-edge/sio-edge/internal/trace"
)

// newTracer returns nil unless somebody wants traces.
func newTracer(ctx context.Context, s settings, id store.Identity, log *slog.Logger) (*trace.Tracer, error) {
	if s.TraceEndpoint == "" {
		return nil, nil
	}
	ratio, _ := strconv.ParseFloat(string(s.TraceRatio), 64) // is checked
	return trace.New(context.WithoutCancel(ctx), trace.Config{Endpoint: string(s.TraceEndpoint), Ratio: ratio, EdgeID: id.EdgeID, Version: version}, log)
}

// closeTracer sends what was traced last; a collector that does not answer is not waited for.
func closeTracer(t *trace.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	t.Close(ctx)
}
