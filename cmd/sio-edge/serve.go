package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
)

type serveCmd struct {
	Settings settings `embed:""`
}

// Help is shown by --help.
func (serveCmd) Help() string {
	return `Every setting is a flag, a line of the --config file (ping-interval: 25s) and an environment variable
(SIO_EDGE_PING_INTERVAL=25s). SIGTERM drains, a second one ends at once; SIGHUP reads the configuration again.

Examples:
  sio-edge
  sio-edge --listen :3000 --data-dir /var/lib/sio-edge
  sio-edge serve --config /etc/sio-edge/edge.yaml`
}

// Run runs the edge until SIGTERM or SIGINT, which begin the drain. A second one ends the
// process at once, as it would any other. SIGHUP reads the configuration again, but where it says
// that the terminal has gone on which the edge was started: that ends it like SIGTERM.
func (serveCmd) Run(flags flagValues) error {
	l, err := newLive(func() (settings, error) { return load(flags, os.Environ) })
	if err != nil {
		return configError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	ctx, l.end = context.WithCancel(ctx)
	defer l.end()
	if term.IsTerminal(os.Stderr.Fd()) {
		l.orphaned = func() bool { return !term.IsTerminal(os.Stderr.Fd()) }
	}
	return run(ctx, l, logger(*l.now.Load(), l.level, os.Stderr), os.Stdout)
}

// banner says where everything is: the first thing that anyone reads of an edge.
func banner(w io.Writer, s settings, clients, backends, ops net.Addr, store string) {
	scheme := "http"
	if s.secure() {
		scheme = "https"
	}
	fmt.Fprintf(w, "sio-edge %s   clients %s://%s%s", version, scheme, dialable(clients), s.Path)
	if backends != nil {
		fmt.Fprintf(w, "   backends %s", dialable(backends))
	}
	if ops != nil {
		scheme := "http"
		if s.OpsTls {
			scheme = "https"
		}
		fmt.Fprintf(w, "   ops %s://%s", scheme, dialable(ops))
	}
	recovery := "off"
	if s.RecoveryWindow > 0 {
		recovery = time.Duration(s.RecoveryWindow).String()
	}
	fmt.Fprintf(w, "\n%*sstore %s   recovery %s\n", len("sio-edge "+version+"   "), "", store, recovery)
}

// dialable is an address that works in a browser on this machine.
func dialable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
