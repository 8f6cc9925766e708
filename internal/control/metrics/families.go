package metrics

import (
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric with all its labels.
type family struct {
	name   string
	typ    string // as Prometheus calls it
	help   string
	labels []string
	desc   *prometheus.Desc
}

func define(typ, name, help string, labels ...string) *family {
	name = "sioedge_" + name
	return &family{name, typ, help, labels, prometheus.NewDesc(name, help, labels, nil)}
}

func counter(name, help string, labels ...string) *family {
	return define("counter", name, help, labels...)
}
func histogram(name, help string, labels ...string) *family {
	return define("histogram", name, help, labels...)
}
func gauge(name, help string, labels ...string) *family {
	return define("gauge", name, help, labels...)
}

// Everything that is collected, beside what the Go runtime and the process say of themselves.
var (
	info        = gauge("info", "Always 1: which edge this is.", "version", "edge_id")
	epoch       = gauge("epoch", "Grows by one each time the edge starts on its store.")
	certificate = gauge("tls_certificate_expires_seconds", "When the certificate that clients see expires, in Unix time; of certificates from files.")
	insecure    = gauge("insecure_option", "1 for each option in force that lowers the security of the edge.", "option")

	connections      = gauge("connections", "Client connections now, by what carries them.", "transport")
	connectionsLimit = gauge("connections_limit", "Connections above this number are refused (max-connections).")
	connectionsHeld  = gauge("connections_paused", "Client connections that are not read because a group is behind.")
	handshakes       = counter("handshakes_total", "Connections that were opened, by the transport they came on.", "transport")
	handshakeTime    = histogram("handshake_seconds", "From reading the request of a client to the first message of its connection.")
	connectTime      = histogram("connect_seconds", "From a client's CONNECT to its being let in, decisions of backends and the commit included.")
	flushTime        = histogram("flush_seconds", "Writing to the clients what one message of a backend made; one in eight is timed.")
	upgrades         = counter("upgrades_total", "Connections that went from polling to websocket.")
	closed           = counter("connections_closed_total", "Connections that ended, by what ended them.", "reason")
	refused          = counter("refused_total", "Requests, connections and packets that were turned away.", "layer", "reason")

	limits         = gauge("limit", "Every limit that is a number, by its key in the configuration; 0 is none.", "key")
	httpOpen       = gauge("http_connections", "Client connections that HTTP is spoken on: handshakes, and clients that poll.")
	acceptWaits    = counter("accept_waits_total", "Times that accepting a connection had to wait because those before it had not begun to be served.")
	addressesKnown = gauge("addresses", "Addresses that are counted, if address-connections or address-connections-per-second is set.")
	memoryUsed     = gauge("memory_used_bytes", "Memory that is held, by what it is for; other is what nobody charges.", "for")
	memoryShare    = gauge("memory_limit_bytes", "What it may be, all together and for what has a bound of its own.", "for")
	memoryLevel    = gauge("memory_level", "1 for how short memory is: roomy, tight (from 80 %), short (90 %) or spent (95 %).", "level")
	memoryRaised   = counter("memory_level_begun_total", "How often each level began.", "level")
	shed           = counter("shed_total", "What was given up because memory ran short.", "what")

	sessions     = gauge("sessions", "Sessions now: open, or suspended because their client is away.", "namespace", "state")
	rooms        = gauge("rooms", "Rooms with at least one session.", "namespace")
	events       = counter("events_total", "What happened to sessions, client events included, by kind.", "namespace", "kind")
	emits        = counter("emits_total", "Emits that backends sent and that were applied.", "namespace")
	recipients   = counter("emit_recipients_total", "Sessions that emits selected: written (now, or when the client is back) or dropped.", "namespace", "outcome")
	replies      = counter("replies_total", "Answers of backends to callbacks of clients.", "namespace")
	clientAcks   = counter("client_acks_total", "What became of the acknowledgements that emits asked for.", "namespace", "outcome")
	awaitedAcks  = gauge("emits_awaiting_acks", "Emits whose acknowledgements are not all there.", "namespace")
	replayed     = counter("replayed_packets_total", "Packets sent again to clients that were back.", "namespace")
	gaps         = counter("recovery_gaps_total", "Clients that were back too late for what they had missed: they saw recovered=false.", "namespace")
	logPackets   = gauge("packet_log_packets", "Packets kept for clients that are away.", "namespace")
	logBytes     = gauge("packet_log_bytes", "Their size.", "namespace")
	groupMembers = gauge("group_members", "Members of a group: attached, or expected back.", "group", "state")
	backlog      = gauge("group_backlog_events", "Events that the group has not settled.", "group")
	backlogLimit = gauge("group_backlog_limit_events", "The backlog at which the group's overflow action begins.", "group")
	backlogBytes = gauge("group_backlog_bytes", "Size of the events that the group has not settled.", "group")
	backlogAge   = gauge("group_backlog_oldest_seconds", "Age of the oldest event that the group has not settled.", "group")
	inFlight     = gauge("group_in_flight", "Deliveries that members have and have not settled.", "group")
	paused       = gauge("group_paused_clients", "Clients that are not read because the backlog of the group is full.", "group")
	deliveries   = counter("group_deliveries_total", "Deliveries to members, repeated ones included.", "group")
	redeliveries = counter("group_redeliveries_total", "Deliveries of events that had been delivered before.", "group")
	settled      = counter("group_settled_total", "Deliveries by their end: done, nacked (handed back), late (not settled in time).", "group", "outcome")
	dropped      = counter("group_dropped_events_total", "Client events that a full backlog had no room for.", "group")
	deadLetters  = counter("group_dead_letters_total", "Events that were set aside because the group could not handle them.", "group")
	total        = histogram("group_event_seconds", "From the edge's reading a client event to the group's settling it: the sum of the next two.", "group")
	wait         = histogram("group_wait_seconds", "From the edge's reading a client event to its first delivery.", "group")
	handle       = histogram("group_handle_seconds", "From the delivery of a client event to its settling: what the backend and the network take.", "group")

	panics       = counter("control_panics_total", "Calls of backends and operators that a bug in the edge ended.")
	accessStale  = gauge("access_files_stale", "1 while access-file or a certificate beside it is faulty and the former one is in force.")
	callersUntil = gauge("control_certificate_expires_seconds", "When the certificate of control-listen expires, in Unix time.")
	overQuota    = counter("commands_refused_total", "Commands refused because their backend sent more than commands-per-second.")
	commits      = counter("store_commits_total", "Commits of the store.")
	records      = counter("store_records_total", "Records that were committed.")
	failures     = counter("store_failures_total", "Commits that failed; they are tried again.")
	commitTime   = histogram("store_commit_seconds", "How long commits took, those that failed too.")
	rewrites     = counter("store_rewrites_total", "Times the file was written anew, to shrink it or to repair it.")
	replaced     = counter("store_replaced_total", "Files that turned out damaged while in use and were replaced.")
	storeBytes   = gauge("store_file_bytes", "Size of the store's file.")
	storeHealthy = gauge("store_state", "1 for the state the store is in: healthy, full or broken.", "state")
)

var families = []*family{
	info, epoch, certificate, insecure,
	connections, connectionsLimit, connectionsHeld, handshakes, handshakeTime, connectTime, flushTime, upgrades, closed, refused,
	limits, httpOpen, acceptWaits, addressesKnown, memoryUsed, memoryShare, memoryLevel, memoryRaised, shed,
	sessions, rooms, events, emits, recipients, replies, clientAcks, awaitedAcks, replayed, gaps, logPackets, logBytes,
	groupMembers, backlog, backlogLimit, backlogBytes, backlogAge, inFlight, paused, deliveries, redeliveries, settled, dropped, deadLetters, total, wait, handle,
	panics, accessStale, callersUntil, overQuota, commits, records, failures, commitTime, rewrites, replaced, storeBytes, storeHealthy,
}

// Document writes the table of all metrics for docs/metrics.md.
func Document(w io.Writer) {
	fmt.Fprintln(w, "| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |")
	for _, f := range families {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", f.name, f.typ, labels, f.help)
	}
}
