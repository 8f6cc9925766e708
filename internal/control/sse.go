package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// TailPath is where MountTail answers.
const TailPath = "/events/tail"

const (
	// tailAlive is how often something is written to a quiet tail, so that a reader that has
	// gone is noticed.
	tailAlive = 15 * time.Second
	tailWrite = 10 * time.Second // how long one write may take
)

// MountTail serves what TailEvents streams as server-sent events, for browsers and curl: GET
// /events/tail?namespace=/&room=lobby&sid=…&user=…&event=say*. Each has one TailEventsResponse
// as JSON. It belongs where MountJSON belongs.
func (s *Server) MountTail(mux *http.ServeMux) {
	mux.HandleFunc("GET "+TailPath, s.serveTail)
}

func (s *Server) serveTail(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	req := &pb.TailEventsRequest{Events: given(q["event"])}
	t := &pb.Target{Namespace: q.Get("namespace"), Rooms: given(q["room"]), Sids: given(q["sid"]), UserIds: given(q["user"])}
	if !proto.Equal(t, &pb.Target{}) {
		req.Filter = t
	}
	reader, err := s.openTail(r.Context(), req)
	if err != nil {
		http.Error(w, status.Convert(err).Message(), http.StatusBadRequest)
		return
	}
	defer s.tails.close(reader)
	alive := time.NewTicker(tailAlive)
	defer alive.Stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := &events{w: w, rc: http.NewResponseController(w)}
	for err = out.write([]byte(": tail\n\n")); err == nil; {
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		case entry := <-reader.entries:
			if missed := reader.missing(); missed != nil {
				out.add(missed)
			}
			out.add(reader.shown(entry))
			for range len(reader.entries) { // what waits leaves in one write
				out.add(reader.shown(<-reader.entries))
			}
			err = out.flush()
		case <-alive.C:
			err = out.write([]byte(":\n\n"))
		}
	}
}

// events writes server-sent events.
type events struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf bytes.Buffer
}

func (e *events) add(m *pb.TailEventsResponse) {
	b, err := protojson.Marshal(m)
	if err != nil {
		return // names and arguments were checked when they came
	}
	e.buf.WriteString("data: ")
	json.Compact(&e.buf, b)
	e.buf.WriteString("\n\n")
}

func (e *events) flush() error {
	defer e.buf.Reset()
	return e.write(e.buf.Bytes())
}

func (e *events) write(b []byte) error {
	e.rc.SetWriteDeadline(time.Now().Add(tailWrite))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.rc.Flush()
}

// given leaves out the empty values of an empty form field.
func given(values []string) []string {
	var all []string
	for _, v := range values {
		if v != "" {
			all = append(all, v)
		}
	}
	return all
}
