package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// Engine answers the requests below Config.Path, among them WebSocket upgrades, and can let go of
// everything that it carries.
type Engine interface {
	http.Handler
	// Connections is how many clients it has.
	Connections() int
	// Knows reports whether there is a session with this sid.
	Knows(sid string) bool
	Close(context.Context) error
}

// OpsAccess decides who may do what on the ops listener.
type OpsAccess interface {
	// Secure says whether Listener encrypts, so that callers may come from elsewhere.
	Secure() bool
	// Listener wraps the listener, Context is told of its connections.
	Listener(net.Listener) net.Listener
	Context(context.Context, net.Conn) context.Context
	// Handler is what stands before Server.Ops.
	Handler(*http.ServeMux) http.Handler
}

// Config of the front door. The zero value of a field means its default.
type Config struct {
	// Listen is the address for clients. Default ":3000".
	Listen string
	// OpsListen is the address for health and everything mounted on Server.Ops. Nothing listens
	// there by default. Off loopback only /healthz and /metrics answer, unless OpsAccess is secure;
	// on loopback, requests with the Host of another machine are refused.
	OpsListen string
	// TLS is spoken with clients. Default nil: plain HTTP.
	TLS *TLS
	// OpsAccess lets callers of the ops listener in by who they are. Default nil: on loopback
	// everybody may do everything there.
	OpsAccess OpsAccess
	// Path is where the Engine answers, with everything below it. Default "/socket.io".
	Path string
	// StaticDir is a directory served at "/". Default none.
	StaticDir string
	// TrustedProxies may say in X-Forwarded-For and X-Forwarded-Proto whom they speak for. From
	// others, where there are some, those headers are removed. Default none.
	TrustedProxies []netip.Prefix
	// ProxyProtocol makes every connection begin with a PROXY header, version 1 or 2, from one of
	// the TrustedProxies, of which there has to be one. Others are closed. Default off: a PROXY
	// header then is a bad request.
	ProxyProtocol bool

	// MaxConnections bounds the clients of the Engine and, apart from them, the connections
	// that HTTP is spoken on: a WebSocket leaves that number with its upgrade. Whoever comes
	// above it gets 503 and the connection is closed. Default 100,000.
	MaxConnections int
	// ConnectionRate is how often connections may come; more get 503. Default: as often as they like.
	ConnectionRate limit.Rate
	// Addresses bounds what single addresses may do; more gets 429. A trusted proxy may do what it
	// likes. Default: all may.
	Addresses *limit.Addresses
	// AcceptWait is how long a connection may have waited for its turn, where more come than can be
	// served. Default 1 s.
	AcceptWait time.Duration
	// Budget is charged for connections. While memory is tight no sessions begin, while it is short no
	// connections do. Default nil: there is room for everything.
	Budget *budget.Budget

	// Loops watch connections whose first request is awaited, and plain ones become WebSockets there.
	// Not where TLS or a PROXY header comes first. They are to be stopped after Run. Default nil:
	// each connection has a goroutine of net/http until then.
	Loops *loop.Loops

	// HeaderTimeout is how long a request head may take, and a connection before its first.
	// Default 5 s.
	HeaderTimeout time.Duration
	// HeadBytes, HeadFields and TargetBytes bound a request head: all of it, its field lines, and
	// the request target. Defaults 16 KiB, 100 and 8 KiB.
	HeadBytes, HeadFields, TargetBytes int
	// IdleTimeout is how long a connection may wait for its next request. Default 75 s: longer
	// than the usual balancer, which would otherwise send a request into a closing connection.
	IdleTimeout time.Duration
	// DrainTimeout bounds the end of Run. Default 10 s.
	DrainTimeout time.Duration

	// Degraded says what does not work although clients are served; nil if all does. Health
	// repeats it.
	Degraded func() error

	// Refused is told about every request that was turned away: a layer and one of its
	// reasons, see Refusals. It is called often under attack: it must only count.
	Refused func(layer, reason string)
}

func (c Config) withDefaults() Config {
	orElse(&c.Listen, ":3000")
	c.Path = strings.TrimSuffix(c.Path, "/")
	orElse(&c.Path, "/socket.io")
	orElse(&c.MaxConnections, 100_000)
	orElse(&c.AcceptWait, time.Second)
	orElse(&c.HeaderTimeout, 5*time.Second)
	orElse(&c.HeadBytes, 16<<10)
	orElse(&c.HeadFields, 100)
	orElse(&c.TargetBytes, 8<<10)
	orElse(&c.IdleTimeout, 75*time.Second)
	orElse(&c.DrainTimeout, 10*time.Second)
	if c.Refused == nil {
		c.Refused = func(string, string) {}
	}
	if c.Degraded == nil {
		c.Degraded = func() error { return nil }
	}
	return c
}

func (c Config) headLimits() headLimits { return headLimits{c.HeadBytes, c.HeadFields, c.TargetBytes} }

func orElse[T comparable](p *T, def T) {
	var zero T
	if *p == zero {
		*p = def
	}
}

// Server is the front door: the listeners for clients and for operators, what is behind which
// path, and the drain.
type Server struct {
	// Addr and OpsAddr are where the Server listens, known after Listen. OpsAddr may be nil.
	Addr, OpsAddr net.Addr
	// Ops is the mux of the ops listener. Whoever has something to show there mounts it before Run.
	Ops *http.ServeMux

	// Static after construction.
	config Config
	engine Engine
	log    *slog.Logger
	static *staticFiles      // nil without Config.StaticDir
	certs  certificateSource // nil without Config.TLS
	public *http.Server
	ops    *http.Server

	limit       atomic.Int64 // Config.MaxConnections, or what SetMaxConnections made of it
	listener    *listener
	door        *door // nil: net/http serves all connections
	opsListener net.Listener
	draining    atomic.Bool
}

// NewServer returns a Server for engine that does not listen yet.
func NewServer(cfg Config, engine Engine, log *slog.Logger) *Server {
	s := &Server{config: cfg.withDefaults(), engine: engine, log: log, Ops: http.NewServeMux()}
	s.limit.Store(int64(s.config.MaxConnections))
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	s.public = &http.Server{
		Handler:           http.HandlerFunc(s.route),
		ReadHeaderTimeout: s.config.HeaderTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		MaxHeaderBytes:    s.config.HeadBytes,
		ErrorLog:          errorLog,
		Protocols:         http1(),
		// net/http would answer "OPTIONS *", which no head here contains.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return withConn(ctx, c.(*conn))
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state { // nobody reads at these moments
			case http.StateHijacked:
				c.(*conn).takeOver()
			case http.StateIdle:
				c.(*conn).answered()
			}
		},
	}
	var ops http.Handler = s.Ops
	if s.config.OpsAccess != nil {
		ops = s.config.OpsAccess.Handler(s.Ops)
	}
	s.ops = &http.Server{
		Handler:           s.onlyLocal(http.NewCrossOriginProtection().Handler(ops)),
		ReadHeaderTimeout: s.config.HeaderTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		MaxHeaderBytes:    s.config.HeadBytes,
		ErrorLog:          errorLog,
	}
	if s.config.OpsAccess != nil {
		s.ops.ConnContext = s.config.OpsAccess.Context
	}
	s.Ops.HandleFunc("GET /healthz", s.ready)
	s.Ops.HandleFunc("GET /healthz/ready", s.ready)
	s.Ops.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, r *http.Request) { plain(w, http.StatusOK, "live") })
	return s
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// SetMaxConnections replaces Config.MaxConnections, once Listen has been called. Who is connected
// stays.
func (s *Server) SetMaxConnections(n int) {
	s.limit.Store(int64(n))
	s.listener.limit.Store(int64(n))
}

// Open is how many connections HTTP is spoken on now, and Waited how often accepting another had to
// wait because those before it had not begun to be served. Listen comes first.
func (s *Server) Open() int64    { return s.listener.open.Load() }
func (s *Server) Waited() uint64 { return s.listener.waited.Load() }

// Listen opens the listeners, so that a wrong address is known before anything else starts.
// It fails with syscall.EADDRINUSE in its chain when another process has one of the addresses.
func (s *Server) Listen() error {
	if dir := s.config.StaticDir; dir != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("open static directory: %w", err)
		}
		s.static = &staticFiles{root}
	}
	secure, err := s.speakTLS()
	if err != nil {
		return err
	}
	public, err := listenTCP(s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	s.Addr = public.Addr()
	from := source(netSource{public})
	if tcp, ok := public.(*net.TCPListener); ok && s.config.Loops != nil && secure == nil && !s.config.ProxyProtocol {
		raw, err := newRawSource(tcp)
		switch {
		case err == nil:
			from = raw
		case !errors.Is(err, errors.ErrUnsupported):
			public.Close()
			return fmt.Errorf("listen for clients: %w", err)
		}
	}
	s.listener = newListener(from, s.config, s.log)
	s.listener.tls = secure
	if _, ok := from.(netSource); !ok {
		s.door = openDoor(s.listener, s.config.Loops, s.config.Path, s.route)
	}
	if s.config.OpsListen == "" {
		return nil
	}
	if s.opsListener, err = net.Listen("tcp", s.config.OpsListen); err != nil {
		public.Close()
		return fmt.Errorf("listen for operators: %w", err)
	}
	s.OpsAddr = s.opsListener.Addr()
	if s.config.OpsAccess != nil {
		s.opsListener = s.config.OpsAccess.Listener(s.opsListener)
	}
	return nil
}

// Run serves until ctx ends or a listener fails, then drains: no new clients, the Engine closed,
// requests finished, all within Config.DrainTimeout. Listen comes first.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 3) // one for each of the goroutines, all awaited below
	servers := 1
	if s.door == nil {
		go func() { failed <- serve("clients", s.public, s.listener) }()
	} else {
		servers++
		go func() { failed <- ended("clients", s.door.serve()) }()
		go func() { failed <- serve("clients", s.public, passedOn{s.door}) }()
	}
	if s.opsListener != nil {
		servers++
		go func() { failed <- serve("operators", s.ops, s.opsListener) }()
	}

	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup // awaited below
	if s.certs != nil {
		watch.Go(func() { s.certs.watch(watching) })
	}

	var errs []error
	select {
	case <-ctx.Done():
	case err := <-failed:
		servers--
		errs = append(errs, err)
	}
	errs = append(errs, s.drain(context.WithoutCancel(ctx)))
	stop()
	watch.Wait()
	for range servers {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

func serve(who string, srv *http.Server, l net.Listener) error { return ended(who, srv.Serve(l)) }

// ended is what became of a listener: nil if it was closed.
func ended(who string, err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", who, err)
}

// drain goes from the door inwards and leaves by the back: health tells of it until the end. The
// listener stays open while the Engine closes its clients one after the other: those that poll
// come with a new connection now and then.
func (s *Server) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.DrainTimeout)
	defer cancel()
	s.draining.Store(true)
	var errs []error
	if err := s.engine.Close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("close clients: %w", err))
	}
	s.listener.Close()
	if s.door != nil {
		s.door.close()
	}
	if err := s.public.Shutdown(ctx); err != nil {
		// Whoever is left has had its time.
		s.public.Close()
		errs = append(errs, fmt.Errorf("finish requests: %w", err))
	}
	s.ops.Close()
	if s.static != nil {
		s.static.root.Close()
	}
	return errors.Join(errs...)
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	if err := s.config.Degraded(); err != nil {
		plain(w, http.StatusOK, "degraded: "+err.Error()) // a balancer that sends clients away would make it worse
		return
	}
	plain(w, http.StatusOK, "ready")
}

// onlyLocal keeps everyone else away from the ops listener: other machines, which may only ask
// for health and metrics, and web pages, which must not
// even send there. A page whose name is made to resolve to 127.0.0.1 sends
// its own name as Host. With TLS it has no certificate for that name, and OpsAccess says who comes.
func (s *Server) onlyLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		local := to != nil && to.IP.IsLoopback()
		harmless := r.URL.Path == "/metrics" || r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/healthz/")
		if s.config.OpsAccess != nil && s.config.OpsAccess.Secure() {
			next.ServeHTTP(w, r)
			return
		}
		if local && !localHost(r.Host) || !local && !harmless {
			plain(w, http.StatusForbidden, "this answers to localhost only, on loopback")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
