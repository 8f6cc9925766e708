package socketio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/latency"
)

// Server is the Socket.IO side of an edge: an engineio.Handler above the connections, and the
// one who applies commands. All methods may be called concurrently.
type Server struct {
	// Static after construction.
	cfg     Config
	backend Backend
	store   Store // nil: sessions live as long as the process
	log     *slog.Logger
	start   time.Time

	// Tap is told of every Emit that was applied, while it is set. It must not block.
	Tap atomic.Pointer[func(*Emit, Receipt)]

	joins      deadlines[*client]  // connections that must have joined a namespace by then
	decisions  deadlines[*request] // CONNECTs that must be decided by then
	assemblies deadlines[assembly] // packets whose attachments must be there by then
	windows    deadlines[absence]  // sessions that end unless their client is back
	expiries   *expiries           // tokens of connected clients

	ctx    context.Context // of work that may wait; Close ends it
	cancel func()

	lastKey atomic.Uint64 // of a stored session
	opening sync.WaitGroup

	connects latency.Histogram // from reading a CONNECT to having answered yes

	mu   sync.RWMutex // guards the following
	nsps map[string]*Namespace
	// offsets is below all offsets of packet logs that are still to come.
	offsets uint64
	replays limit.Bucket // bytes, while memory is tight
}

// NewServer returns a Server that delivers to backend and keeps its sessions in store, or in
// memory alone if that is nil. Close ends its timers.
func NewServer(cfg Config, backend Backend, store Store, log *slog.Logger) *Server {
	s := &Server{cfg: cfg.withDefaults(), backend: backend, store: store, log: log, start: time.Now(), offsets: cfg.FirstOffset, nsps: make(map[string]*Namespace)}
	if s.cfg.RecoveryWindow <= 0 {
		s.store = nil // there is nothing that a client could come back to
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.expiries = &expiries{fire: s.expired}
	s.joins = newDeadlines(s.cfg.ConnectTimeout, (*client).joinTimeout)
	s.decisions = newDeadlines(s.cfg.ConnectTimeout, (*request).timeout)
	s.assemblies = newDeadlines(s.cfg.ConnectTimeout, assembly.timeout)
	s.windows = newDeadlines(s.cfg.RecoveryWindow, absence.end)
	return s
}

// Close stops the timers and waits for those that are firing. Sessions stay as they are; the
// connections are closed by the floor below, before.
func (s *Server) Close() {
	s.joins.close()
	s.decisions.close()
	s.assemblies.close()
	s.windows.close()
	s.cancel()
	s.opening.Wait()
	s.expiries.close()
}

// Open takes a new connection.
func (s *Server) Open(conn *engineio.Socket) {
	c := &client{srv: s, conn: conn}
	c.dec.Limits = s.cfg.Limits
	conn.Peer = c
	s.joins.add(c)
}

// Message takes what a client sent.
func (s *Server) Message(conn *engineio.Socket, binary bool, data []byte) {
	conn.Peer.(*client).receive(binary, data)
}

// Upgraded takes the change of a connection's transport.
func (s *Server) Upgraded(conn *engineio.Socket) {
	c := conn.Peer.(*client)
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, k := range sockets {
		k.changed(nil, nil)
	}
}

// Closed takes the end of a connection.
func (s *Server) Closed(conn *engineio.Socket, r engineio.Reason) {
	reason := Reason(r.String())
	if r == engineio.SlowConsumer {
		reason = SlowConsumer // clients know no such word, backends want to
	}
	conn.Peer.(*client).closed(reason)
}

// lookup returns a namespace that some session is in, or nil.
func (s *Server) lookup(name string) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nsps[name]
}

// namespace returns the namespace, made if it was not there.
func (s *Server) namespace(name string) *Namespace {
	if n := s.lookup(name); n != nil {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nsps[name]
	if n == nil {
		n = newNamespace(s, name, s.recovers(name))
		s.nsps[name] = n
	}
	return n
}

// namespaces returns those that have sessions.
func (s *Server) namespaces() []*Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*Namespace, 0, len(s.nsps))
	for _, n := range s.nsps {
		all = append(all, n)
	}
	return all
}

// forget drops a namespace that became empty, so that names made up by clients of a pattern do
// not stay for ever. Who finds it gone looks it up again.
func (s *Server) forget(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sids) == 0 && s.nsps[n.Name] == n && n.Name != "/" {
		n.gone = true
		n.log.account.Close()
		delete(s.nsps, n.Name)
		s.offsets = max(s.offsets, n.log.head)
		if s.store != nil && n.recovery {
			s.store.SaveNamespace(n.Name, nil)
		}
	}
}

// age is the time since the Server was made, which no step of the wall clock changes.
func (s *Server) age() time.Duration { return time.Since(s.start) }

func (s *Server) recovers(nsp string) bool {
	if s.cfg.RecoveryWindow <= 0 {
		return false
	}
	return !slices.ContainsFunc(s.cfg.NoRecovery, func(pattern string) bool { return match(pattern, nsp) })
}

// newID returns 120 random bits in 20 characters, the form of the reference server's ids.
func newID() string {
	var b [15]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
