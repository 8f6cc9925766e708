package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type serveCmd struct {
	Settings settings `embed:""`
}

// Run runs the edge until SIGTERM or SIGINT, which begin the drain. A second one ends the
// process at once, as it would any other.
func (serveCmd) Run(flags flagValues) error {
	s, err := load(flags, os.Environ)
	if err != nil {
		return configError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, s, logger(s, os.Stderr), os.Stdout)
}

func logger(s settings, f *os.File) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(s.LogLevel)) // checked by relations
	options := &slog.HandlerOptions{Level: level}
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	if s.LogFormat == "json" || s.LogFormat == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(f, options))
	}
	return slog.New(slog.NewTextHandler(f, options))
}

// banner says where everything is: the first thing that anyone reads of an edge.
func banner(w io.Writer, s settings, clients, backends, ops net.Addr, store string) {
	fmt.Fprintf(w, "sio-edge %s   clients http://%s%s", version, dialable(clients), s.Path)
	if backends != nil {
		fmt.Fprintf(w, "   backends %s", dialable(backends))
	}
	if ops != nil {
		fmt.Fprintf(w, "   ops http://%s", dialable(ops))
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
