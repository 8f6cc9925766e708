package sio

import "bytes"

// maxID is the highest ack id that every client can hold: 2^53-1, since some only have doubles.
const (
	maxID       = 1<<53 - 1
	maxIDDigits = 16
)

// parse parses the text of a packet and tells how many attachments follow it:
//
//	<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
func parse(b []byte, l *Limits) (p Packet, attachments int, err error) {
	if len(b) == 0 {
		return p, 0, errEmpty
	}
	t := Type(b[0] - '0')
	if t > BinaryAck {
		return p, 0, unknownType(b[0])
	}
	p.Type = t
	i := 1
	s := scanner{b: b, depth: l.Depth}
	if p.Type >= BinaryEvent {
		p.Type -= BinaryEvent - Event
		if attachments, i, err = parseCount(b, i, l); err != nil {
			return p, 0, err
		}
		s.expect(attachments)
	}
	if p.Namespace, i, err = parseNamespace(b, i, l); err != nil {
		return p, 0, err
	}
	switch p.Type {
	case Connect:
		p.Data, err = parseAuth(&s, i, l)
	case Disconnect:
		if i < len(b) {
			err = errPayload
		}
	case Event:
		if err = parseID(&p, &s, &i); err == nil {
			err = parseEvent(&p, &s, i, l)
		}
	case Ack:
		if err = parseID(&p, &s, &i); err == nil {
			err = parseAck(&p, &s, i, l)
		}
	default:
		err = errConnectError
	}
	if err == nil {
		err = s.complete()
	}
	if err == errSyntax {
		err = errPayload // the words of the reference
	}
	return p, attachments, err
}

// parseCount parses the number of attachments and its dash.
func parseCount(b []byte, i int, l *Limits) (n, next int, err error) {
	start := i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if n <= maxAttachments {
			n = n*10 + int(b[i]-'0')
		}
	}
	if i == start || i == len(b) || b[i] != '-' {
		return 0, 0, errCount
	}
	if n > l.Attachments || n > maxAttachments {
		return 0, 0, errTooMany
	}
	return n, i + 1, nil
}

// parseNamespace parses the namespace, if there is one, and its comma, which may be missing at
// the end of a packet.
func parseNamespace(b []byte, i int, l *Limits) (name []byte, next int, err error) {
	if i == len(b) || b[i] != '/' {
		return nil, i, nil
	}
	name = b[i:]
	// Not further than a name can reach: nobody searches a megabyte for a comma.
	comma := bytes.IndexByte(name[:min(len(name), l.Namespace+1)], ',')
	switch {
	case comma >= 0:
		name = name[:comma:comma]
		next = i + comma + 1
	case len(name) > l.Namespace:
		return nil, 0, errNamespace
	default:
		next = len(b)
	}
	if len(name) == 1 {
		name = nil
	}
	return name, next, nil
}

// parseID parses the ack id of an Event or Ack, if there is one.
func parseID(p *Packet, s *scanner, i *int) error {
	start := *i
	end := start
	for ; end < len(s.b) && s.b[end]-'0' <= 9; end++ {
		if end-start == maxIDDigits {
			return errID
		}
		p.ID = p.ID*10 + uint64(s.b[end]-'0')
	}
	if p.ID > maxID {
		return errID
	}
	p.HasID = end > start
	*i = end
	return nil
}

// parseAuth parses what a Connect carries: an object, or nothing.
func parseAuth(s *scanner, i int, l *Limits) ([]byte, error) {
	if i == len(s.b) {
		return nil, nil
	}
	if s.b[i] != '{' {
		return nil, errPayload
	}
	if len(s.b)-i > l.Auth {
		return nil, ErrAuthTooLarge
	}
	end, err := s.object(i)
	if err == errDepth {
		return nil, ErrAuthTooLarge
	}
	if err == nil {
		err = s.end(end)
	}
	if err != nil {
		return nil, err
	}
	return s.b[i:end:end], nil
}

// parseEvent parses the name of an event and checks its arguments.
func parseEvent(p *Packet, s *scanner, i int, l *Limits) (err error) {
	b := s.b
	if i == len(b) || b[i] != '[' {
		return errPayload
	}
	i = s.space(i + 1)
	if i == len(b) {
		return errPayload
	}
	name := token{start: i}
	switch {
	case b[i] == '"':
		if name.end, name.escaped, err = s.str(i); err != nil {
			return err
		}
		p.Name = name.raw(b)
		if name.escaped {
			p.Name = unescape(p.Name[:0], p.Name) // in place
		}
		if len(p.Name) <= len("removeListener") && Reserved(string(p.Name)) {
			return errPayload
		}
	case b[i] == '-' || b[i]-'0' <= 9:
		if name.end, err = s.number(i); err != nil {
			return err
		}
		p.Name = b[i:name.end]
		p.NumericName = true
	default:
		return errPayload
	}
	if len(p.Name) > l.Name {
		return errName
	}
	p.Name = p.Name[:len(p.Name):len(p.Name)]

	i = s.space(name.end)
	if i == len(b) {
		return errPayload
	}
	open, end := i, i+1
	switch b[i] {
	case ',':
		// The arguments become an array of their own where they are.
		if end, err = s.elements(i+1, l.Args); err != nil {
			return err
		}
		b[open] = '['
		p.Data = b[open:end:end]
	case ']':
		if p.NumericName {
			p.Data = []byte{'[', ']'}
			break
		}
		open = name.end - 1 // the quote, which Name does not hold
		b[open] = '['
		p.Data = b[open:end:end]
	default:
		return errPayload
	}
	return s.end(end)
}

// parseAck parses the answer to an event. One without an id answers nothing, and does not need
// to say anything either: the reference ignores it.
func parseAck(p *Packet, s *scanner, i int, l *Limits) error {
	if i == len(s.b) && !p.HasID {
		return nil
	}
	if i == len(s.b) || s.b[i] != '[' {
		return errPayload
	}
	end, err := s.array(i, l.Args)
	if err != nil {
		return err
	}
	p.Data = s.b[i:end:end]
	return s.end(end)
}
