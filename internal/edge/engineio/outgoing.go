package engineio

// gatherLocked returns what is to go out next, or nil. What consists of several pieces is put
// together in the buffer that scratch lends. Whoever calls it tells wroteLocked.
//
// The order is: the rest of a message that is out in part, ctl, the other messages, bye. What is
// in ctl can thus only be out in part between two messages.
func (c *conn) gatherLocked(scratch func() []byte) []byte {
	q := c.sock.out
	if c.probing {
		q = nil // belongs to polling
	}
	var first []byte // the rest of a message comes before ctl
	var more []*Message
	if q != nil {
		more = q.pending()
		if q.offset > 0 {
			first, more = more[0].frames[q.offset:], more[1:]
		}
	}
	if c.bye != nil && len(more) == 0 {
		c.ctl = append(c.ctl, c.bye...)
		c.bye = nil
		c.closing = true
	}
	pieces := len(more)
	if first != nil {
		pieces++
	}
	if len(c.ctl) > 0 {
		pieces++
	}
	if pieces == 0 {
		return nil
	}
	if pieces == 1 {
		switch {
		case first != nil:
			return first
		case len(c.ctl) > 0:
			return c.ctl
		}
		return more[0].frames
	}
	out := scratch()[:0]
	fits := func(b []byte) bool { return len(out)+len(b) <= cap(out) }
	if first != nil {
		if !fits(first) {
			return first
		}
		out = append(out, first...)
	}
	if len(c.ctl) > 0 {
		if !fits(c.ctl) {
			return out // never empty: ctl alone always fits
		}
		out = append(out, c.ctl...)
	}
	for _, m := range more {
		if !fits(m.frames) {
			if len(out) == 0 {
				return m.frames
			}
			break
		}
		out = append(out, m.frames...)
	}
	return out
}

// wroteLocked takes the first n bytes out of what gatherLocked returned. over says that nobody
// looks at them any more.
func (c *conn) wroteLocked(n int, over bool) {
	q := c.sock.out
	for n > 0 {
		if len(c.ctl) > 0 && (c.probing || q == nil || q.offset == 0) {
			k := min(n, len(c.ctl))
			c.pongs = 0
			if c.ctl = c.ctl[k:]; len(c.ctl) == 0 {
				c.ctl = nil
			}
			n -= k
			continue
		}
		rest := len(q.messages[q.first].frames) - q.offset
		if n < rest {
			q.offset += n
			return
		}
		n -= rest
		q.pop(over)
	}
	if !c.probing && q != nil && q.empty() {
		q.recycle()
		c.sock.out = nil
	}
}
