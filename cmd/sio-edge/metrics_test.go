package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sio-edge/sio-edge/internal/control/metrics"
)

// scrape reads /metrics: the value of each series as it is written there.
func (p *process) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	series := make(map[string]float64)
	for line := range strings.Lines(p.get(t, p.ops+"/metrics")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		series[line[:i]] = v
	}
	return series
}

// What /metrics of a running edge says after traffic that is known.
func TestMetrics(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	p := startEdge(t, append(certify(t, t.TempDir(), "edge.test"), "--max-connections", "5000", "--namespaces", "/,/room-*", "--pprof", "--cors-origin", "*")...)
	release := p.backend(t)
	a, b := p.join(t), p.join(t)
	a.send(`420["sum",1,2]`)
	a.want(`430[3]`)
	for range 3 {
		a.send(`42["say","hi"]`)
		a.want(`42["said","hi"`)
		b.want(`42["said","hi"`)
	}
	made := p.connect(t)
	for _, name := range []string{"/room-1", "/room-2"} {
		made.WriteMessage(1, []byte("40"+name+","))
		made.ReadMessage()
	}
	refused := p.connect(t)
	refused.WriteMessage(1, []byte(`40{"token":"bad"}`))
	refused.ReadMessage()
	refused.WriteMessage(1, []byte("42{"))
	refused.ReadMessage()
	p.get(t, p.clients+"/socket.io/?EIO=3&transport=polling")
	p.get(t, p.clients+"/socket.io/?EIO=4&transport=polling") // a session
	b.conn.Close()
	a.send(`42["stall"]`)

	want := map[string]float64{
		`sioedge_connections{transport="websocket"}`:                     2,
		`sioedge_connections{transport="polling"}`:                       1,
		`sioedge_connections_limit`:                                      5000,
		`sioedge_connections_paused`:                                     0,
		`sioedge_handshakes_total{transport="websocket"}`:                4,
		`sioedge_handshakes_total{transport="polling"}`:                  1,
		`sioedge_upgrades_total`:                                         0,
		`sioedge_connections_closed_total{reason="forced close"}`:        1,
		`sioedge_refused_total{layer="http",reason="version"}`:           1,
		`sioedge_refused_total{layer="socketio",reason="rejected"}`:      1,
		`sioedge_refused_total{layer="socketio",reason="packet"}`:        1,
		`sioedge_sessions{namespace="/",state="open"}`:                   1,
		`sioedge_sessions{namespace="/",state="suspended"}`:              1,
		`sioedge_sessions{namespace="other",state="open"}`:               2,
		`sioedge_rooms{namespace="/"}`:                                   1,
		`sioedge_events_total{kind="connect_requested",namespace="/"}`:   3,
		`sioedge_events_total{kind="opened",namespace="/"}`:              2,
		`sioedge_events_total{kind="opened",namespace="other"}`:          2,
		`sioedge_events_total{kind="client_event",namespace="/"}`:        5,
		`sioedge_events_total{kind="suspended",namespace="/"}`:           1,
		`sioedge_emits_total{namespace="/"}`:                             3,
		`sioedge_emit_recipients_total{namespace="/",outcome="written"}`: 6,
		`sioedge_emit_recipients_total{namespace="/",outcome="dropped"}`: 0,
		`sioedge_replies_total{namespace="/"}`:                           1,
		`sioedge_packet_log_packets{namespace="/"}`:                      3,
		`sioedge_group_members{group="chat",state="attached"}`:           1,
		`sioedge_group_members{group="chat",state="away"}`:               0,
		`sioedge_group_backlog_events{group="chat"}`:                     1,
		`sioedge_group_in_flight{group="chat"}`:                          1,
		`sioedge_group_backlog_limit_events{group="chat"}`:               100000,
		`sioedge_group_deliveries_total{group="chat"}`:                   11, // 3 requests, 2 opened, 1 suspended, 5 events
		`sioedge_group_redeliveries_total{group="chat"}`:                 0,
		`sioedge_group_settled_total{group="chat",outcome="done"}`:       10,
		`sioedge_group_event_seconds_count{group="chat"}`:                4,
		`sioedge_group_event_seconds_bucket{group="chat",le="+Inf"}`:     4,
		`sioedge_group_dead_letters_total{group="chat"}`:                 0,
		`sioedge_store_state{state="healthy"}`:                           1,
		`sioedge_insecure_option{option="pprof"}`:                        1,
		`sioedge_insecure_option{option="cors-origin"}`:                  1,
		`sioedge_epoch`: 1,
	}
	var got map[string]float64
	deadline := func() bool {
		got = p.scrape(t)
		for name, v := range want {
			if g, ok := got[name]; !ok || g != v {
				return false
			}
		}
		return true
	}
	defer func() {
		for name, v := range want {
			if g, ok := got[name]; !ok || g != v {
				t.Errorf("%s = %v (there: %v), want %v", name, g, ok, v)
			}
		}
	}()
	eventually(t, "the figures", deadline)
	for _, name := range []string{"sioedge_store_commits_total", "sioedge_store_file_bytes", "sioedge_packet_log_bytes{namespace=\"/\"}", "go_goroutines", "process_open_fds",
		`sioedge_group_backlog_oldest_seconds{group="chat"}`, `sioedge_group_event_seconds_sum{group="chat"}`} {
		if got[name] <= 0 {
			t.Errorf("%s = %v", name, got[name])
		}
	}
	release()
	eventually(t, "the backlog is settled", func() bool { return p.scrape(t)[`sioedge_group_backlog_events{group="chat"}`] == 0 })

	// Whatever is there is documented, and the other way round.
	var doc strings.Builder
	metrics.Document(&doc)
	there := make(map[string]bool)
	for name := range got {
		name, _, _ = strings.Cut(name, "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		there[name] = true
	}
	for line := range strings.Lines(doc.String()) {
		if cells := strings.Split(line, "`"); len(cells) > 1 && !there[cells[1]] && cells[1] != "sioedge_control_certificate_expires_seconds" { // see TestASecuredEdge
			t.Errorf("%s is documented and not there", cells[1])
		}
	}
	for name := range there {
		if strings.HasPrefix(name, "sioedge_") && !slices.Contains(strings.Split(doc.String(), "`"), name) {
			t.Errorf("%s is there and not documented", name)
		}
	}
}
