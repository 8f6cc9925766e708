package store

// SaveSession keeps the record of a session; nil removes it.
func (s *Store) SaveSession(key uint64, record []byte) { s.Put(Sessions, "", key, record) }

// SavePacket keeps a packet of a namespace's log.
func (s *Store) SavePacket(namespace string, offset uint64, record []byte) {
	s.Put(Packets, namespace, offset, record)
}

// TrimPackets removes the packets of a namespace below an offset.
func (s *Store) TrimPackets(namespace string, below uint64) { s.Trim(Packets, namespace, below) }

// SaveNamespace keeps the record of a namespace; nil removes it and its packets.
func (s *Store) SaveNamespace(namespace string, record []byte) {
	s.Put(Namespaces, namespace, 0, record)
	if record == nil {
		s.Trim(Packets, namespace, ^uint64(0))
	}
}

// SaveEvent keeps an event for one group; nil removes it.
func (s *Store) SaveEvent(group string, offset uint64, record []byte) {
	s.Put(Events, group, offset, record)
}

// SaveGroup keeps what a group wants; nil removes it and all that was kept for it.
func (s *Store) SaveGroup(group string, record []byte) {
	s.Put(Groups, group, 0, record)
	if record == nil {
		s.Trim(Events, group, ^uint64(0))
		s.Trim(Letters, group, ^uint64(0))
		s.Trim(Settled, group, ^uint64(0))
	}
}

// SaveLetter keeps a dead letter of a group; nil removes it.
func (s *Store) SaveLetter(group string, offset uint64, record []byte) {
	s.Put(Letters, group, offset, record)
}

// SaveSettled keeps a settled event of a group; nil removes it.
func (s *Store) SaveSettled(group string, offset uint64, record []byte) {
	s.Put(Settled, group, offset, record)
}

// TrimSettled removes the settled events of a group below an offset.
func (s *Store) TrimSettled(group string, below uint64) { s.Trim(Settled, group, below) }

// LoadSettled calls f with the settled events of a group from an offset on that are on disk, in
// order, until f returns false.
func (s *Store) LoadSettled(group string, from uint64, f func(offset uint64, record []byte) bool) error {
	return s.LoadFrom(Settled, group, from, f)
}
