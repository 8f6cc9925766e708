package sioedge

// Held is how many sockets the Edge keeps, those that no caller sees too.
func (e *Edge) Held() int {
	e.table.mu.RLock()
	defer e.table.mu.RUnlock()
	return len(e.table.sessions) + len(e.table.connecting)
}
