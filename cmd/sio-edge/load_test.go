package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// loadFrom loads a configuration given as flags, environment and file.
func loadFrom(t *testing.T, flags flagValues, environ []string, file string) (settings, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "edge.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		environ = append(environ, "SIO_EDGE_CONFIG="+path)
	}
	if flags == nil {
		flags = flagValues{}
	}
	return load(flags, func() []string { return environ })
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags flagValues
		env   []string
		file  string
		want  []string
	}{
		{name: "nothing", want: nil},
		{
			name:  "flag below its bound",
			flags: flagValues{"ping-timeout": {"200us"}},
			want:  []string{"--ping-timeout 200us: at least 100ms (heartbeats slower than this close every client)"},
		},
		{
			name: "the same in the environment and in the file",
			env:  []string{"SIO_EDGE_PING_TIMEOUT=200us"},
			file: "connect-timeout: 2h\n",
			want: []string{
				"SIO_EDGE_PING_TIMEOUT=200us: at least 100ms (heartbeats slower than this close every client)",
				"edge.yaml: connect-timeout: 2h: at most 1h",
			},
		},
		{
			name: "wrong forms",
			flags: flagValues{"ping-interval": {"25"}, "max-payload": {"1 megabyte"}, "queue-packets": {"many"},
				"allow-upgrades": {"perhaps"}, "listen": {"3000"}, "recovery-window": {"10ms"}},
			want: []string{
				"--allow-upgrades perhaps: true or false",
				"--ping-interval 25: a duration with a unit, such as 300ms, 25s or 5m",
				`--max-payload "1 megabyte": a size, such as 1000000, 512KiB or 1MB`,
				"--queue-packets many: a whole number, such as 4096",
				"--recovery-window 10ms: at least 1s (0 switches recovery off)",
				"--listen 3000: an address such as :3000 or 127.0.0.1:3000",
			},
		},
		{
			name:  "control off loopback",
			flags: flagValues{"control-listen": {"0.0.0.0:7070"}},
			want:  []string{"--control-listen 0.0.0.0:7070: an address on loopback, or set control-tls-cert-file, control-tls-key-file, control-client-ca-file and access-file (whoever reaches it commands every client)"},
		},
		{
			name:  "tokens over plain text",
			flags: flagValues{"control-listen": {"0.0.0.0:7070"}, "access-file": {"access.yaml"}},
			want:  []string{"--control-listen 0.0.0.0:7070: an address on loopback, or set control-tls-cert-file and control-tls-key-file (anybody on the way could read the tokens)"},
		},
		{
			name:  "a certificate without its key",
			flags: flagValues{"control-tls-cert-file": {"edge.crt"}},
			want:  []string{`--control-tls-key-file "": a file: control-tls-cert-file and control-tls-key-file belong together`},
		},
		{
			name:  "TLS that keeps nobody out",
			flags: flagValues{"control-listen": {":7070"}, "control-tls-cert-file": {"edge.crt"}, "control-tls-key-file": {"edge.key"}, "control-client-ca-file": {"ca.crt"}},
			want:  []string{`--access-file "": a file that says who may do what: encryption alone keeps nobody out`},
		},
		{
			name:  "certificates of callers without TLS",
			flags: flagValues{"control-client-ca-file": {"ca.crt"}, "ops-tls": {"true"}},
			want:  []string{"--control-client-ca-file ca.crt: only with control-tls-cert-file and control-tls-key-file (certificates are shown in a TLS handshake)"},
		},
		{
			name:  "TLS for operators without a certificate",
			flags: flagValues{"ops-tls": {"true"}},
			want:  []string{"--ops-tls true: only with control-tls-cert-file and control-tls-key-file"},
		},
		{
			name:  "insecure and not",
			flags: flagValues{"insecure-control": {"true"}, "access-file": {"access.yaml"}},
			want:  []string{"--insecure-control true: false: access-file keeps the listener safe"},
		},
		{
			name:  "access files that are not there",
			flags: flagValues{"control-tls-cert-file": {"gone.crt"}, "control-tls-key-file": {"gone.key"}, "control-client-ca-file": {"gone.ca"}, "access-file": {"gone.yaml"}},
			want: []string{"--access-file gone.yaml: no such file or directory", "--control-client-ca-file gone.ca: no such file or directory",
				"--control-tls-cert-file gone.crt: no such file or directory", "--control-tls-key-file gone.key: no such file or directory"},
		},
		{
			name:  "O6 every origin with credentials",
			flags: flagValues{"cors-origin": {"https://a.example,*"}, "cors-credentials": {"true"}},
			want:  []string{"--cors-origin https://a.example,*: no * together with cors-credentials (every page on the web could act for its visitor)"},
		},
		{
			name:  "origins",
			flags: flagValues{"cors-origin": {"a.example"}},
			want:  []string{"--cors-origin a.example: origins such as https://a.example, https://*.a.example:8443 or *"},
		},
		{
			name:  "one port twice",
			flags: flagValues{"listen": {":7070"}},
			want:  []string{"--control-listen 127.0.0.1:7070: another port than that of --listen"},
		},
		{
			name: "names",
			flags: flagValues{"transports": {"polling,carrier-pigeon"}, "namespaces": {"/a,b"}, "path": {"socket.io"},
				"log-level": {"loud"}, "cookie": {"a b"}, "response-headers": {"X Edge: a"}, "trusted-proxies": {"10/8"}},
			want: []string{
				"--trusted-proxies 10/8: addresses or networks, such as 10.0.0.0/8",
				"--log-level loud: debug, info, warn, error",
				"--path socket.io: a path such as /socket.io/",
				"--transports polling,carrier-pigeon: polling, websocket or both",
				`--cookie "a b": a name for a cookie, such as io`,
				`--response-headers "X Edge: a": headers such as X-Edge: a`,
				"--namespaces /a,b: names that begin with a slash, such as /chat or /room-*",
			},
		},
		{
			name:  "replay larger than the queue",
			flags: flagValues{"replay-bytes": {"2MiB"}},
			want:  []string{"--replay-bytes 2MiB: less than queue-bytes, 1MiB (what is sent again has to wait there)"},
		},
		{
			name: "more than the memory",
			flags: flagValues{"memory-limit": {"64MiB"}, "queue-memory": {"65MiB"}, "max-payload": {"9MB"}, "queue-bytes": {"16MiB"},
				"message-bytes-per-second": {"2MB"}},
			want: []string{
				"--queue-memory 65MiB: at most memory-limit, 64 MiB",
				"--max-payload 9MB: at most an eighth of memory-limit, 64 MiB",
				"--queue-bytes 16MiB: at most an eighth of memory-limit, 64 MiB",
				"--message-bytes-per-second 2MB: at least a quarter of max-payload, 9MB (one message would take more than 4s)",
			},
		},
		{
			name:  "rates that exclude each other",
			flags: flagValues{"requests-per-second": {"1"}, "messages-per-second": {"1000"}},
			want:  []string{"--requests-per-second 1: at least a 64th of messages-per-second, 1000 (a polling client could not send them)"},
		},
		{
			name:  "a fault does not cause others",
			flags: flagValues{"queue-bytes": {"much"}},
			want:  []string{"--queue-bytes much: a size, such as 1000000, 512KiB or 1MB"},
		},
		{
			name: "keys nobody knows",
			file: "ping_interval: 25s\ncors:\n  origin: '*'\npingTimout: 20s\nconfig: b.yaml\nzzz: 1\n",
			want: []string{
				`edge.yaml: config: only --config and SIO_EDGE_CONFIG name a file`,
				`edge.yaml: cors.origin: no such key, perhaps cors-origin?`,
				`edge.yaml: pingTimout: no such key, perhaps ping-timeout?`,
				`edge.yaml: ping_interval: no such key, perhaps ping-interval?`,
				`edge.yaml: zzz: no such key`,
			},
		},
		{
			name: "no YAML",
			file: "a: b: c\n",
			want: []string{"edge.yaml: mapping values are not allowed in this context"},
		},
		{
			name: "list for one value",
			file: "listen: [':1', ':2']\n",
			want: []string{"edge.yaml: listen: :1,:2: one value, not a list"},
		},
		{
			name:  "no such file",
			flags: flagValues{"config": {"gone.yaml"}},
			want:  []string{"--config: open gone.yaml: no such file or directory"},
		},
		{
			name: "hostile text",
			env:  []string{"SIO_EDGE_LISTEN=\x1b[2J" + strings.Repeat("x", 500)},
			want: []string{`SIO_EDGE_LISTEN="\x1b[2J` + strings.Repeat("x", 124) + `…": an address such as :3000 or 127.0.0.1:3000`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadFrom(t, tt.flags, tt.env, tt.file)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	const file = "ping-interval: 3s\nping-timeout: 3s\nqueue-packets: 3\ncors-origin: [https://a.example, https://b.example]\nmax-payload: 3e6\nadd-trailing-slash: false\nlisten:\n"
	env := []string{"SIO_EDGE_PING_INTERVAL=2s", "SIO_EDGE_PING_TIMEOUT=2s", "SIO_EDGE_FORWARD_HEADERS=a, b",
		"SIO_EDGE_PORT=tcp://10.0.0.1:3000", "sio_edge_listen=x"}
	flags := flagValues{"ping-interval": {"1s"}, "response-headers": {"A: b, c", "D: e"}}
	s, err := loadFrom(t, flags, env, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key       string
		got, want any
	}{
		{"ping-interval", s.PingInterval, duration(time.Second)},
		{"ping-timeout", s.PingTimeout, duration(2 * time.Second)},
		{"queue-packets", s.QueuePackets, count(3)},
		{"upgrade-timeout", s.UpgradeTimeout, duration(10 * time.Second)},
		{"cors-origin", s.CorsOrigin, list{"https://a.example", "https://b.example"}},
		{"forward-headers", s.ForwardHeaders, list{"a", "b"}},
		{"response-headers", s.ResponseHeaders, list{"A: b, c", "D: e"}},
		{"max-payload", s.MaxPayload, size(3e6)},
		{"add-trailing-slash", s.AddTrailingSlash, toggle(false)},
		{"listen", s.Listen, text(":3000")},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s = %v, want %v", tt.key, tt.got, tt.want)
		}
	}
}

// Whoever adds a key gives it help, a group, and a default of its own form.
func TestKeys(t *testing.T) {
	for f := range reflect.TypeFor[settings]().Fields() {
		for _, tag := range []string{"help", "group"} {
			if f.Tag.Get(tag) == "" {
				t.Errorf("%s has no %s", f.Name, tag)
			}
		}
	}
	if got, want := keyOf("NamespacesPerConnection"), "namespaces-per-connection"; got != want {
		t.Errorf("keyOf = %s, want %s", got, want)
	}
}

// Each package gets what was configured.
func TestConfigs(t *testing.T) {
	s, err := loadFrom(t, flagValues{"recovery-window": {"0"}, "cookie": {"io; Path=/x; SameSite=None; Secure"},
		"trusted-proxies": {"10.0.0.1,192.168.1.2/16"}, "json-depth": {"7"}, "response-headers": {"X-Edge: a"}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	e := s.engineio()
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if got := e.Cookie.String(); got != "io=sid; Path=/x; Secure; SameSite=None" {
		t.Errorf("cookie %q", got)
	}
	if e.Headers.Get("X-Edge") != "a" || e.BarePath || e.NoUpgrades || e.RequireOrigin || e.PingInterval != 25*time.Second {
		t.Errorf("engineio: %+v", e)
	}
	if c := s.socketio(); c.RecoveryWindow != 0 || c.Limits.Depth != 7 || c.Limits.Auth != 8192 || c.Heartbeat != 45*time.Second {
		t.Errorf("socketio: %+v", c)
	}
	var networks []string
	for _, p := range s.edge().TrustedProxies {
		networks = append(networks, p.String())
	}
	if got := strings.Join(networks, " "); got != "10.0.0.1/32 192.168.0.0/16" {
		t.Errorf("trusted proxies %s", got)
	}
}
