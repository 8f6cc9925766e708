package sio

// Decoder puts the packets of one connection together. The zero value is ready, and small while
// no attachments are awaited. It is not safe for concurrent use.
type Decoder struct {
	// Limits may be shared by any number of Decoders and is not changed. Nil means
	// DefaultLimits.
	Limits *Limits

	pending *assembly
}

// assembly is a packet whose attachments are on their way.
type assembly struct {
	packet  Packet
	missing int
	bytes   int
}

// Pending reports whether attachments are awaited.
func (d *Decoder) Pending() bool { return d.pending != nil }

// Held is how many bytes wait for attachments.
func (d *Decoder) Held() int {
	if d.pending == nil {
		return 0
	}
	return len(d.pending.packet.Data) + d.pending.bytes
}

// Text takes the text of a packet, without the type of Engine.IO. It takes ownership of b, writes
// into it, and the Packet refers to it.
//
// If attachments follow, the packet is not complete; it is returned all the same, so that the
// caller can refuse it before they arrive. After an error nothing is pending and the connection
// should be closed, except after ErrAuthTooLarge; the Packet has no more than the Type and the
// Namespace then.
func (d *Decoder) Text(b []byte) (p Packet, complete bool, err error) {
	if d.pending != nil {
		d.pending = nil
		return Packet{}, false, errText
	}
	p, attachments, err := parse(b, d.Limits.orDefaults())
	if err != nil {
		return Packet{Type: p.Type, Namespace: p.Namespace}, false, err
	}
	if attachments == 0 {
		return p, true, nil
	}
	d.pending = &assembly{packet: p, missing: attachments}
	return p, false, nil
}

// Binary takes an attachment and keeps b. With the last one it returns the packet.
func (d *Decoder) Binary(b []byte) (p Packet, complete bool, err error) {
	a := d.pending
	if a == nil {
		return Packet{}, false, errBinary
	}
	a.bytes += len(b)
	if a.bytes > d.Limits.orDefaults().AttachmentBytes {
		d.pending = nil
		return Packet{}, false, ErrAttachmentsTooLarge
	}
	// Nobody will look at an answer to nothing.
	if a.packet.Type != Ack || a.packet.HasID {
		if a.packet.Attachments == nil {
			a.packet.Attachments = make([][]byte, 0, a.missing)
		}
		a.packet.Attachments = append(a.packet.Attachments, b)
	}
	a.missing--
	if a.missing > 0 {
		return Packet{}, false, nil
	}
	d.pending = nil
	return a.packet, true, nil
}
