package engineio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/deadline"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
)

// Server accepts requests on the Engine.IO path and finds or opens the Socket they belong to.
type Server struct {
	// Static after construction.
	config    Config
	handler   Handler
	log       *slog.Logger
	start     time.Time // what instants count from
	browsers  atomic.Pointer[browsers]
	forward   forwarding
	path      string   // with a slash behind it
	polling   bool     // enabled
	webSocket bool     // enabled
	upgrades  []string // offered to polling clients

	deadlines  [dues]deadline.List
	readers    readers
	loops      *loop.Loops
	ownLoops   bool         // Config has none: Close stops it
	open       atomic.Int64 // Sockets
	counters   counters
	handshakes struct {
		sync.Mutex // guards the following field
		bucket     limit.Bucket
	}
	closing atomic.Bool
	tasks   sync.WaitGroup // Sockets, connections, goroutines; Close waits
	stopped sync.Once
	table   [64]shard
}

// shard is a part of the table of Sockets by sid.
type shard struct {
	mu      sync.RWMutex // guards the following field
	sockets map[string]*Socket
}

// NewServer returns a Server. cfg must be valid, see Config.Validate.
func NewServer(cfg Config, h Handler, log *slog.Logger) *Server {
	s := &Server{config: cfg.withDefaults(), handler: h, log: log, start: time.Now()}
	if s.loops = s.config.Loops; s.loops == nil {
		s.loops, s.ownLoops = new(loop.Loops), true
	}
	s.SetBrowsers(s.config)
	s.path = s.config.Path + "/"
	s.forward = newForwarding(s.config.ForwardHeaders)
	s.polling = slices.Contains(s.config.Transports, Polling)
	s.webSocket = slices.Contains(s.config.Transports, WebSocket)
	if s.webSocket && !s.config.NoUpgrades {
		s.upgrades = []string{WebSocket}
	}
	for kind, span := range [dues]time.Duration{
		duePing:      s.config.PingInterval,
		duePong:      s.config.PingTimeout,
		dueKeepAlive: s.config.PingInterval / 2,
		duePause:     s.config.PauseTimeout,
		dueLastPoll:  s.config.PollCloseTimeout,
		dueStall:     s.config.WriteTimeout,
		dueAssembly:  s.config.AssemblyTimeout,
		dueUpgrade:   s.config.UpgradeTimeout,
		dueLinger:    s.config.CloseTimeout,
	} {
		l := &s.deadlines[kind]
		l.Kind, l.Span, l.Pace, l.Start = uint8(kind), span, s.config.PingInterval/256, s.start
	}
	for i := range s.table {
		s.table[i].sockets = make(map[string]*Socket)
	}
	return s
}

// now is the present instant, in nanoseconds since the Server was made.
func (s *Server) now() int64 { return int64(time.Since(s.start)) }

// Connections is the number of open Sockets.
func (s *Server) Connections() int { return int(s.open.Load()) }

// Knows reports whether there is a Socket with this sid, or was until a moment ago.
func (s *Server) Knows(sid string) bool { return s.find(sid) != nil }

// sockets are those that are there now, in no order.
func (s *Server) sockets() []*Socket {
	var all []*Socket
	for i := range s.table {
		sh := &s.table[i]
		sh.mu.RLock()
		for _, sock := range sh.sockets {
			all = append(all, sock)
		}
		sh.mu.RUnlock()
	}
	return all
}

// Close opens no more Sockets, closes those there are with ServerShutdown within
// Config.CloseSpread, and waits until the Handler has heard of all of them and no goroutine is
// left. When ctx ends it closes the rest at once and does not wait: they go on by themselves.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Store(true)
	s.closeAll(ctx, s.sockets())
	done := make(chan struct{})
	go func() { // whoever reads done waits, unless ctx ends first
		s.tasks.Wait()
		s.stopped.Do(func() {
			for i := range s.deadlines {
				s.deadlines[i].Stop()
			}
			if s.ownLoops {
				s.loops.Stop()
			}
			for _, sock := range s.sockets() { // closed ones that waited for a last GET
				sock.mu.Lock()
				sock.dropLocked()
				sock.mu.Unlock()
			}
			for i := range s.table {
				s.table[i].mu.Lock()
				clear(s.table[i].sockets)
				s.table[i].mu.Unlock()
			}
		})
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeAll closes sockets at an even rate.
func (s *Server) closeAll(ctx context.Context, sockets []*Socket) {
	pace := min(s.config.CloseSpread/time.Duration(max(len(sockets), 1)), 10*time.Millisecond)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	begin := time.Now()
	for i, sock := range sockets {
		if early := time.Duration(i)*pace - time.Since(begin); early > time.Millisecond && ctx.Err() == nil {
			timer.Reset(early)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		sock.Close(ServerShutdown)
	}
}

// sidSize is the length of a sid: 15 bytes in base64url.
const sidSize = 20

func (s *Server) shard(sid string) *shard { return &s.table[(sid[18]^sid[17]<<3)%64] }

// find returns the Socket with the given sid, or nil.
func (s *Server) find(sid string) *Socket {
	if len(sid) != sidSize {
		return nil
	}
	sh := s.shard(sid)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.sockets[sid]
}

// newSocket makes a Socket and enters it into the table. It returns nil if the Server closes.
func (s *Server) newSocket(r *http.Request, transport string) *Socket {
	sid := s.newSID()
	sock := &Socket{server: s}
	sock.SID, sock.Handshake = s.handshake(r, transport, sid)
	if transport == Polling {
		sock.polls = &polls{}
	}
	sh := s.shard(sock.SID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.closing.Load() {
		return nil
	}
	sh.sockets[sock.SID] = sock
	s.open.Add(1)
	if transport == Polling {
		s.counters.openedPolling.Add(1)
	} else {
		s.counters.openedWebSocket.Add(1)
	}
	s.tasks.Add(1)
	return sock
}

// newSID returns an unguessable sid. Its first bytes are the tag of this edge, which leaves at
// least 96 random bits.
func (s *Server) newSID() string {
	var b [15]byte
	rand.Read(b[copy(b[:], s.config.EdgeTag):])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// forget removes a Socket from the table.
func (s *Server) forget(sock *Socket) {
	sh := s.shard(sock.SID)
	sh.mu.Lock()
	delete(sh.sockets, sock.SID)
	sh.mu.Unlock()
}

// openPacket is the first message of a Socket.
func (s *Server) openPacket(sid string, upgrades []string) *Message {
	var buf [256]byte
	return newPacket(string(eio.AppendHandshake(buf[:0], eio.Handshake{
		SID:          sid,
		Upgrades:     upgrades,
		PingInterval: s.config.PingInterval.Milliseconds(),
		PingTimeout:  s.config.PingTimeout.Milliseconds(),
		MaxPayload:   s.config.MaxPayload,
	})))
}

// greet begins a session: the handshake, then what the Handler has to say, in one write.
func (sock *Socket) greet(upgrades []string) {
	sock.mu.Lock()
	sock.corked = true
	sock.queueLocked(sock.server.openPacket(sock.SID, upgrades))
	sock.startHeartLocked()
	sock.mu.Unlock()
	sock.server.handler.Open(sock)
	sock.server.counters.handshake.Add(time.Since(sock.Handshake.At))
}

// receive handles one packet. It returns why the Socket has to close, or 0. recvMu is held.
func (s *Socket) receive(p eio.Packet) Reason {
	switch p.Type {
	case eio.Message:
		s.touched = true
		n := len(p.Data)
		s.server.handler.Message(s, p.Binary, p.Data)
		return s.pace(n)
	case eio.Pong:
		if s.pong() {
			return 0
		}
		s.server.refused("packet", "flood")
	case eio.Close:
		return TransportClose
	case eio.Ping:
		s.server.refused("packet", "heartbeat direction")
	default:
		// Open, upgrade and noop mean nothing here, which is no reason to end a session.
		s.touched = true
		s.server.refused("packet", "unexpected")
		s.mu.Lock()
		ok := s.tolerateLocked()
		s.mu.Unlock()
		if ok {
			return 0
		}
	}
	return TransportError
}
