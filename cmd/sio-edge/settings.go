package main

import "time"

// The types of values. Flags of these types are only noted while the command line is read, and
// turned into values together with those of the environment and the file (load.go).
type (
	text     string
	list     []string
	toggle   bool
	count    int
	size     int // bytes
	duration time.Duration
)

// settings is every key of the configuration; the name of a key is that of its field in
// kebab-case. Flag, environment variable and line of the file have the same name, form and default:
//
//	--ping-interval 25s     SIO_EDGE_PING_INTERVAL=25s     ping-interval: 25s
//
// def is the default, min and max bound the value (zero passes them where zero:"" says what it
// means), why says what is wrong beyond the bounds.
type settings struct {
	Config text `help:"YAML file with any of these keys." placeholder:"FILE" group:"Process:"`

	Listen         text     `def:":3000" help:"Address for clients." group:"Process:"`
	ControlListen  text     `def:"127.0.0.1:7070" help:"Address for backends (gRPC). Off loopback it takes TLS and access-file." group:"Process:"`
	OpsListen      text     `def:"127.0.0.1:9090" help:"Address for health, metrics and the console; empty for none." group:"Process:"`
	DataDir        text     `def:"./data" help:"Directory of the store; empty for none: sessions then end with the process." group:"Process:"`
	StaticDir      text     `help:"Directory served to browsers at /." group:"Process:"`
	TrustedProxies list     `help:"Networks whose X-Forwarded-For and X-Forwarded-Proto are believed, such as 10.0.0.0/8." group:"Process:"`
	ProxyProtocol  toggle   `def:"false" help:"Connections begin with a PROXY header (v1 or v2) and come from trusted-proxies; others are closed." group:"Process:"`
	MaxConnections count    `def:"100000" min:"1" help:"Clients above this number get 503." group:"Process:"`
	DrainTimeout   duration `def:"10s" min:"100ms" max:"10m" help:"How long ending may take after SIGTERM." group:"Process:"`
	DrainSpread    duration `def:"2s" zero:"all at once" max:"5m" help:"Over how long the drain closes the clients, at an even rate but at least 100 a second; at most three quarters of drain-timeout. Longer where other edges take them." group:"Process:"`
	TraceEndpoint  text     `help:"Collector for OpenTelemetry traces (OTLP over gRPC): http://127.0.0.1:4317, or https; empty: no traces." placeholder:"URL" group:"Process:"`
	TraceRatio     text     `def:"0.01" help:"How many of the client events are followed, from 0 to 1. What backends trace is followed always." group:"Process:"`
	Pprof          toggle   `def:"false" help:"Serve profiles of the process on the ops listener." group:"Process:"`
	LogLevel       text     `def:"info" help:"debug, info, warn or error." group:"Process:"`
	LogFormat      text     `def:"auto" help:"text, json, or auto: text on a terminal." group:"Process:"`

	TlsCertFile       text   `help:"Certificate chain (PEM). With tls-key-file, clients have to speak TLS. Read again when it changes." placeholder:"FILE" group:"TLS:"`
	TlsKeyFile        text   `help:"Key of the certificate (PEM). Others on the machine must not be able to read it." placeholder:"FILE" group:"TLS:"`
	AcmeDomains       list   `help:"Names to obtain certificates for, in place of the two files; port 443 of these names has to lead here." group:"TLS:"`
	AcmeEmail         text   `help:"Where the authority of the certificates writes to." group:"TLS:"`
	AcmeDirectory     text   `def:"https://acme-v02.api.letsencrypt.org/directory" help:"The authority." group:"TLS:"`
	AcmeCacheDir      text   `help:"Where certificates and the account's key are kept. Default: acme in data-dir." placeholder:"DIR" group:"TLS:"`
	InsecureFileModes toggle `def:"false" help:"Take keys from files that others on the machine can read." group:"TLS:"`

	ControlTlsCertFile  text   `help:"Certificate of control-listen with its chain (PEM); read again when it changes." placeholder:"FILE" group:"Access of backends and operators:"`
	ControlTlsKeyFile   text   `help:"Its private key (PEM)." placeholder:"FILE" group:"Access of backends and operators:"`
	ControlClientCaFile text   `help:"Who signs the certificates of callers (PEM). Without it they need tokens." placeholder:"FILE" group:"Access of backends and operators:"`
	AccessFile          text   `help:"Who may do what (YAML). With it every caller needs a certificate or a token, on both listeners." placeholder:"FILE" group:"Access of backends and operators:"`
	OpsTls              toggle `def:"false" help:"Speak TLS on ops-listen with control-tls-cert-file, so that it can be used from elsewhere." group:"Access of backends and operators:"`
	InsecureControl     toggle `def:"false" help:"Let control-listen be off loopback without TLS and access-file: whoever reaches it commands every client." group:"Access of backends and operators:"`

	Auth                list     `help:"Who decides about namespaces, the first that matches: /admin=jwt, /chat=jwt+backend, /x-*=backend, /news=none. About others a backend, if one asks for connect requests." placeholder:"NAMESPACE=MODE" group:"Who may come in:"`
	JwtIssuer           text     `help:"iss of the tokens." group:"Who may come in:"`
	JwtAudience         list     `help:"aud of the tokens: one of these." group:"Who may come in:"`
	JwtAlgorithms       list     `def:"EdDSA,ES256,RS256" help:"Algorithms that tokens may be signed with." group:"Who may come in:"`
	JwtKeyFiles         list     `help:"Public keys of the issuer: PEM, or a JWK set. Read again at SIGHUP." placeholder:"FILE" group:"Who may come in:"`
	JwtJwksUrl          list     `help:"JWK sets of the issuer: https, or http on this machine." placeholder:"URL" group:"Who may come in:"`
	JwtSecretFiles      list     `help:"Shared secrets of at least 32 bytes, one a file, for HS256, HS384 and HS512. Read again at SIGHUP." placeholder:"FILE" group:"Who may come in:"`
	JwtLeeway           duration `def:"60s" min:"1s" max:"10m" help:"How far the clocks of issuer and edge may be apart." group:"Who may come in:"`
	JwtMaxAge           duration `def:"24h" min:"1m" max:"720h" help:"How far away the expiry of a token may be." group:"Who may come in:"`
	JwtSources          list     `def:"auth.token,authorization" help:"Where clients show a token, the first that is there: auth.token, authorization, query.NAME." group:"Who may come in:"`
	JwtClaims           list     `help:"Claims that become attributes of the session." group:"Who may come in:"`
	JwtForward          toggle   `def:"false" help:"Backends get the token as well." group:"Who may come in:"`
	AuthExpiry          text     `def:"close" help:"When the token of a connected client expires: close its connection, notify it (event auth_expired), or none." group:"Who may come in:"`
	BindSession         text     `def:"none" help:"From where a session may be used: ip, ip-prefix (/24, /48) or none, which is anywhere." group:"Who may come in:"`
	AuditFile           text     `help:"File for the audit log, each line chained to the one before; sio-edge audit verify checks it. Always in the log as well." placeholder:"FILE" group:"Who may come in:"`
	InsecurePlainTokens toggle   `def:"false" help:"Take tokens over connections that anybody on the way can read." group:"Who may come in:"`

	CommandsPerSecond count    `def:"0" zero:"any number" min:"1" help:"Commands that one backend may send; above it is read more slowly, and after 5s refused." group:"Backends (gRPC):"`
	SpillDelay        duration `def:"200ms" min:"1ms" max:"1h" help:"How long a client event may be in memory only, for groups that are not DURABLE." group:"Backends (gRPC):"`

	Path             text     `def:"/socket.io/" help:"Path of Engine.IO, as in the client's option." group:"Connections (Engine.IO):"`
	AddTrailingSlash toggle   `def:"true" help:"The path needs its trailing slash." group:"Connections (Engine.IO):"`
	Transports       list     `def:"polling,websocket" help:"Transports that clients may use." group:"Connections (Engine.IO):"`
	AllowUpgrades    toggle   `def:"true" help:"Offer websocket to clients that began with polling." group:"Connections (Engine.IO):"`
	PingInterval     duration `def:"25s" min:"100ms" max:"1h" why:"heartbeats faster than this are all that clients would do" help:"Time between a pong and the next ping." group:"Connections (Engine.IO):"`
	PingTimeout      duration `def:"20s" min:"100ms" max:"1h" why:"heartbeats slower than this close every client" help:"How long a pong may take." group:"Connections (Engine.IO):"`
	UpgradeTimeout   duration `def:"10s" min:"100ms" max:"1h" help:"How long an upgrade to websocket may take." group:"Connections (Engine.IO):"`
	MessageTimeout   duration `def:"10s" min:"100ms" max:"1h" help:"How long one message may take to arrive." group:"Connections (Engine.IO):"`
	BodyTimeout      duration `def:"20s" min:"100ms" max:"1h" help:"How long the body of a POST may take to arrive." group:"Connections (Engine.IO):"`
	WriteTimeout     duration `def:"10s" min:"100ms" max:"1h" help:"How long a client may accept nothing of what waits for it." group:"Connections (Engine.IO):"`
	MaxPayload       size     `def:"1MB" min:"1" max:"1GB" help:"Size of one message or one POST." group:"Connections (Engine.IO):"`
	QueueBytes       size     `def:"1MiB" min:"1KiB" max:"1GiB" help:"What may wait for one client; more closes it." group:"Connections (Engine.IO):"`
	QueuePackets     count    `def:"4096" min:"1" help:"What may wait for one client; more closes it." group:"Connections (Engine.IO):"`
	Cookie           text     `help:"Cookie with the session id for sticky balancers: io, or io; Path=/; Secure." placeholder:"NAME" group:"Connections (Engine.IO):"`
	ResponseHeaders  list     `sep:"\n" help:"Header added to every response, such as 'X-Edge: a'. May be repeated." placeholder:"NAME: VALUE" group:"Connections (Engine.IO):"`
	ForwardHeaders   list     `def:"*" help:"Request headers that backends see." group:"Connections (Engine.IO):"`

	CorsOrigin         list     `help:"Origins whose pages may connect: https://a.example, https://*.a.example or *. The edge's own may always." group:"Browsers (CORS):"`
	CorsCredentials    toggle   `def:"false" help:"Pages of other origins may send cookies." group:"Browsers (CORS):"`
	CorsAllowedHeaders list     `help:"Headers that pages may send. Default: those they ask for." group:"Browsers (CORS):"`
	CorsExposedHeaders list     `help:"Response headers that pages may read." group:"Browsers (CORS):"`
	CorsMaxAge         duration `def:"0" zero:"is not sent" min:"1s" max:"24h" help:"How long browsers may remember a preflight." group:"Browsers (CORS):"`
	AllowMissingOrigin toggle   `def:"true" help:"Clients without an Origin, such as native ones, may connect." group:"Browsers (CORS):"`

	Namespaces              list     `def:"/" help:"Namespaces that are there without a backend; * stands for any text." group:"Sessions (Socket.IO):"`
	ConnectTimeout          duration `def:"10s" min:"100ms" max:"1h" help:"How long a connection may take to join a namespace." group:"Sessions (Socket.IO):"`
	RecoveryWindow          duration `def:"5m" zero:"switches recovery off" min:"1s" max:"24h" help:"How long a session waits for its client; 0 switches recovery off." group:"Sessions (Socket.IO):"`
	NoRecovery              list     `help:"Namespaces without recovery; * stands for any text." group:"Sessions (Socket.IO):"`
	ReplayPackets           count    `def:"1000" min:"1" help:"What a client that is back may be sent again." group:"Sessions (Socket.IO):"`
	ReplayBytes             size     `def:"768KiB" min:"1" help:"What a client that is back may be sent again." group:"Sessions (Socket.IO):"`
	LogPackets              count    `def:"100000" min:"1" help:"Packets kept for one namespace." group:"Sessions (Socket.IO):"`
	LogBytes                size     `def:"64MiB" min:"1KiB" help:"Bytes of packets kept for one namespace." group:"Sessions (Socket.IO):"`
	NamespacesPerConnection count    `def:"16" min:"1" help:"Namespaces that one connection may join." group:"Sessions (Socket.IO):"`
	RoomsPerSocket          count    `def:"256" min:"1" help:"Rooms that one session may be in." group:"Sessions (Socket.IO):"`
	Attachments             count    `def:"10" min:"0" max:"1024" help:"Binary attachments of one packet." group:"Sessions (Socket.IO):"`
	AttachmentBytes         size     `def:"5MB" min:"0" max:"1GB" help:"All attachments of one packet." group:"Sessions (Socket.IO):"`
	NamespaceName           size     `def:"128" min:"1" max:"64KiB" help:"Length of the name of a namespace." group:"Sessions (Socket.IO):"`
	EventName               size     `def:"128" min:"1" max:"64KiB" help:"Length of the name of an event." group:"Sessions (Socket.IO):"`
	Args                    count    `def:"256" min:"1" max:"65536" help:"Arguments of one event." group:"Sessions (Socket.IO):"`
	JsonDepth               count    `def:"64" min:"1" max:"1024" help:"Arrays and objects inside each other." group:"Sessions (Socket.IO):"`
	AuthBytes               size     `def:"8KiB" min:"2" max:"1MiB" help:"Length of the auth of a CONNECT." group:"Sessions (Socket.IO):"`

	MemoryLimit    size `def:"0" zero:"nine tenths of what the container or the machine has" min:"64MiB" help:"Memory of the process. Towards its end the edge gives up new clients first, emits that must be kept last." group:"Limits:"`
	StrangerMemory size `def:"0" zero:"a tenth of memory-limit" min:"1MiB" help:"Memory for connections that have not joined a namespace." group:"Limits:"`
	QueueMemory    size `def:"0" zero:"four tenths of memory-limit" min:"1MiB" help:"Memory for what waits for clients, all together." group:"Limits:"`
	LogMemory      size `def:"0" zero:"three tenths of memory-limit" min:"1MiB" help:"Memory for packets kept for clients that are away, all namespaces together." group:"Limits:"`
	BacklogMemory  size `def:"0" zero:"four tenths of memory-limit" min:"1MiB" help:"Memory for events that wait for backends, all groups together." group:"Limits:"`
	StoreSize      size `def:"4GiB" min:"16MiB" max:"1024GiB" help:"Size of the store's file; above it emits that must be kept are refused." group:"Limits:"`
	StoreReserve   size `def:"0" zero:"512MiB, or a twentieth of the disk if that is less" min:"1MiB" max:"1024GiB" help:"What must stay free on the store's disk; below it emits that must be kept are refused." group:"Limits:"`

	ConnectionsPerSecond        count    `def:"0" zero:"any number" min:"1" help:"New connections; twice as many at once." group:"Limits:"`
	AddressConnections          count    `def:"0" zero:"any number" min:"1" help:"Clients from one address (IPv6: one /64), and twice as many connections beside them. Behind a balancer only with trusted-proxies." group:"Limits:"`
	AddressConnectionsPerSecond count    `def:"0" zero:"any number" min:"1" help:"New connections from one address (IPv6: one /64); three times as many at once. Behind a balancer new clients are counted, only with trusted-proxies." group:"Limits:"`
	AddressFailuresPerMinute    count    `def:"0" zero:"any number" min:"1" help:"Clients of one address (IPv6: one /64) that a token or a backend did not let in; above it no more clients from there. Behind a balancer only with trusted-proxies." group:"Limits:"`
	HandshakesPerSecond         count    `def:"0" zero:"any number" min:"1" help:"New clients; twice as many at once." group:"Limits:"`
	AcceptWait                  duration `def:"1s" min:"100ms" max:"1m" help:"How long a new connection may have waited when the edge comes to it, while more come than it can serve." group:"Limits:"`
	RequestsPerSecond           count    `def:"0" zero:"any number" min:"1" help:"Requests of one polling client; three times as many at once." group:"Limits:"`
	MessagesPerSecond           count    `def:"0" zero:"any number" min:"1" help:"Messages of one client; four times as many at once. Above it the client is read more slowly, and after 5s closed." group:"Limits:"`
	MessageBytesPerSecond       size     `def:"0" zero:"any number" min:"1" max:"1GB" help:"Bytes of the messages of one client; four times as many at once. Above it the client is read more slowly, and after 5s closed." group:"Limits:"`
	ControlFramesPerSecond      count    `def:"10" min:"1" help:"Pings and pongs of WebSocket, and packets without a meaning, of one client; five times as many at once." group:"Limits:"`

	HeadTimeout     duration `def:"5s" min:"100ms" max:"1h" help:"How long a request head may take, and a connection before its first." group:"Limits:"`
	IdleTimeout     duration `def:"75s" min:"100ms" max:"1h" help:"How long a connection may wait for its next request. Longer than that of the balancer." group:"Limits:"`
	PauseTimeout    duration `def:"30s" min:"100ms" max:"1h" help:"How long a client may go unread because a group has no room." group:"Limits:"`
	HeadBytes       size     `def:"16KiB" min:"1KiB" max:"1MiB" help:"Size of a request head." group:"Limits:"`
	HeadFields      count    `def:"100" min:"8" max:"10000" help:"Field lines of a request head." group:"Limits:"`
	UrlBytes        size     `def:"8KiB" min:"128" max:"1MiB" help:"Length of a URL." group:"Limits:"`
	QueryParameters count    `def:"64" min:"4" max:"10000" help:"Parameters of a query." group:"Limits:"`
	PostPackets     count    `def:"16384" min:"1" help:"Packets of one POST." group:"Limits:"`
	MessageFrames   count    `def:"1024" min:"1" help:"Frames of one WebSocket message." group:"Limits:"`
	RoomName        size     `def:"256" min:"20" max:"64KiB" help:"Length of the name of a room, and of a user id." group:"Limits:"`
	RefusedConnects count    `def:"10" min:"1" max:"65535" help:"How often a connection may ask for namespaces that are not there." group:"Limits:"`
	SessionEvents   count    `def:"256" min:"1" help:"Events of one session that no backend has settled, acknowledgements that it waits for among them; more are not read." group:"Limits:"`
	ControlMessage  size     `def:"8MiB" min:"64KiB" max:"1GiB" help:"Size of one message of a backend." group:"Limits:"`
	ControlStreams  count    `def:"100" min:"1" help:"Calls that one backend may have open at a time." group:"Limits:"`
}
