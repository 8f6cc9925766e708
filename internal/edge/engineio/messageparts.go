package engineio

// Text is the packet that NewMessage was given, nil for a message without one. The bytes are
// shared.
func (m *Message) Text() []byte {
	if m.text == nil {
		return nil
	}
	return m.text[1:]
}

// Attachments are those that NewMessage was given. The bytes are shared.
func (m *Message) Attachments() [][]byte { return m.attachments }
