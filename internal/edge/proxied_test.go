package edge

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

const whence = "GET /socket.io/whence HTTP/1.1\r\nHost: a\r\n\r\n"

// header2 is a PROXY header of version 2.
func header2(t *testing.T, command proxyproto.ProtocolVersionAndCommand, tlvs int) string {
	t.Helper()
	h := &proxyproto.Header{Version: 2, Command: command, TransportProtocol: proxyproto.TCPv6,
		SourceAddr:      &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 77},
		DestinationAddr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}}
	if tlvs > 0 {
		h.SetTLVs([]proxyproto.TLV{{Type: 0xE0, Value: make([]byte, tlvs)}})
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func startBehind(t *testing.T, proxies string, secure *TLS) (*Server, *echo, *refusals) {
	t.Helper()
	var r refusals
	s, engine := start(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(proxies)}, ProxyProtocol: true, TLS: secure, Refused: r.refused})
	return s, engine, &r
}

func TestProxyProtocol(t *testing.T) {
	s, engine, _ := startBehind(t, "127.0.0.0/8", nil)
	for _, tt := range []struct{ name, header, want string }{
		{"version 1", "PROXY TCP4 198.51.100.7 192.0.2.1 77 443\r\n", "198.51.100.7:77 "},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 77 443\r\n", "[2001:db8::7]:77 "},
		{"version 1, of nobody", "PROXY UNKNOWN\r\n", "127.0.0.1:"},
		{"version 2", header2(t, proxyproto.PROXY, 0), "[2001:db8::7]:77 "},
		{"version 2, with more", header2(t, proxyproto.PROXY, 3000), "[2001:db8::7]:77 "},
		{"version 2, the proxy's own", header2(t, proxyproto.LOCAL, 0), "127.0.0.1:"},
	} {
		for _, apart := range []bool{false, true} {
			c := dial(t, s.Addr)
			io.WriteString(c, tt.header)
			if apart {
				time.Sleep(10 * time.Millisecond) // most likely a segment of its own; both ways must do
			}
			io.WriteString(c, whence)
			if status, body, _ := read(t, bufio.NewReader(c)); status != 200 || !strings.HasPrefix(body, tt.want) {
				t.Errorf("%s: %d %q, want %s", tt.name, status, body, tt.want)
			}
		}
	}

	// After an upgrade nothing of it is in the way.
	c := dial(t, s.Addr)
	io.WriteString(c, header2(t, proxyproto.PROXY, 0)+"GET /socket.io/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	wrapped := <-engine.hijacked
	<-engine.early
	if beneath := tcpConn(wrapped); beneath == nil {
		t.Error("the connection beneath is not handed out")
	}
	wrapped.Close()
}

func TestProxyProtocolBeforeTLS(t *testing.T) {
	s, engine, _ := startBehind(t, "127.0.0.0/8", files(t, t.TempDir(), "edge.test", time.Now().Add(time.Hour)))
	raw := dial(t, s.Addr)
	io.WriteString(raw, "PROXY TCP4 198.51.100.7 192.0.2.1 77 443\r\n")
	c := tls.Client(raw, anyServer)
	io.WriteString(c, whence)
	if status, body, _ := read(t, bufio.NewReader(c)); status != 200 || body != "198.51.100.7:77 https" {
		t.Errorf("%d %q", status, body)
	}
	io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	wrapped := <-engine.hijacked
	<-engine.early
	if sealed, _ := wrapped.(*conn).TLSConn(); sealed == nil {
		t.Error("the connection beneath is not handed out")
	}
	wrapped.Close()
}

func TestC3_ProxyHeaderRefused(t *testing.T) {
	s, engine, r := startBehind(t, "127.0.0.0/8", nil)
	long := header2(t, proxyproto.PROXY, 5000)
	for _, tt := range []struct {
		name, send, counted string
		after               time.Duration
	}{
		{"nothing", "", proxySlow, proxyTimeout},
		{"half a header", header2(t, proxyproto.PROXY, 0)[:20], proxySlow, proxyTimeout},
		{"none", whence, proxyBroken, 0},
		{"version 1, garbage", "PROXY TCP4 one two three four\r\n" + whence, proxyBroken, 0},
		{"version 1, endless", "PROXY " + strings.Repeat("x", 200), proxyBroken, 0},
		{"version 2, garbage", header2(t, proxyproto.PROXY, 0)[:12] + strings.Repeat("\xff", 40), proxyBroken, 0},
		{"version 2, 5 KB", long + whence, proxyBroken, 0},
		{"version 2, 64 KiB", long[:14] + "\xff\xff" + strings.Repeat("x", 65535), proxyBroken, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now() // before the edge can have begun to count
			c := dial(t, s.Addr)
			go io.WriteString(c, tt.send)
			b, _ := io.ReadAll(c) // or a reset, of what was not read
			if took := time.Since(begin); len(b) > 0 || took < tt.after || took > tt.after+2*time.Second {
				t.Errorf("got %q after %v", b, took)
			}
		})
	}
	t.Cleanup(func() {
		if slow, broken := r.count("tcp: "+proxySlow), r.count("tcp: "+proxyBroken); slow != 2 || broken != 6 {
			t.Errorf("%d counted as slow, %d as broken", slow, broken)
		}
		if seen := engine.requests(); len(seen) > 0 {
			t.Errorf("a handler saw %q", seen)
		}
	})
}

func TestC3_ProxyNotTrusted(t *testing.T) {
	s, engine, r := startBehind(t, "192.0.2.0/24", nil)
	c := dial(t, s.Addr)
	io.WriteString(c, "PROXY TCP4 198.51.100.7 192.0.2.1 77 443\r\n"+whence)
	if b, _ := io.ReadAll(c); len(b) > 0 || len(engine.requests()) > 0 || r.count("tcp: "+proxyUnknown) != 1 {
		t.Errorf("got %q, counted %d times", b, r.count("tcp: "+proxyUnknown))
	}
}

func TestC4_ProxyHeaderUnasked(t *testing.T) {
	s, engine := start(t, Config{})
	for name, header := range map[string]string{"version 1": "PROXY TCP4 198.51.100.7 192.0.2.1 77 443\r\n", "version 2": header2(t, proxyproto.PROXY, 0)} {
		c := dial(t, s.Addr)
		io.WriteString(c, header+whence)
		if status, _, closing := read(t, bufio.NewReader(c)); status != 400 || !closing || len(engine.requests()) > 0 {
			t.Errorf("%s: %d, closing %v", name, status, closing)
		}
	}
}
