package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// places is how far sparklines reach back, in looks.
const places = 60

// watcher asks an edge again and again and remembers what it said.
type watcher struct {
	// Static after construction.
	conn    *grpc.ClientConn
	ops     string
	http    *http.Client
	timeout time.Duration

	mu      sync.Mutex // guards the following
	totals  map[string]total
	history map[string][]float64
}

type total struct {
	value float64
	at    time.Time
}

// figures is one look.
type figures struct {
	edge   *pb.Edge
	groups []*pb.Group
	series map[string]float64   // of /metrics, as they are written there; nil without an ops listener
	recent map[string][]float64 // what became of rates and sizes, by name
	err    error
}

func (w *watcher) look(ctx context.Context) (f figures) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	admin := pb.NewAdminServiceClient(w.conn)
	edge, err := admin.GetEdge(ctx, &pb.GetEdgeRequest{})
	if err != nil {
		return figures{err: err}
	}
	groups, err := admin.ListGroups(ctx, &pb.ListGroupsRequest{})
	if err != nil {
		return figures{err: err}
	}
	f = figures{edge: edge.Edge, groups: groups.Groups, series: w.scrape(ctx)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("connections", float64(f.edge.Connections))
	w.noteLocked("sessions", float64(f.edge.OpenSessions))
	for _, g := range f.groups {
		w.noteLocked("lag "+g.Name, g.BacklogAge.AsDuration().Seconds())
	}
	if f.series != nil {
		w.noteLocked("paused", f.series["sioedge_connections_paused"])
		w.rateLocked("events", f.sum("sioedge_events_total", `kind="client_event"`))
		w.rateLocked("emits", f.sum("sioedge_emits_total", ""))
		w.rateLocked("recipients", f.sum("sioedge_emit_recipients_total", `outcome="written"`))
		w.rateLocked("handshakes", f.sum("sioedge_handshakes_total", ""))
		w.rateLocked("refused", f.sum("sioedge_refused_total", ""))
		w.rateLocked("slow", f.sum("sioedge_connections_closed_total", `reason="slow consumer"`))
		for _, g := range f.groups {
			w.rateLocked("deliveries "+g.Name, f.sum("sioedge_group_deliveries_total", `group="`+g.Name+`"`))
		}
	}
	f.recent = make(map[string][]float64, len(w.history))
	for name, values := range w.history {
		f.recent[name] = append([]float64(nil), values...)
	}
	return f
}

// sum adds the series of a metric that have a label.
func (f *figures) sum(metric, label string) (n float64) {
	for name, v := range f.series {
		if name == metric || strings.HasPrefix(name, metric+"{") && strings.Contains(name, label) {
			n += v
		}
	}
	return n
}

// last is the newest of what became of a name.
func (f *figures) last(name string) float64 {
	if values := f.recent[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return 0
}

func (w *watcher) noteLocked(name string, v float64) {
	w.history[name] = append(w.history[name][max(len(w.history[name])-places+1, 0):], v)
}

// rateLocked notes how fast a total grows. One that fell is that of a new process.
func (w *watcher) rateLocked(name string, v float64) {
	now := time.Now()
	before, ok := w.totals[name]
	w.totals[name] = total{v, now}
	if ok && v >= before.value {
		w.noteLocked(name, (v-before.value)/now.Sub(before.at).Seconds())
	}
}

// scrape reads /metrics; nil if there is none.
func (w *watcher) scrape(ctx context.Context) map[string]float64 {
	url := w.ops + "/metrics"
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	series := make(map[string]float64)
	for s := bufio.NewScanner(io.LimitReader(resp.Body, 16<<20)); s.Scan(); {
		name, value, ok := cutLast(s.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && strings.HasPrefix(name, "sioedge_") {
			series[name] = v
		}
	}
	return series
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// sessions returns the first that a filter selects.
func (w *watcher) sessions(ctx context.Context, f filterText) ([]*pb.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	s := f.selection()
	target, err := s.filter(ctx, w.conn)
	if err != nil {
		return nil, err
	}
	resp, err := pb.NewSessionServiceClient(w.conn).ListSessions(ctx, &pb.ListSessionsRequest{Filter: target, PageSize: 200})
	if err != nil {
		return nil, err
	}
	return resp.Sessions, nil
}

// tail follows what passes until ctx ends and hands over lines for a terminal of that width.
func (w *watcher) tail(ctx context.Context, f filterText, width int, show func([]string)) error {
	req := &pb.TailEventsRequest{}
	if f.event != "" {
		req.Events = []string{f.event}
		f.event = ""
	}
	if f != (filterText{}) {
		s := f.selection()
		var err error
		if req.Filter, err = s.filter(ctx, w.conn); err != nil {
			return err
		}
	}
	stream, err := pb.NewAdminServiceClient(w.conn).TailEvents(ctx, req)
	if err != nil {
		return err
	}
	entries := make(chan *pb.TailEventsResponse)
	failed := make(chan error, 1)
	go func() { // ends with ctx
		for {
			m, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case entries <- m:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	var out bytes.Buffer
	t := tailer{page: &page{w: &out, color: true, width: width}, hold: 500 * time.Millisecond}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case m := <-entries:
			if err := t.add(m); err != nil {
				return err
			}
		case <-tick.C:
			t.print(time.Now())
			if out.Len() > 0 {
				show(strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"))
				out.Reset()
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			<-failed
			return nil
		}
	}
}
