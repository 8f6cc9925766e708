package trace

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func tracer(ratio float64) (*Tracer, *tracetest.SpanRecorder) {
	r := tracetest.NewSpanRecorder()
	return newTracer(Config{Ratio: ratio}, sdktrace.WithSpanProcessor(r)), r
}

// An event is followed through two groups, a delivery that is handed back, and an emit.
func TestEvent(t *testing.T) {
	tr, r := tracer(1)
	read := time.Now().Add(-time.Second)
	e := tr.Follow(read, "/", "say", "one", 7)
	first := e.Delivered("chat", "1", 1)
	e.Delivered("audit", "1", 1)
	e.Settled("chat", true)
	again := e.Delivered("chat", "2", 2)
	tr.Command(again, "emit said").Applied(3, 2, 1, nil)
	e.Settled("audit", false)
	e.Settled("chat", false)
	e.Settled("chat", false) // nothing is there any more

	var got []string
	spans := r.Ended()
	byID := make(map[string]string)
	for _, s := range spans {
		byID[s.SpanContext().SpanID().String()] = s.Name()
	}
	for _, s := range spans {
		parent := byID[s.Parent().SpanID().String()]
		got = append(got, parent+">"+s.Name()+" "+s.Status().Code.String())
		if s.SpanContext().TraceID() != spans[0].SpanContext().TraceID() {
			t.Errorf("%s is of another trace", s.Name())
		}
	}
	if first == again || !strings.HasPrefix(first, "00-") {
		t.Errorf("traceparents %s, %s", first, again)
	}
	want := "say>deliver chat Error, deliver chat>emit said Unset, say>deliver audit Unset, say>deliver chat Unset, >say Unset"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, ", "), want)
	}
	if s := spans[len(spans)-1]; !s.StartTime().Equal(read) {
		t.Errorf("the whole begins at %v, was read at %v", s.StartTime(), read)
	}
}

// A member that is gone leaves no span open.
func TestRedelivery(t *testing.T) {
	tr, r := tracer(1)
	e := tr.Follow(time.Now(), "/", "say", "one", 0)
	e.Delivered("chat", "1", 1)
	e.Delivered("chat", "2", 2)
	if s := r.Ended(); len(s) != 1 || s[0].Status().Code != codes.Error {
		t.Errorf("%v", s)
	}
}

// Off and unlucky cost nothing and break nothing.
func TestNothing(t *testing.T) {
	var off *Tracer
	none, r := tracer(0)
	for _, tr := range []*Tracer{off, none} {
		e := tr.Follow(time.Now(), "/", "say", "one", 0)
		if e != nil || e.Delivered("chat", "1", 1) != "" {
			t.Error("followed")
		}
		e.Settled("chat", false)
	}
	for _, parent := range []string{"", "nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"} {
		none.Command(parent, "emit said").Applied(1, 1, 0, nil)
	}
	if s := r.Started(); len(s) > 0 {
		t.Errorf("%v", s)
	}
	some, r := tracer(0.5)
	for range 1000 {
		some.Follow(time.Now(), "/", "say", "one", 0)
	}
	if n := len(r.Started()); n < 400 || n > 600 {
		t.Errorf("%d of 1,000 at 0.5", n)
	}
	if testing.AllocsPerRun(100, func() { none.Follow(time.Time{}, "/", "say", "one", 0).Delivered("chat", "1", 1) }) > 0 {
		t.Error("what is not followed allocates")
	}
}
