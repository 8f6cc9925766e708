package sio

// expect makes s look for the placeholders of n attachments.
func (s *scanner) expect(n int) {
	s.binary = true
	s.attachments = n
}

// complete checks that every attachment has a placeholder. One that nobody refers to is either
// a mistake or a way to make the next reader hold memory for nothing.
func (s *scanner) complete() error {
	for i := range s.attachments {
		if s.seen[i/64]>>(i%64)&1 == 0 {
			return errPlaceholders
		}
	}
	return nil
}

// placeholder scans an object that begins at i if it is exactly {"_placeholder":true,"num":N}
// with the number of an attachment, in either order. Anything else is left to be scanned as an
// object, where the key is then an error.
func (s *scanner) placeholder(i int) (next int, ok bool) {
	i++
	var flag, num bool
	var index int
	for range 2 {
		i = s.space(i)
		if i >= len(s.b) || s.b[i] != '"' {
			return 0, false
		}
		end, escaped, err := s.str(i)
		if err != nil {
			return 0, false
		}
		key := token{i, end, escaped}
		i = s.space(end)
		if i >= len(s.b) || s.b[i] != ':' {
			return 0, false
		}
		i = s.space(i + 1)
		switch {
		case !flag && key.is(s.b, "_placeholder"):
			flag = true
			if i, err = s.literal(i, "true"); err != nil {
				return 0, false
			}
		case !num && key.is(s.b, "num"):
			num = true
			if i, index, ok = s.index(i); !ok {
				return 0, false
			}
		default:
			return 0, false
		}
		i = s.space(i)
		if i >= len(s.b) || s.b[i] != ',' && s.b[i] != '}' {
			return 0, false
		}
		// A comma after the first, a brace after the second.
		if (s.b[i] == '}') != (flag && num) {
			return 0, false
		}
		i++
	}
	s.seen[index/64] |= 1 << (index % 64)
	return i, true
}

// index scans the number of an attachment: digits and nothing else, as encoders write it.
func (s *scanner) index(i int) (next, index int, ok bool) {
	next = s.digits(i)
	if next == i || s.b[i] == '0' && next > i+1 {
		return 0, 0, false
	}
	for _, c := range s.b[i:next] {
		index = index*10 + int(c-'0')
		if index >= s.attachments {
			return 0, 0, false
		}
	}
	return next, index, true
}
