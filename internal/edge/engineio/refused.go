package engineio

// Refusals lists every layer and its reasons that Config.Refused can be told: what an operator
// can count.
func Refusals() map[string][]string {
	return map[string][]string{
		"http": {"path", "shutdown", "query", "transport", "origin", "jsonp", "transport mismatch",
			"protocol mismatch", "sid", "bound", "method", "handshake", "forbidden", "version"},
		"polling": {"overlap", "aborted", "slow", "content type", "content encoding", "too large", "timeout",
			"utf-8", "parse"},
		"websocket": {"handshake", "second upgrade", "probe", "upgrade timeout", "protocol", "too large",
			"fragments", "control flood", "utf-8", "assembly timeout", "slow"},
		"packet": {"parse", "heartbeat direction", "unexpected", "flood"},
		"queue":  {"slow"},
	}
}

func (s *Server) refused(layer, reason string) { s.config.Refused(layer, reason) }
