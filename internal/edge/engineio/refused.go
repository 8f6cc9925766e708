package engineio

// Refusals lists every layer and its reasons that Config.Refused can be told: what an operator
// can count.
func Refusals() map[string][]string {
	return map[string][]string{
		"http": {"path", "shutdown", "query", "transport", "origin", "jsonp", "transport mismatch",
			"protocol mismatch", "sid", "bound", "method", "handshake", "forbidden", "version", "too many handshakes",
			"address: too many", "address: too often", "address: failures", "memory"},
		"polling": {"overlap", "aborted", "slow", "content type", "content encoding", "too large", "timeout",
			"utf-8", "parse", "too often", "memory"},
		"websocket": {"handshake", "second upgrade", "probe", "upgrade timeout", "protocol", "too large",
			"fragments", "control flood", "utf-8", "assembly timeout", "slow", "memory"},
		"packet": {"parse", "heartbeat direction", "unexpected", "flood", "too fast"},
		"queue":  {"slow", "memory"},
	}
}

func (s *Server) refused(layer, reason string) { s.config.Refused(layer, reason) }
