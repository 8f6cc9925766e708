package sioedge

import (
	"crypto/tls"
	"log/slog"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Option configures an Edge.
type Option func(*config)

// config is what the options set.
type config struct {
	group       string
	member      string
	ackDeadline time.Duration
	maxAttempts uint32
	durable     bool
	window      uint32
	concurrency int
	drain       time.Duration
	creds       credentials.TransportCredentials
	token       func() (string, error) // nil: none
	dial        []grpc.DialOption
	log         *slog.Logger
	backoffMin  time.Duration
	backoffMax  time.Duration
}

func defaults() config {
	member, err := os.Hostname()
	if err != nil || member == "" {
		member = "member"
	}
	return config{
		group:       "default",
		member:      member,
		ackDeadline: 30 * time.Second,
		maxAttempts: 5,
		window:      1024,
		concurrency: 1024,
		drain:       10 * time.Second,
		creds:       insecure.NewCredentials(),
		log:         slog.Default(),
		backoffMin:  50 * time.Millisecond,
		backoffMax:  5 * time.Second,
	}
}

// Group names the backend service. All processes of one group share the events: those of one
// session go to one of them. 1 to 64 of [A-Za-z0-9._-]. Default "default".
func Group(name string) Option { return func(c *config) { c.group = name } }

// Member names this process within its group, by a name that stays over restarts, such as a
// pod's: a member that comes back under its name keeps its sessions. Two processes must not share
// one; the newer displaces the older, whose Run returns ErrFenced. Default: the host's name.
func Member(id string) Option { return func(c *config) { c.member = id } }

// AckDeadline is how long the edge waits for a process that says nothing before it delivers an
// event again. A handler may take longer: the deadline is extended while it runs. Default 30 s.
func AckDeadline(d time.Duration) Option { return func(c *config) { c.ackDeadline = d } }

// MaxAttempts is how often a failing event is delivered before it is set aside. Default 5.
func MaxAttempts(n int) Option { return func(c *config) { c.maxAttempts = uint32(n) } }

// Durable has the edge put every event on disk before a handler sees it.
func Durable() Option { return func(c *config) { c.durable = true } }

// Window bounds the events that are delivered to this process and not settled. Default 1,024.
func Window(events int) Option { return func(c *config) { c.window = uint32(events) } }

// Concurrency bounds the handlers that run at the same time. Default 1,024.
func Concurrency(n int) Option { return func(c *config) { c.concurrency = n } }

// DrainTimeout bounds how long Run waits for running handlers once its context has ended.
// Default 10 s.
func DrainTimeout(d time.Duration) Option { return func(c *config) { c.drain = d } }

// TLS encrypts the connection to the edge, with a client certificate if cfg has one.
func TLS(cfg *tls.Config) Option { return Credentials(credentials.NewTLS(cfg)) }

// Credentials secures the connection to the edge. Default: none, for an edge on the same host.
func Credentials(creds credentials.TransportCredentials) Option {
	return func(c *config) { c.creds = creds }
}

// DialOptions are passed to gRPC, after the SDK's own.
func DialOptions(opts ...grpc.DialOption) Option {
	return func(c *config) { c.dial = append(c.dial, opts...) }
}

// Logger takes what the SDK has to say. Default slog.Default().
func Logger(log *slog.Logger) Option { return func(c *config) { c.log = log } }

// Backoff sets the shortest and the longest wait between two attempts to reach the edge. The wait
// doubles in between and is spread by a third. Default 50 ms to 5 s.
func Backoff(shortest, longest time.Duration) Option {
	return func(c *config) { c.backoffMin, c.backoffMax = shortest, longest }
}
