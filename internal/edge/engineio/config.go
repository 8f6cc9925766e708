package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/budget"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/loop"
)

// Names of the transports.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// Config holds intervals, limits and policy. The zero value of a field means its default.
type Config struct {
	// Path is where the server answers, with anything below it. Default "/socket.io".
	Path string
	// BarePath also accepts Path without a slash behind it, which the official server does not.
	BarePath bool
	// Transports enables some transports only. Default polling and websocket.
	Transports []string
	// NoUpgrades stops offering websocket to sessions that began with polling.
	NoUpgrades bool

	// PingInterval is the time between a pong and the next ping. Default 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a pong may take. Default 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a client may take from opening a WebSocket to the packet that
	// completes the upgrade. Default 10 s.
	UpgradeTimeout time.Duration
	// AssemblyTimeout is how long a message may take from its first byte to its last. Default 10 s.
	AssemblyTimeout time.Duration
	// WriteTimeout is how long a client may accept nothing while something waits for it. Default 10 s.
	WriteTimeout time.Duration
	// BodyTimeout is how long the body of a POST may take. Default 20 s.
	BodyTimeout time.Duration
	// CloseTimeout is how long a WebSocket waits for the client's side of the close. Default 2 s.
	CloseTimeout time.Duration
	// PollCloseTimeout is how long a polling session that the server closed waits for the GET
	// that learns of it. Default 30 s.
	PollCloseTimeout time.Duration
	// CloseSpread is how long Server.Close takes to close the Sockets, at an even rate, so that their
	// clients do not come back all at once; it closes at least 100 a second. Default 0: all at once.
	CloseSpread time.Duration
	// PauseTimeout is how long a Socket may stay paused. Default 30 s.
	PauseTimeout time.Duration

	// MaxPayload bounds one WebSocket message and one POST body, in bytes. Default 1,000,000.
	MaxPayload int
	// MaxParams bounds the parameters of a query. Default 64.
	MaxParams int
	// MaxFragments bounds the frames of one WebSocket message. Default 1024.
	MaxFragments int
	// MaxPackets bounds the packets of one POST. Default 16,384.
	MaxPackets int
	// MaxQueuedBytes bounds what waits for one client. Default 1 MiB.
	MaxQueuedBytes int
	// MaxQueuedPackets bounds what waits for one client. Default 4096.
	MaxQueuedPackets int

	// ControlFrames is how often a client may do what no client needs to do often: WebSocket pings
	// and pongs, packets that mean nothing. Default 10 a second, 50 at once.
	ControlFrames limit.Rate
	// Requests is how often one polling session may ask. Default: as often as it likes.
	Requests limit.Rate
	// Messages and MessageBytes are how much one client may send. Above it the client is not read for
	// as long as it takes, without having to answer pings; one that has not kept to it for PaceTimeout
	// is closed as Flooding. Default: as much as it likes.
	Messages, MessageBytes limit.Rate
	// PaceTimeout: see Messages. Default 5 s.
	PaceTimeout time.Duration
	// Handshakes is how often sessions may begin, whoever begins them. Default: as often as they like.
	Handshakes limit.Rate
	// Addresses bounds what single addresses may do. Default nil: whatever they like.
	Addresses *limit.Addresses
	// Proxied reports whether a request came through a trusted proxy: its connection was then not
	// counted by Addresses. Default: none did.
	Proxied func(*http.Request) bool
	// Budget is charged for what is held. Default nil: there is room for everything.
	Budget *budget.Budget
	// Loops are what reads connections that read connections. Default nil: one of the Server's own.
	Loops *loop.Loops

	// Origins lists the origins that browsers may connect from, besides the server's own:
	// "https://example.com", "https://*.example.com", or "*" for every origin. With any of them
	// set, responses carry CORS headers.
	Origins []string
	// RequireOrigin refuses requests without an Origin header. Clients outside of browsers send none.
	RequireOrigin bool
	// Credentials lets browsers send cookies across origins. Not together with the origin "*".
	Credentials bool
	// AllowedHeaders answers preflight requests. Default: whatever the browser asks for.
	AllowedHeaders []string
	// ExposedHeaders are response headers that a page of another origin may read.
	ExposedHeaders []string
	// CORSMaxAge is how long browsers may remember a preflight. Default: not sent.
	CORSMaxAge time.Duration

	// Cookie, with the sid as its value, is set by the response to a polling handshake. Default none.
	Cookie *http.Cookie
	// Headers are added to every successful response, the 101 of an upgrade included.
	Headers http.Header
	// ForwardHeaders names the request headers kept in Handshake. Default "*": all but those that
	// concern one hop or the WebSocket handshake.
	ForwardHeaders []string

	// Token takes the credential out of the request of a handshake, for Handshake.Token: what
	// it leaves in the request is kept and handed on. Default: none.
	Token func(*http.Request) string
	// Binding says from where a session may be used, once it is open. Default: from anywhere.
	Binding Binding
	// Strayed is told, once for each session, that a request for it came from another host than the
	// handshake, whether Binding allows that or not. Default: nobody is.
	Strayed func(opened, now string)
	// EdgeTag, at most 3 bytes, begins the bytes of every sid, so that any edge can tell whose it is.
	EdgeTag []byte
	// AllowRequest decides about every handshake. The message of a refusal reaches the client.
	AllowRequest func(*http.Request) (ok bool, message string)
	// Refused is told about everything that was turned away: a layer and one of its reasons, see
	// Refusals. It is called often under attack and with locks held: it must only count.
	Refused func(layer, reason string)
}

// DefaultCookie is the cookie that the official server sets when asked for one.
func DefaultCookie() *http.Cookie {
	return &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Validate returns every fault of the configuration at once.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		fault("path %q does not begin with a slash", c.Path)
	}
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket {
			fault("transport %q is neither %s nor %s", t, Polling, WebSocket)
		}
	}
	if len(c.EdgeTag) > 3 {
		fault("edge tag of %d bytes: at most 3", len(c.EdgeTag))
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		fault(`origin "*" together with credentials would let every page act for its visitor`)
	}
	for _, o := range c.Origins {
		if _, ok := parsePattern(o); !ok {
			fault("origin %q is neither scheme://host[:port], scheme://*.domain[:port] nor *", o)
		}
	}
	for name, d := range map[string]time.Duration{
		"ping interval": c.PingInterval, "ping timeout": c.PingTimeout, "upgrade timeout": c.UpgradeTimeout,
		"assembly timeout": c.AssemblyTimeout, "write timeout": c.WriteTimeout, "body timeout": c.BodyTimeout,
		"close timeout": c.CloseTimeout, "poll close timeout": c.PollCloseTimeout, "pause timeout": c.PauseTimeout,
		"close spread": c.CloseSpread,
	} {
		if d < 0 {
			fault("%s of %v is negative", name, d)
		}
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	c.Path = strings.TrimSuffix(c.Path, "/")
	if c.Path == "" {
		c.Path = "/socket.io"
	}
	if len(c.Transports) == 0 {
		c.Transports = []string{Polling, WebSocket}
	}
	orElse(&c.PingInterval, 25*time.Second)
	orElse(&c.PingTimeout, 20*time.Second)
	orElse(&c.UpgradeTimeout, 10*time.Second)
	orElse(&c.AssemblyTimeout, 10*time.Second)
	orElse(&c.WriteTimeout, 10*time.Second)
	orElse(&c.BodyTimeout, 20*time.Second)
	orElse(&c.CloseTimeout, 2*time.Second)
	orElse(&c.PollCloseTimeout, 30*time.Second)
	orElse(&c.PauseTimeout, 30*time.Second)
	orElse(&c.MaxPayload, 1_000_000)
	orElse(&c.MaxParams, 64)
	orElse(&c.MaxFragments, 1024)
	orElse(&c.MaxPackets, 16_384)
	orElse(&c.MaxQueuedBytes, 1<<20)
	orElse(&c.MaxQueuedPackets, 4096)
	orElse(&c.ControlFrames, limit.PerSecond(10, 50))
	orElse(&c.PaceTimeout, 5*time.Second)
	if c.Strayed == nil {
		c.Strayed = func(string, string) {}
	}
	if c.Proxied == nil {
		c.Proxied = func(*http.Request) bool { return false }
	}
	if len(c.ForwardHeaders) == 0 {
		c.ForwardHeaders = []string{"*"}
	}
	if c.AllowRequest == nil {
		c.AllowRequest = func(*http.Request) (bool, string) { return true, "" }
	}
	if c.Token == nil {
		c.Token = func(*http.Request) string { return "" }
	}
	if c.Refused == nil {
		c.Refused = func(string, string) {}
	}
	return c
}

func orElse[T comparable](p *T, def T) {
	var zero T
	if *p == zero {
		*p = def
	}
}
