package main

import (
	"fmt"

	"github.com/sio-edge/sio-edge/internal/bench"
)

// entry is a scenario and the peers that it is run with.
type entry struct {
	scenario string
	peers    []string
}

// suite is what is run to compare servers.
var suite = []entry{
	{"idle-10000", []string{"edge", "no-recovery", "tls", "node", "node-tls", "gorilla", "epoll"}},
	{"idle-15000", []string{"edge", "node"}},
	{"echo-100x10", []string{"edge", "no-recovery", "groups-3", "node", "node-grpc", "gorilla", "epoll"}},
	{"echo-1000x1", []string{"edge", "groups-3", "tls", "node", "node-tls", "node-grpc", "gorilla", "epoll"}},
	{"echo-20x1@2000", []string{"edge", "node", "node-grpc", "gorilla"}},
	{"broadcast-5000", []string{"edge", "no-recovery", "node", "gorilla", "epoll"}},
	{"broadcast-5000@3", []string{"edge", "node"}},
	{"rooms-1000x10", []string{"edge", "no-recovery", "node"}},
	{"churn-64", []string{"edge", "asked", "no-recovery", "tls", "node", "node-tls", "gorilla", "epoll"}},
	{"polling-200", []string{"edge", "node"}},
	{"upgrade-32", []string{"edge", "node"}},
	{"binary-50x2", []string{"edge", "node"}},
}

// sweep is a scenario at several sizes: one line of a plot.
type sweep struct {
	file, title, x string
	at             []float64
	entries        []string // the scenario at each
	peers          []string // the peer at each; nil: the edge
}

func (s *sweep) peerAt(i int) string {
	if s.peers == nil {
		return base
	}
	return s.peers[i]
}

var connections = []float64{1000, 2000, 5000, 10000, 15000}

// growth is what is run to see how cost grows.
var growth = []sweep{
	{"idle", "idle", "connections", connections, []string{"idle-1000", "idle-2000", "idle-5000", "idle-10000", "idle-15000"}, nil},
	{"echo", "echo, one event outstanding on each", "connections", connections, []string{"echo-1000x1", "echo-2000x1", "echo-5000x1", "echo-10000x1", "echo-15000x1"}, nil},
	{"broadcast", "broadcast to everyone", "connections", connections, []string{"broadcast-1000", "broadcast-2000", "broadcast-5000", "broadcast-10000", "broadcast-15000"}, nil},
	{"members", "echo 1,000 x 1", "members of the group", []float64{1, 2, 4, 8}, []string{"echo-1000x1", "echo-1000x1", "echo-1000x1", "echo-1000x1"}, []string{"members-1", "members-2", "members-4", "members-8"}},
	{"rooms", "events to rooms of 10", "rooms", []float64{10, 100, 1000, 10000, 100000}, []string{"rooms-10x10", "rooms-100x10", "rooms-1000x10", "rooms-10000x10", "rooms-100000x10"}, nil},
}

// goal is what a figure of the edge should reach against a peer.
type goal struct {
	scenario string
	figure   int // of the scenario's
	peer     string
	how      func(edge, peer bench.Spread, ratio float64) (says string, met bool)
}

func atLeast(want float64) func(bench.Spread, bench.Spread, float64) (string, bool) {
	return func(_, _ bench.Spread, ratio float64) (string, bool) {
		return fmt.Sprintf("≥ %g ×", want), ratio >= want
	}
}

func atMost(want float64) func(bench.Spread, bench.Spread, float64) (string, bool) {
	return func(_, _ bench.Spread, ratio float64) (string, bool) {
		return fmt.Sprintf("≤ %g ×", want), ratio <= want
	}
}

// atMostMore bounds how much the edge may need above the peer.
func atMostMore(want float64) func(bench.Spread, bench.Spread, float64) (string, bool) {
	return func(edge, peer bench.Spread, _ float64) (string, bool) {
		return fmt.Sprintf("≤ %g more", want), edge.Median-peer.Median <= want
	}
}

// below bounds the edge's figure itself.
func below(want float64) func(bench.Spread, bench.Spread, float64) (string, bool) {
	return func(edge, _ bench.Spread, _ float64) (string, bool) {
		return fmt.Sprintf("edge ≤ %g", want), edge.Median <= want
	}
}

var goals = []goal{
	{"idle-10000", 0, base, below(3200)},
	{"idle-10000", 0, "node", atMost(0.2)},
	{"idle-10000", 0, "no-recovery", atMostMore(300)},
	{"idle-10000", 1, "node", atMost(0.35)},
	{"echo-100x10", 0, "node", atLeast(3)},
	{"echo-100x10", 0, "no-recovery", atLeast(0.9)},
	{"echo-1000x1", 0, "node", atLeast(1.6)},
	{"echo-20x1@2000", 0, "node", atMostMore(150)},
	{"echo-20x1@2000", 1, "node", atMost(1)},
	{"broadcast-5000", 0, "node", atLeast(1.6)},
	{"broadcast-5000", 0, "no-recovery", atLeast(0.9)},
	{"churn-64", 0, "node", atLeast(2.5)},
}
