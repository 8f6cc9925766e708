package engineio

// Socket is one session with a client, whichever transport carries it now.
type Socket struct {
	SID       string     // static
	Handshake *Handshake // static
	Peer      any        // owned by the Handler
}

// Queue adds a message to what the client is to receive, without blocking and without I/O; Flush
// sends it. It returns false if the message was dropped: the Socket is closed, or the message is
// volatile and nobody can take it now. A client that lets more than Config.MaxQueuedBytes or
// Config.MaxQueuedPackets pile up is closed as a SlowConsumer.
func (s *Socket) Queue(m *Message, volatile bool) bool { return false }

// Flush sends what is queued, with as few system calls as possible. It never blocks.
func (s *Socket) Flush() {}

// Close flushes what is queued, then closes. It never blocks; only the first call counts.
func (s *Socket) Close(r Reason) {}

// Pause stops reading from the client. A Socket that stays paused is closed as Stalled.
func (s *Socket) Pause() {}

// Unpause reads on.
func (s *Socket) Unpause() {}

// Transport is the name of the transport that carries the Socket now.
func (s *Socket) Transport() string { return "" }
