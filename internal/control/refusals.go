package control

// meanings says what a refusal means and what to do, by layer and reason.
var meanings = map[[2]string]string{
	{"tcp", "too many connections"}:        "max-connections is reached: raise it and the descriptors, or add an edge",
	{"tcp", "no resources to accept"}:      "the process is out of descriptors: LimitNOFILE, ulimit -n",
	{"tcp", "not a trusted proxy"}:         "proxy-protocol is on and the peer is not in trusted-proxies",
	{"tcp", "PROXY header timeout"}:        "the proxy opened a connection and sent no PROXY header",
	{"tcp", "bad PROXY header"}:            "the proxy does not speak the PROXY protocol, or another version",
	{"tls", "handshake timeout"}:           "a TLS handshake that took longer than 5s: a port scanner, or a very slow client",
	{"tls", "not TLS"}:                     "plain HTTP on the TLS port: the client's address has to begin with https",
	{"tls", "handshake failed"}:            "the client did not like the certificate, or speaks nothing as new as TLS 1.2",
	{"control", "handshake"}:               "a backend or a subcommand with another certificate, or none: who signed it? (control-client-ca-file)",
	{"control", "credential"}:              "a certificate or a token of nobody in access-file; the audit log has the peer",
	{"control", "role"}:                    "something that the roles of the caller do not allow; the audit log says who and what",
	{"control", "withdrawn"}:               "a connection whose certificate or token is not good any more, or may do something else now",
	{"socketio", "acknowledgement"}:        "an acknowledgement that nobody waits for: ignored",
	{"socketio", "rejections"}:             "a backend refused this connection too often: it was closed",
	{"http", "too many clients"}:           "max-connections is reached: raise it and the descriptors, or add an edge",
	{"http", "shutdown"}:                   "the edge drains: they come back by themselves",
	{"http", "path"}:                       "the client's path option is not the edge's path; mind the trailing slash",
	{"http", "query"}:                      "parameters given twice, too many of them, or malformed",
	{"http", "transport"}:                  "a transport that is switched off (transports), or no Socket.IO client",
	{"http", "origin"}:                     "a page of another site: name it in cors-origin",
	{"http", "jsonp"}:                      "a very old browser client: JSONP is not served",
	{"http", "transport mismatch"}:         "a request that does not fit its session: a proxy that strips Upgrade, or no Socket.IO client",
	{"http", "protocol mismatch"}:          "another EIO version than that of the session",
	{"http", "sid"}:                        "a session that this edge does not know: it was restarted (once for each client), or the balancer is not sticky",
	{"http", "method"}:                     "neither GET nor POST where these are expected",
	{"http", "handshake"}:                  "transport=websocket without an upgrade: a proxy that strips Upgrade",
	{"http", "forbidden"}:                  "the edge was told not to let it in",
	{"http", "version"}:                    "Engine.IO 3: a client of version 2; version 3 or newer is needed",
	{"polling", "overlap"}:                 "two polls at once for one session: requests sent twice by a proxy",
	{"polling", "aborted"}:                 "the client went away in the middle of its request",
	{"polling", "slow"}:                    "a body or a response that came too slowly (body-timeout, write-timeout)",
	{"polling", "content type"}:            "a body of another type than the official client's",
	{"polling", "content encoding"}:        "a compressed body",
	{"polling", "too large"}:               "a body above max-payload",
	{"polling", "timeout"}:                 "a body that did not arrive within body-timeout",
	{"polling", "utf-8"}:                   "a body that is no UTF-8",
	{"polling", "parse"}:                   "a body that is no Engine.IO payload",
	{"websocket", "handshake"}:             "a WebSocket handshake that breaks RFC 6455",
	{"websocket", "second upgrade"}:        "a second WebSocket for a session that has one",
	{"websocket", "probe"}:                 "an upgrade that did not begin with a probe",
	{"websocket", "upgrade timeout"}:       "an upgrade that took longer than upgrade-timeout; the session stays on polling",
	{"websocket", "protocol"}:              "frames that break RFC 6455",
	{"websocket", "too large"}:             "a message above max-payload",
	{"websocket", "fragments"}:             "a message in more fragments than any client makes",
	{"websocket", "control flood"}:         "more control frames than any client sends",
	{"websocket", "utf-8"}:                 "a text message that is no UTF-8",
	{"websocket", "assembly timeout"}:      "a message that did not arrive within message-timeout",
	{"websocket", "slow"}:                  "a client that accepted nothing for write-timeout",
	{"packet", "parse"}:                    "something that is no Engine.IO packet",
	{"packet", "heartbeat direction"}:      "a ping from the client: Engine.IO 3",
	{"packet", "unexpected"}:               "a packet that only the server may send",
	{"packet", "flood"}:                    "more heartbeats than any client sends",
	{"queue", "slow"}:                      "a client that reads too slowly: queue-bytes waited for it; its session is kept",
	{"socketio", "packet"}:                 "something that is no Socket.IO packet, or beyond a limit",
	{"socketio", "not connected"}:          "a packet for a namespace that the client is not in",
	{"socketio", "auth too large"}:         "its auth is above auth-bytes: it got connect_error",
	{"socketio", "namespace"}:              "nobody declares this namespace (namespaces, routes of groups), or too many on one connection: it got connect_error",
	{"socketio", "connected already"}:      "a second CONNECT to a namespace on one connection",
	{"socketio", "acknowledgement"}:        "an acknowledgement of something that was not asked",
	{"socketio", "rejections"}:             "a connection on which too many namespaces were refused",
	{"socketio", "rejected"}:               "a backend said no: it got connect_error; the backend's log says why",
	{"socketio", "no decision"}:            "no backend decided in connect-timeout: is a member attached? sio-edge groups",
	{"socketio", "no connect"}:             "it joined no namespace in connect-timeout: a port scanner, or a very slow client",
	{"socketio", "attachments timeout"}:    "binary attachments that did not come",
	{"socketio", "stray acknowledgements"}: "acknowledgements that nobody waits for, again and again",
}

// meaning says what a refusal means.
func meaning(layer, reason string) string {
	if m := meanings[[2]string{layer, reason}]; m != "" {
		return m
	}
	if layer == "http" {
		return "no HTTP as it must be: a scanner, or a broken client or proxy"
	}
	return ""
}
