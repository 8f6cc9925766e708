package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// bed is where servers run.
type bed struct {
	bin  string // directory of our programs
	node string // of the official server
	ping time.Duration
}

// server is a running server with whatever it needs.
type server struct {
	addr string
	*process
	others []*process
	dir    string // of its store
	ca     string // file of who signed its certificate, empty without TLS
}

func (s *server) close() {
	for _, p := range s.others {
		p.stop()
	}
	if s.process != nil {
		s.stop()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// peer is a kind of server.
type peer struct {
	name, is string
	start    func(ctx context.Context, b *bed, s *server) error
}

// base is the peer that all others are compared with, but for what is not the edge's own: that is
// compared with an edge in the same circumstances.
const base = "edge"

func baseOf(peer string) string {
	if peer == "node-tls" {
		return "tls"
	}
	return base
}

var peers = []peer{
	{base, "sio-edge as it comes: recovery and store on, a Go backend in one process", edge{}.start},
	{"no-recovery", "the same with --recovery-window 0", edge{flags: []string{"--recovery-window", "0"}}.start},
	{"asked", "the same with a backend that decides about every connect and greets", edge{greet: true}.start},
	{"groups-3", "the same with two more groups that take every event", edge{observers: 2}.start},
	{"members-1", "the same with one process in the group", edge{members: 1}.start},
	{"members-2", "the same with 2 processes in the group", edge{members: 2}.start},
	{"members-4", "the same with 4 processes in the group", edge{members: 4}.start},
	{"members-8", "the same with 8 processes in the group", edge{members: 8}.start},
	{"tls", "the same over TLS", edge{tls: true}.start},
	{"node", "socket.io 4.8.4, the application in its process", startNode},
	{"node-tls", "the same over TLS", startNodeTLS},
	{"node-grpc", "socket.io 4.8.4, every event a unary gRPC call to a Go backend", startNodeGRPC},
	{"gorilla", "a limit: gorilla/websocket, a goroutine for each connection, protocols faked", limit("gorilla")},
	{"epoll", "a limit: one bare epoll loop, protocols faked", limit("epoll")},
}

func findPeer(name string) (peer, error) {
	for _, p := range peers {
		if p.name == name {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("there is no peer %q", name)
}

// launch starts the peer and waits until it serves.
func (p peer) launch(ctx context.Context, b *bed) (*server, error) {
	s := new(server)
	var err error
	if s.addr, err = freeAddr(); err == nil {
		err = p.start(ctx, b, s)
	}
	if err == nil {
		err = s.answers(ctx, s.addr)
	}
	if err != nil {
		s.close()
		output := ""
		if s.process != nil {
			output = s.output.String()
		}
		return nil, fmt.Errorf("%s: %w\n%s", p.name, err, output)
	}
	return s, nil
}

// edge is one way to run it.
type edge struct {
	flags     []string
	greet     bool
	members   int // of the group that answers; 0 is 1
	observers int // groups that take every event
	tls       bool
}

func (e edge) start(ctx context.Context, b *bed, s *server) error {
	control, err := freeAddr()
	if err != nil {
		return err
	}
	ops, err := freeAddr()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "sio-edge-bench"); err != nil {
		return err
	}
	args := append([]string{"--listen", s.addr, "--control-listen", control, "--ops-listen", ops, "--pprof",
		"--data-dir", s.dir, "--ping-interval", b.ping.String(), "--log-level", "warn"}, e.flags...)
	if e.tls {
		cert, key, err := s.certify(ctx, b)
		if err != nil {
			return err
		}
		args = append(args, "--tls-cert-file", cert, "--tls-key-file", key)
	}
	if s.process, err = start(ctx, serverCPU, filepath.Join(b.bin, "sio-edge"), args...); err != nil {
		return err
	}
	if err := s.answers(ctx, control); err != nil {
		return err
	}
	members := max(e.members, 1)
	for i := range members + e.observers {
		args := []string{"--edge", control, "--member", "m" + strconv.Itoa(i), "--greet=" + strconv.FormatBool(e.greet)}
		if i >= members {
			args = append(args, "--observe", "--group", "observer-"+strconv.Itoa(i))
		}
		p, err := start(ctx, otherCPU, filepath.Join(b.bin, "conformance"), args...)
		if err != nil {
			return err
		}
		s.others = append(s.others, p)
	}
	return eventually(ctx, func() error { return attached(ctx, ops, members+e.observers) })
}

// attached asks the edge whether all members of its groups are there.
func attached(ctx context.Context, ops string, want int) error {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+ops+"/sioedge.v1.AdminService/ListGroups", bytes.NewReader([]byte("{}")))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Groups []struct{ Members []struct{} }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	have := 0
	for _, g := range answer.Groups {
		have += len(g.Members)
	}
	if have != want {
		return errors.New("backends do not attach")
	}
	return nil
}

// certify makes a certificate for the server, in its directory.
func (s *server) certify(ctx context.Context, b *bed) (cert, key string, err error) {
	err = run(ctx, ".", io.Discard, filepath.Join(b.bin, "sio-edge"), "certs", "--dir", s.dir)
	s.ca = filepath.Join(s.dir, "ca.crt")
	return filepath.Join(s.dir, "edge.crt"), filepath.Join(s.dir, "edge.key"), err
}

func startNode(ctx context.Context, b *bed, s *server) error { return node(ctx, b, s) }

func startNodeTLS(ctx context.Context, b *bed, s *server) (err error) {
	if s.dir, err = os.MkdirTemp("", "sio-edge-bench"); err != nil {
		return err
	}
	cert, key, err := s.certify(ctx, b)
	if err != nil {
		return err
	}
	return node(ctx, b, s, "--cert", cert, "--key", key)
}

func node(ctx context.Context, b *bed, s *server, args ...string) (err error) {
	s.process, err = start(ctx, serverCPU, "node", append([]string{filepath.Join(b.node, "server.js"),
		"--listen", s.addr, "--ping-interval", strconv.FormatInt(b.ping.Milliseconds(), 10)}, args...)...)
	return err
}

func startNodeGRPC(ctx context.Context, b *bed, s *server) error {
	backend, err := freeAddr()
	if err != nil {
		return err
	}
	p, err := start(ctx, otherCPU, filepath.Join(b.bin, "unary"), "--listen", backend)
	if err != nil {
		return err
	}
	s.others = append(s.others, p)
	if err := p.answers(ctx, backend); err != nil {
		return err
	}
	return node(ctx, b, s, "--backend", backend)
}

func limit(name string) func(context.Context, *bed, *server) error {
	return func(ctx context.Context, b *bed, s *server) (err error) {
		s.process, err = start(ctx, serverCPU, filepath.Join(b.bin, name), "--listen", s.addr, "--ping-interval", b.ping.String())
		return err
	}
}
