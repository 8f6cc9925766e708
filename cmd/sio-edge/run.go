package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/pprof"
	"net/netip"
	"sync"
	"time"

	"github.com/sio-edge/sio-edge/internal/control"
	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/control/console"
	"github.com/sio-edge/sio-edge/internal/control/group"
	"github.com/sio-edge/sio-edge/internal/control/metrics"
	"github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/audit"
	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/store"
	"github.com/sio-edge/sio-edge/internal/edge/token"
	"github.com/sio-edge/sio-edge/internal/trace"
)

// run builds the floors from bottom to top, serves until ctx ends, and drains from top to bottom.
func run(ctx context.Context, l *live, log *slog.Logger, out io.Writer) error {
	s := *l.now.Load()
	room := s.newBudget()
	collected := func() {}
	if room != nil {
		collected = newReader(room).read
	}
	tuneGC(s.memoryLimit(), collected)
	addresses := limit.NewAddresses(limit.PerAddress{Open: int(s.AddressConnections),
		Arrivals: limit.PerSecond(int(s.AddressConnectionsPerSecond), 3*int(s.AddressConnectionsPerSecond)),
		Failures: limit.PerMinute(int(s.AddressFailuresPerMinute))})
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	kept, id, err := openStore(s, log)
	if err != nil {
		return err
	}
	if kept != nil {
		defer kept.Close()
	}
	audited, auditFile, err := openAudit(s, log)
	if err != nil {
		return err
	}
	if auditFile != nil {
		defer auditFile.Close()
		audited.Info("edge started", "version", version, "insecure", s.insecure())
		defer audited.Info("edge stopped")
	}
	failures := audit.NewFailures(audited)
	verifier, err := newVerifier(s, log)
	if err != nil {
		return err
	}
	groups := newGroups(s, id, kept, room, log)
	defer groups.Close()
	traced, err := newTracer(ctx, s, id, log)
	if err != nil {
		return err
	}
	defer closeTracer(traced)
	measured := metrics.New()
	sockets := newSockets(s, groups, kept, room, measured, traced, entrance{verifier, audited, failures, addresses}, log)
	defer sockets.Close()
	groups.Start(sockets)
	var loops loop.Loops
	defer loops.Stop()
	engine := newEngine(s, sockets, &loops, room, addresses, measured, audited, log)
	guard, err := newGuard(s, log, audited, measured.Refused)
	if err != nil {
		return err
	}
	operations := control.Operations{Engine: engine, Refusals: measured.Refusals, Drain: func() time.Duration {
		drain()
		return s.endsWithin()
	}}
	if kept != nil {
		operations.Snapshot = kept.Snapshot
	}
	ctl := control.NewServer(control.Config{EdgeID: id.EdgeID, LogID: id.LogID, Epoch: id.Epoch, Version: version,
		CommandRate: int(s.CommandsPerSecond), MaxMessage: int(s.ControlMessage), MaxStreams: int(s.ControlStreams), Operations: operations, Trace: traced,
		Access: guard, Audit: audited}, groups, sockets, log)
	front := newFront(s, engine, &loops, kept, guard, room, addresses, measured, log)
	ctl.MountJSON(front.Ops)
	ctl.MountTail(front.Ops)
	console.Mount(front.Ops)
	if s.Pprof {
		front.Ops.HandleFunc("/debug/pprof/", pprof.Index)
		front.Ops.HandleFunc("/debug/pprof/profile", pprof.Profile)
		front.Ops.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}

	restored := 0
	if kept != nil {
		restored = restore(sockets, groups, kept, ctl.Remember, log)
		kept.Watch(ctl.StoreRefuses)
	}
	measured.Watch(metrics.Sources{Version: version, Identity: id,
		Limits: func() map[string]float64 { return l.now.Load().limits() }, Budget: room, Addresses: addresses, Front: front,
		MaxConnections: func() int { return l.now.Load().maxConnections() }, Insecure: func() []string { return l.now.Load().insecure() },
		CertificateExpires: front.CertificateExpires, Engine: engine, Sockets: sockets, Groups: groups, Store: kept, RefusedCommands: ctl.RefusedCommands,
		Panics: ctl.Panics, Access: guard})
	backends, err := net.Listen("tcp", string(s.ControlListen))
	if err != nil {
		return fmt.Errorf("listen for backends: %w", err)
	}
	if err := front.Listen(); err != nil {
		backends.Close()
		return err
	}
	banner(out, s, front.Addr, backends.Addr(), front.OpsAddr, storeLine(s, kept, restored))

	served := make(chan error, 1)  // awaited below
	reloads := make(chan struct{}) // awaited below
	var keeping sync.WaitGroup     // awaited below
	if room != nil {
		k := &keeper{budget: room, engine: engine, sockets: sockets, groups: groups, log: log}
		keeping.Go(func() { k.run(ctx) })
	}
	go func() {
		defer close(reloads)
		l.watch(ctx, running{engine, front, verifier, audited, auditFile}, log)
	}()
	var helpers sync.WaitGroup // awaited below
	helpers.Go(func() { failures.Run(ctx) })
	if verifier != nil {
		helpers.Go(func() { verifier.Run(ctx) })
	}
	warnings := make(chan struct{}) // awaited below
	go func() {
		defer close(warnings)
		l.warn(ctx, log)
	}()
	rechecks := make(chan struct{}) // awaited below
	go func() {
		defer close(rechecks)
		if guard != nil {
			guard.Watch(ctx)
		}
	}()
	go func() {
		defer drain() // an edge that backends cannot reach is of no use to clients
		served <- ctl.Serve(backends)
	}()
	watched := make(chan struct{}) // awaited below
	go func() {
		defer close(watched)
		watchdog(ctx, func() { alive(engine, sockets, groups, kept) })
	}()
	notifyReady()
	told := make(chan struct{}) // awaited below
	context.AfterFunc(ctx, func() {
		defer close(told)
		notifyStopping()
		ctl.Draining(time.Duration(s.DrainTimeout))
	})
	err = front.Run(ctx) // closes the clients before their backends are told that it is over
	drain()              // whatever has ended it
	<-told
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), streamsTimeout)
	defer done()
	ctl.Stop(stop)
	if e := <-served; err == nil {
		err = e
	}
	<-reloads
	<-warnings
	<-rechecks
	<-watched
	helpers.Wait()
	keeping.Wait()
	return err
}

// alive returns if nobody holds the locks of the floors for good.
func alive(engine *engineio.Server, sockets *socketio.Server, groups *group.Groups, kept *store.Store) {
	engine.Stats()
	sockets.Totals()
	groups.Figures()
	if kept != nil {
		kept.State()
	}
}

// streamsTimeout is how long backends may take to end their streams once the clients are closed.
const streamsTimeout = time.Second

// endsWithin is how long the process may take to end.
func (s settings) endsWithin() time.Duration { return time.Duration(s.DrainTimeout) + streamsTimeout }

// openStore opens what outlives the process. Without a data directory nothing does.
func openStore(s settings, log *slog.Logger) (*store.Store, store.Identity, error) {
	if s.DataDir == "" {
		id := make([]byte, 8)
		rand.Read(id) // never fails
		return nil, store.Identity{EdgeID: "edge-" + hex.EncodeToString(id[:4]), LogID: hex.EncodeToString(id), Epoch: 1}, nil
	}
	kept, err := store.Open(s.storePath(), store.Options{MaxSize: int(s.StoreSize), Reserve: int64(s.StoreReserve), Log: log})
	if err != nil {
		return nil, store.Identity{}, err
	}
	return kept, kept.Identity, nil
}

func newGroups(s settings, id store.Identity, kept *store.Store, room *budget.Budget, log *slog.Logger) *group.Groups {
	cfg := group.Config{EdgeID: id.EdgeID, LogID: id.LogID, Epoch: id.Epoch, Namespaces: s.Namespaces, Spill: time.Duration(s.SpillDelay),
		SessionEvents: int(s.SessionEvents), Budget: room}
	if kept != nil {
		cfg.Log = kept
	}
	return group.New(cfg, log)
}

// newVerifier returns what verifies tokens, nil if no namespace asks for any.
func newVerifier(s settings, log *slog.Logger) (*token.Verifier, error) {
	if !s.takesTokens() {
		return nil, nil
	}
	return token.New(s.token(), log)
}

// entrance is what decides about clients besides groups, and what writes it down.
type entrance struct {
	verifier *token.Verifier // nil: nobody is asked for a token
	audit    *slog.Logger
	failures *audit.Failures

	addresses *limit.Addresses // nil: they are not bounded
}

func newSockets(s settings, groups *group.Groups, kept *store.Store, room *budget.Budget, measured *metrics.Metrics, traced *trace.Tracer, e entrance, log *slog.Logger) *socketio.Server {
	cfg := s.socketio()
	cfg.Budget = room
	cfg.Audit = e.audit
	cfg.Unproven = func(_, remoteAddr string, err error) { e.failures.Add(reasonOf(err), remoteAddr) }
	cfg.Rejected = func(remoteAddr string) {
		at, _ := netip.ParseAddrPort(remoteAddr) // what cannot be read is one address, as at the handshake
		e.addresses.Fail(at.Addr())
	}
	if e.verifier != nil {
		cfg.Tokens = passports{e.verifier}
	}
	cfg.Counts, cfg.Refused, cfg.Trace = measured.Counts, measured.RefusedClient, traced
	cfg.Heartbeat = time.Duration(s.PingInterval + s.PingTimeout)
	cfg.FirstOffset = firstOffset(time.Now())
	cfg.Clock = socketio.Clock{Boot: store.BootID(), Since: store.SinceBoot}
	if kept == nil {
		return socketio.NewServer(cfg, groups, nil, log)
	}
	return socketio.NewServer(cfg, groups, kept, log)
}

// firstOffset grows with time, faster than a log that sees fewer than 4,096 packets a second on
// average.
func firstOffset(now time.Time) uint64 {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return uint64(max(now.Sub(begin), 0)/time.Second) << 12
}

func newEngine(s settings, sockets *socketio.Server, loops *loop.Loops, room *budget.Budget, addresses *limit.Addresses, measured *metrics.Metrics, audited, log *slog.Logger) *engineio.Server {
	cfg := s.engineio()
	cfg.Budget, cfg.Addresses, cfg.Proxied, cfg.Loops = room, addresses, edge.Proxied, loops
	cfg.Refused = measured.Refused
	cfg.Strayed = func(opened, now string) {
		before, _, _ := net.SplitHostPort(opened)
		from, _, _ := net.SplitHostPort(now)
		audited.Info("session used from another address", "before", before, "from", from)
	}
	return engineio.NewServer(cfg, sockets, log)
}

func newFront(s settings, engine *engineio.Server, loops *loop.Loops, kept *store.Store, guard *access.Guard, room *budget.Budget, addresses *limit.Addresses, measured *metrics.Metrics, log *slog.Logger) *edge.Server {
	cfg := s.edge()
	cfg.Budget, cfg.Addresses, cfg.Loops = room, addresses, loops
	cfg.Refused = measured.Refused
	cfg.Degraded = func() error {
		if err := degraded(room); err != nil || kept == nil {
			return err
		}
		return kept.Refuses()
	}
	if guard != nil {
		cfg.OpsAccess = guard.Ops(bool(s.OpsTls))
	}
	front := edge.NewServer(cfg, engine, log)
	front.Ops.Handle("GET /metrics", measured.Handler())
	return front
}

// restore takes back what the store has kept: sessions first, for events speak of them.
func restore(sockets *socketio.Server, groups *group.Groups, kept *store.Store, emit func(string, time.Time), log *slog.Logger) int {
	load := func(t store.Table, f func(string, uint64, []byte)) (whole bool) {
		damaged, err := kept.Load(t, f)
		if damaged > 0 || err != nil {
			log.Error("records of the store failed their check and are lost", "records", damaged, "error", err)
		}
		return damaged == 0 && err == nil && kept.Whole(t)
	}
	restored, _ := sockets.Restore(socketio.Kept{
		Sessions: func(yield func(uint64, []byte)) bool {
			return load(store.Sessions, func(_ string, key uint64, record []byte) { yield(key, record) })
		},
		Packets: func(yield func(string, uint64, []byte)) bool { return load(store.Packets, yield) },
		Namespaces: func(yield func(string, []byte)) bool {
			return load(store.Namespaces, func(name string, _ uint64, record []byte) { yield(name, record) })
		},
		Emit: emit,
	})
	_, broken := groups.Restore(group.Kept{
		Groups: func(yield func(string, []byte)) {
			load(store.Groups, func(name string, _ uint64, record []byte) { yield(name, record) })
		},
		Events:  func(yield func(string, uint64, []byte)) { load(store.Events, yield) },
		Letters: func(yield func(string, uint64, []byte)) { load(store.Letters, yield) },
		Parse:   sockets.ParseEvent,
	})
	if broken > 0 {
		log.Error("records of groups are lost", "records", broken)
	}
	kept.Rebuild(func() {
		sockets.SaveAll()
		groups.SaveAll()
	})
	return restored
}

func storeLine(s settings, kept *store.Store, restored int) string {
	switch {
	case kept == nil:
		return "none: sessions end with this process"
	case kept.New:
		return s.storePath() + " (new)"
	}
	return fmt.Sprintf("%s (start %d, %d sessions wait for their clients)", s.storePath(), kept.Epoch, restored)
}
