package control

import (
	"context"
	"maps"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sio-edge/sio-edge/internal/control/convert"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// tailQueue is how many entries a reader of the tail may lag behind.
const tailQueue = 1024

// tails shows what passes through the edge to those who watch. Nothing is built while nobody
// does.
type tails struct {
	watched atomic.Bool
	// Static after construction.
	hook    func(on bool) // called when watched changes
	session func(namespace, sid string) (socketio.Session, error)

	mu      sync.Mutex // guards the following
	readers map[*tail]struct{}
}

// tail is one reader.
type tail struct {
	entries chan *pb.TailEventsResponse // never closed
	target  *socketio.Target            // nil for everything
	events  []string
	whole   bool // with what is withheld from others
	missed  atomic.Uint64
}

func (t *tails) open(target *socketio.Target, events []string, whole bool) *tail {
	r := &tail{entries: make(chan *pb.TailEventsResponse, tailQueue), target: target, events: events, whole: whole}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers == nil {
		t.readers = make(map[*tail]struct{})
	}
	t.readers[r] = struct{}{}
	if !t.watched.Swap(true) {
		t.hook(true)
	}
	return r
}

func (t *tails) close(r *tail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.readers, r)
	if len(t.readers) == 0 {
		t.watched.Store(false)
		t.hook(false)
	}
}

// show gives the entry to every reader that wants it. A reader that is behind misses it. wants is
// called without a lock: it may ask the floors below, whose locks are held where events are shown.
func (t *tails) show(entry *pb.TailEventsResponse, wants func(*tail) bool) {
	t.mu.Lock()
	readers := slices.AppendSeq(make([]*tail, 0, len(t.readers)), maps.Keys(t.readers))
	t.mu.Unlock()
	for _, r := range readers {
		if !wants(r) {
			continue
		}
		select {
		case r.entries <- entry:
		default:
			r.missed.Add(1)
		}
	}
}

// event shows an event on its way up.
func (t *tails) event(offset uint64, ev *socketio.Event) {
	if !t.watched.Load() {
		return
	}
	entry := &pb.TailEventsResponse{At: timestamppb.New(ev.At), Entry: &pb.TailEventsResponse_Event{Event: convert.Event(offset, ev)}}
	t.show(entry, func(r *tail) bool {
		return (ev.Kind != socketio.ClientEvent || r.wantsEvent(ev.Name)) && r.wantsSocket(ev.Socket)
	})
}

// emitted shows an emit on its way down.
func (t *tails) emitted(e *socketio.Emit, receipt socketio.Receipt) {
	if !t.watched.Load() {
		return
	}
	emit := &pb.Emit{Target: convert.TargetMessage(&e.Target), Event: e.Event, Volatile: e.Volatile,
		Payload: &pb.Payload{Json: e.Args, Attachments: e.Attachments}}
	entry := &pb.TailEventsResponse{At: timestamppb.Now(), Entry: &pb.TailEventsResponse_Emitted{
		Emitted: &pb.Emitted{Emit: emit, Receipt: convert.Receipt(receipt)}}}
	t.show(entry, func(r *tail) bool {
		return r.wantsEvent(e.Event) && t.reaches(&e.Target, r.target)
	})
}

// maxFollowed is how many sessions a reader may ask for by name and be spared emits to others.
const maxFollowed = 16

// reaches says whether an emit concerns the sessions that a reader follows. No lock of the floor
// below is held here, so it may be asked where they are.
func (t *tails) reaches(emit, wanted *socketio.Target) bool {
	switch {
	case wanted == nil:
		return true
	case wanted.Namespace != emit.Namespace:
		return false
	case wanted.Everyone || emit.Everyone || len(wanted.SIDs) > maxFollowed:
		return true
	}
	return slices.ContainsFunc(wanted.SIDs, func(sid string) bool {
		if slices.Contains(emit.SIDs, sid) {
			return true
		}
		k, err := t.session(wanted.Namespace, sid)
		return err == nil && (slices.Contains(emit.UserIDs, k.UserID) ||
			slices.ContainsFunc(emit.Rooms, func(room string) bool { return slices.Contains(k.Rooms, room) }))
	})
}

// settled shows the end of a delivery.
func (t *tails) settled(s *pb.Settled, ev *socketio.Event) {
	if !t.watched.Load() {
		return
	}
	s.Took = durationpb.New(time.Since(ev.At))
	entry := &pb.TailEventsResponse{At: timestamppb.Now(), Entry: &pb.TailEventsResponse_Settled{Settled: s}}
	t.show(entry, func(r *tail) bool {
		return (ev.Kind != socketio.ClientEvent || r.wantsEvent(ev.Name)) && r.wantsSocket(ev.Socket)
	})
}

func (r *tail) wantsEvent(name string) bool {
	return len(r.events) == 0 || slices.ContainsFunc(r.events, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// wantsSocket decides by what never changes of a session, for it may be called under its lock:
// rooms and users are resolved when the reader comes.
func (r *tail) wantsSocket(s *socketio.Socket) bool {
	t := r.target
	return t == nil || t.Namespace == s.Nsp.Name && !slices.Contains(t.ExceptSIDs, s.SID) &&
		(t.Everyone || slices.Contains(t.SIDs, s.SID))
}

// TailEvents streams what passes, from now on.
func (s *Server) TailEvents(req *pb.TailEventsRequest, stream pb.AdminService_TailEventsServer) error {
	r, err := s.openTail(stream.Context(), req)
	if err != nil {
		return err
	}
	defer s.tails.close(r)
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case <-s.stopping:
			return errStopping
		case entry := <-r.entries:
			if missed := r.missing(); missed != nil {
				if err := stream.Send(missed); err != nil {
					return err
				}
			}
			if err := stream.Send(r.shown(entry)); err != nil {
				return err
			}
		}
	}
}

// openTail begins to collect what a reader asks for. Rooms and users become the sessions that are
// there now.
func (s *Server) openTail(ctx context.Context, req *pb.TailEventsRequest) (*tail, error) {
	whole := s.grant(ctx).Payloads()
	s.auditCall(ctx, pb.AdminService_TailEvents_FullMethodName, req, nil)
	if req.Filter == nil {
		return s.tails.open(nil, req.Events, whole), nil
	}
	target := filter(req.Filter)
	if len(target.Rooms)+len(target.UserIDs) > 0 {
		now, err := s.sockets.List(target, "", int(^uint(0)>>1))
		if err != nil {
			return nil, convert.Status(err).Err()
		}
		for _, k := range now {
			target.SIDs = append(target.SIDs, k.SID)
		}
	}
	if target.Namespace == "" {
		target.Namespace = "/"
	}
	return s.tails.open(target, req.Events, whole), nil
}

// shown is an entry, which others read too, as this reader may see it.
func (r *tail) shown(entry *pb.TailEventsResponse) *pb.TailEventsResponse {
	if r.whole {
		return entry
	}
	own := proto.Clone(entry).(*pb.TailEventsResponse)
	convert.Withhold(own)
	return own
}

// missing is the entry that says how many were missed, nil if none were.
func (r *tail) missing() *pb.TailEventsResponse {
	n := r.missed.Swap(0)
	if n == 0 {
		return nil
	}
	return &pb.TailEventsResponse{At: timestamppb.Now(), Entry: &pb.TailEventsResponse_Missed{Missed: n}}
}
