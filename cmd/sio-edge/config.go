package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/limit"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// relations checks what a type and two bounds cannot say. Values that are faulty already are zero.
func (l *loader) relations(s settings) {
	check := func(key string, err error) {
		if err != nil {
			l.fault(key, err.Error())
		}
	}
	check("listen", address(s.Listen))
	check("control-listen", address(s.ControlListen))
	l.access(s)
	if s.OpsListen != "" {
		check("ops-listen", address(s.OpsListen))
	}
	for _, pair := range [][2]string{{"control-listen", "listen"}, {"ops-listen", "listen"}, {"ops-listen", "control-listen"}} {
		a, b := l.merged.String(pair[0]), l.merged.String(pair[1])
		if _, port, _ := net.SplitHostPort(a); samePort(a, b) && port != "0" {
			l.fault(pair[0], "another port than that of --"+pair[1])
		}
	}
	if s.StaticDir != "" {
		if info, err := os.Stat(string(s.StaticDir)); err != nil || !info.IsDir() {
			l.fault("static-dir", "a directory that is there")
		}
	}
	l.secrecy(s)
	l.entry(s)
	l.proxies(s)
	oneOf := func(key string, value text, allowed ...string) {
		if !slices.Contains(allowed, string(value)) {
			l.fault(key, strings.Join(allowed, ", "))
		}
	}
	if u, err := url.Parse(string(s.TraceEndpoint)); s.TraceEndpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		l.fault("trace-endpoint", "an address such as http://127.0.0.1:4317, or https")
	}
	if ratio, err := strconv.ParseFloat(string(s.TraceRatio), 64); err != nil || !(ratio >= 0 && ratio <= 1) {
		l.fault("trace-ratio", "from 0 to 1, such as 0.01")
	}
	oneOf("log-level", s.LogLevel, "debug", "info", "warn", "error")
	oneOf("log-format", s.LogFormat, "auto", "text", "json")

	if p := string(s.Path); !strings.HasPrefix(p, "/") || path.Clean(p) != strings.TrimSuffix(p, "/") || strings.ContainsAny(p, "?#% \\") {
		l.fault("path", "a path such as /socket.io/")
	}
	for _, t := range s.Transports {
		if t != engineio.Polling && t != engineio.WebSocket {
			l.fault("transports", engineio.Polling+", "+engineio.WebSocket+" or both")
			break
		}
	}
	if len(s.Transports) == 0 {
		l.fault("transports", engineio.Polling+", "+engineio.WebSocket+" or both")
	}
	if s.Cookie != "" {
		_, err := cookie(s.Cookie)
		check("cookie", err)
	}
	_, err := headers(s.ResponseHeaders)
	check("response-headers", err)
	for key, names := range map[string]list{
		"forward-headers": s.ForwardHeaders, "cors-allowed-headers": s.CorsAllowedHeaders, "cors-exposed-headers": s.CorsExposedHeaders,
	} {
		if slices.ContainsFunc(names, func(n string) bool { return !httpguts.ValidHeaderFieldName(n) }) {
			l.fault(key, "names of headers")
		}
	}
	for _, o := range s.CorsOrigin {
		if (engineio.Config{Origins: []string{o}}).Validate() != nil {
			l.fault("cors-origin", "origins such as https://a.example, https://*.a.example:8443 or *")
			break
		}
	}
	if bool(s.CorsCredentials) && slices.Contains(s.CorsOrigin, "*") {
		l.fault("cors-origin", "no * together with cors-credentials (every page on the web could act for its visitor)")
	}
	for key, names := range map[string]list{"namespaces": s.Namespaces, "no-recovery": s.NoRecovery} {
		for _, n := range names {
			if !namespacePattern(n) {
				l.fault(key, "names that begin with a slash, such as /chat or /room-*")
				break
			}
		}
	}
	l.memory(s)
	if s.ReplayBytes >= s.QueueBytes && !l.faulty["queue-bytes"] {
		l.fault("replay-bytes", "less than queue-bytes, "+l.merged.String("queue-bytes")+" (what is sent again has to wait there)")
	}
}

// address checks host:port.
func address(a text) error {
	_, port, err := net.SplitHostPort(string(a))
	if err != nil {
		return errors.New("an address such as :3000 or 127.0.0.1:3000")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("a port from 0 to 65535")
	}
	return nil
}

// local says whether only this machine reaches an address.
func local(a text) bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// samePort reports whether two addresses cannot both be listened on.
func samePort(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && (hostA == hostB || hostA == "" || hostB == "")
}

func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// cookie reads a name with or without attributes; the value is that of the session.
func cookie(t text) (*http.Cookie, error) {
	name, attributes, _ := strings.Cut(string(t), ";")
	if attributes == "" {
		c := engineio.DefaultCookie()
		c.Name = name
		return c, validCookie(c)
	}
	c, err := http.ParseSetCookie(strings.TrimSpace(name) + "=sid; " + attributes)
	if err != nil || len(c.Unparsed) > 0 {
		return nil, errors.New("a name, or a name and attributes such as io; Path=/; Secure")
	}
	return c, validCookie(c)
}

func validCookie(c *http.Cookie) error {
	if c.Valid() != nil {
		return errors.New("a name for a cookie, such as io")
	}
	return nil
}

func headers(lines list) (http.Header, error) {
	h := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, errors.New("headers such as X-Edge: a")
		}
		h.Add(name, value)
	}
	return h, nil
}

func (s settings) edge() edge.Config {
	c := edge.Config{
		Listen:         string(s.Listen),
		OpsListen:      string(s.OpsListen),
		Path:           string(s.Path),
		StaticDir:      string(s.StaticDir),
		MaxConnections: s.maxConnections(),
		DrainTimeout:   time.Duration(s.DrainTimeout),
		HeaderTimeout:  time.Duration(s.HeadTimeout),
		IdleTimeout:    time.Duration(s.IdleTimeout),
		HeadBytes:      int(s.HeadBytes),
		HeadFields:     int(s.HeadFields),
		TargetBytes:    int(s.UrlBytes),
		ConnectionRate: limit.PerSecond(int(s.ConnectionsPerSecond), 2*int(s.ConnectionsPerSecond)),
		AcceptWait:     time.Duration(s.AcceptWait),
	}
	c.ProxyProtocol = bool(s.ProxyProtocol)
	switch {
	case s.TlsCertFile != "":
		c.TLS = &edge.TLS{CertFile: string(s.TlsCertFile), KeyFile: string(s.TlsKeyFile)}
	case len(s.AcmeDomains) > 0:
		c.TLS = &edge.TLS{ACME: &edge.ACME{Domains: s.AcmeDomains, Email: string(s.AcmeEmail), Directory: string(s.AcmeDirectory), CacheDir: s.acmeCache()}}
	}
	for _, p := range s.TrustedProxies {
		n, _ := network(p) // checked by relations, as what follows
		c.TrustedProxies = append(c.TrustedProxies, n)
	}
	return c
}

func (s settings) engineio() engineio.Config {
	c := engineio.Config{
		Path:             string(s.Path),
		BarePath:         !bool(s.AddTrailingSlash),
		Transports:       s.Transports,
		NoUpgrades:       !bool(s.AllowUpgrades),
		PingInterval:     time.Duration(s.PingInterval),
		PingTimeout:      time.Duration(s.PingTimeout),
		UpgradeTimeout:   time.Duration(s.UpgradeTimeout),
		AssemblyTimeout:  time.Duration(s.MessageTimeout),
		WriteTimeout:     time.Duration(s.WriteTimeout),
		BodyTimeout:      time.Duration(s.BodyTimeout),
		MaxPayload:       int(s.MaxPayload),
		MaxQueuedBytes:   int(s.QueueBytes),
		MaxQueuedPackets: int(s.QueuePackets),
		PauseTimeout:     time.Duration(s.PauseTimeout),
		MaxParams:        int(s.QueryParameters),
		MaxPackets:       int(s.PostPackets),
		MaxFragments:     int(s.MessageFrames),
		ControlFrames:    limit.PerSecond(int(s.ControlFramesPerSecond), 5*int(s.ControlFramesPerSecond)),
		Requests:         limit.PerSecond(int(s.RequestsPerSecond), 3*int(s.RequestsPerSecond)),
		Messages:         limit.PerSecond(int(s.MessagesPerSecond), 4*int(s.MessagesPerSecond)),
		MessageBytes:     limit.PerSecond(int(s.MessageBytesPerSecond), 4*int(s.MessageBytesPerSecond)),
		Handshakes:       limit.PerSecond(int(s.HandshakesPerSecond), 2*int(s.HandshakesPerSecond)),
		Origins:          s.CorsOrigin,
		RequireOrigin:    !bool(s.AllowMissingOrigin),
		Credentials:      bool(s.CorsCredentials),
		AllowedHeaders:   s.CorsAllowedHeaders,
		ExposedHeaders:   s.CorsExposedHeaders,
		CORSMaxAge:       time.Duration(s.CorsMaxAge),
		ForwardHeaders:   s.ForwardHeaders,
		CloseSpread:      time.Duration(min(s.DrainSpread, s.DrainTimeout*3/4)),
	}
	c.Headers, _ = headers(s.ResponseHeaders)
	c.Binding = bindings[string(s.BindSession)]
	if _, in, _ := s.sources(); s.takesTokens() {
		c.Token = in.Take
	}
	if s.Cookie != "" {
		c.Cookie, _ = cookie(s.Cookie)
		c.Cookie.Secure = c.Cookie.Secure || s.secure()
	}
	return c
}

func (s settings) socketio() socketio.Config {
	rules, _ := s.entryRules()
	inAuth, _, _ := s.sources()
	return socketio.Config{
		Entries:        rules,
		NoAuthToken:    !inAuth,
		KeepTokens:     bool(s.JwtForward),
		OnExpiry:       expiries[string(s.AuthExpiry)],
		Binding:        bindings[string(s.BindSession)],
		ConnectTimeout: time.Duration(s.ConnectTimeout),
		RecoveryWindow: time.Duration(s.RecoveryWindow),
		Heartbeat:      time.Duration(s.PingInterval + s.PingTimeout),
		NoRecovery:     s.NoRecovery,
		LogPackets:     int(s.LogPackets),
		LogBytes:       int(s.LogBytes),
		ReplayPackets:  int(s.ReplayPackets),
		ReplayBytes:    int(s.ReplayBytes),
		Limits: &sio.Limits{
			Attachments:     int(s.Attachments),
			AttachmentBytes: int(s.AttachmentBytes),
			Namespace:       int(s.NamespaceName),
			Name:            int(s.EventName),
			Args:            int(s.Args),
			Depth:           int(s.JsonDepth),
			Auth:            int(s.AuthBytes),
		},
		NamespacesPerClient: int(s.NamespacesPerConnection),
		RoomsPerSocket:      int(s.RoomsPerSocket),
		RoomName:            int(s.RoomName),
		RefusedConnects:     int(s.RefusedConnects),
	}
}

// insecure names the options in force that an operator should know of when the edge is attacked:
// every toggle that switches a check off, whose names all begin alike, and a few others.
func (s settings) insecure() []string {
	var all []string
	for f, v := range reflect.ValueOf(s).Fields() {
		if key := keyOf(f.Name); strings.HasPrefix(key, "insecure-") && v.Interface() == toggle(true) {
			all = append(all, key)
		}
	}
	for option, on := range map[string]bool{
		"cors-origin":     slices.Contains(s.CorsOrigin, "*"),
		"ops-listen":      s.OpsListen != "" && !local(s.OpsListen) && !bool(s.OpsTls),
		"pprof":           bool(s.Pprof),
		"trusted-proxies": slices.ContainsFunc(s.TrustedProxies, func(p string) bool { n, _ := network(p); return n.Bits() == 0 }),
	} {
		if on {
			all = append(all, option)
		}
	}
	slices.Sort(all)
	return all
}

// storeFile is the name of the store in its directory.
const storeFile = "sio-edge.db"

// storePath is the file of the store.
func (s settings) storePath() string {
	return filepath.Join(string(s.DataDir), storeFile)
}

// maxConnections is how many clients there may be: as many as was said, but no more than four
// fifths of the descriptors that are left when everything else has some. A client that polls can
// take two for a while.
func (s settings) maxConnections() int {
	n := int(s.MaxConnections)
	if have := descriptors(); have > 0 {
		n = min(n, max((have-512)/5*4, 64))
	}
	return n
}
