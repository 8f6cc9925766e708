package sio

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth and maxAttachments bound the state that a scanner keeps, whatever the Limits say.
const (
	maxDepth       = 1024
	maxAttachments = 1024
)

// scanner checks JSON in one linear pass, without recursion and without memory of its own. Its
// methods take the index where something begins and return the index after it.
//
// It is as strict as RFC 8259, except for UTF-8, which was checked before.
type scanner struct {
	b     []byte
	depth int // how many arrays and objects may be inside each other

	objects [maxDepth / 64]uint64 // a bit for each level inside value: an object, or else an array

	// Of a packet with attachments.
	binary      bool // objects with the key _placeholder are placeholders
	attachments int
	seen        [maxAttachments / 64]uint64 // a bit for each attachment that has a placeholder
}

// space skips white space.
func (s *scanner) space(i int) int {
	for i < len(s.b) && (s.b[i] == ' ' || s.b[i] == '\n' || s.b[i] == '\r' || s.b[i] == '\t') {
		i++
	}
	return i
}

// end checks that nothing but white space is left.
func (s *scanner) end(i int) error {
	if s.space(i) != len(s.b) {
		return errSyntax
	}
	return nil
}

// value scans one value, with the white space before it, that is inside one array or object.
func (s *scanner) value(i int) (int, error) {
	b := s.b
	depth := 1
	for {
		i = s.space(i)
		if i >= len(b) {
			return 0, errSyntax
		}
		var err error
		switch c := b[i]; c {
		case '"':
			i, _, err = s.str(i)
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			i, err = s.number(i)
		case 't':
			i, err = s.literal(i, "true")
		case 'f':
			i, err = s.literal(i, "false")
		case 'n':
			i, err = s.literal(i, "null")
		case '{', '[':
			if depth >= s.depth || depth >= maxDepth {
				return 0, errDepth
			}
			if c == '{' && s.binary {
				if end, ok := s.placeholder(i); ok {
					i = end
					break
				}
			}
			first := s.space(i + 1)
			if first < len(b) && b[first] == c+2 { // '}' and ']' are two after their openings
				i = first + 1
				break
			}
			word, bit := depth/64, uint64(1)<<(depth%64)
			depth++
			if c == '[' {
				s.objects[word] &^= bit
				i = first
				continue
			}
			s.objects[word] |= bit
			if i, _, err = s.key(first); err == nil {
				continue
			}
		default:
			return 0, errSyntax
		}
		if err != nil {
			return 0, err
		}

		// A value ended at i, and perhaps what it is in.
		for {
			if depth == 1 {
				return i, nil
			}
			i = s.space(i)
			if i >= len(b) {
				return 0, errSyntax
			}
			inObject := s.objects[(depth-1)/64]>>((depth-1)%64)&1 != 0
			if c := b[i]; c == ',' {
				i++
				if inObject {
					if i, _, err = s.key(i); err != nil {
						return 0, err
					}
				}
				break
			} else if inObject && c != '}' || !inObject && c != ']' {
				return 0, errSyntax
			}
			depth--
			i++
		}
	}
}

// elements scans the values of an array after its opening bracket or one of its commas, and its
// closing bracket. At most limit of them are allowed.
func (s *scanner) elements(i, limit int) (int, error) {
	for n := 1; ; n++ {
		if n > limit {
			return 0, errArgs
		}
		var err error
		if i, err = s.value(i); err != nil {
			return 0, err
		}
		i = s.space(i)
		if i >= len(s.b) {
			return 0, errSyntax
		}
		switch s.b[i] {
		case ']':
			return i + 1, nil
		case ',':
			i++
		default:
			return 0, errSyntax
		}
	}
}

// array scans an array that begins at i. At most limit values are allowed in it.
func (s *scanner) array(i, limit int) (int, error) {
	if first := s.space(i + 1); first < len(s.b) && s.b[first] == ']' {
		return first + 1, nil
	}
	return s.elements(i+1, limit)
}

// key scans the key of an object with the white space around it and the colon, and returns where
// it is, quotes included.
func (s *scanner) key(i int) (next int, key token, err error) {
	i = s.space(i)
	if i >= len(s.b) || s.b[i] != '"' {
		return 0, token{}, errSyntax
	}
	end, escaped, err := s.str(i)
	if err != nil {
		return 0, token{}, err
	}
	key = token{i, end, escaped}
	// A placeholder that is none was not skipped as one.
	if s.binary && key.is(s.b, "_placeholder") {
		return 0, token{}, errPlaceholders
	}
	i = s.space(end)
	if i >= len(s.b) || s.b[i] != ':' {
		return 0, token{}, errSyntax
	}
	return i + 1, key, nil
}

// str scans a string that begins at i and tells whether it has escapes.
func (s *scanner) str(i int) (next int, escaped bool, err error) {
	b := s.b
	i++
	for {
		// Eight bytes at a time, up to one that is not plain. Each of the three terms has the
		// high bit of a byte set if it is the one looked for; bits above the lowest one set may
		// be wrong, since a subtraction borrows from the next byte, but that one is right.
		for i+8 <= len(b) {
			const ones, highs = 0x0101010101010101, 0x8080808080808080
			w := binary.LittleEndian.Uint64(b[i:])
			quote := w ^ ones*'"'
			slash := w ^ ones*'\\'
			special := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return 0, false, errSyntax
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			escaped = true
			if i+1 >= len(b) {
				return 0, false, errSyntax
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if i+6 > len(b) {
					return 0, false, errSyntax
				}
				if _, ok := hex4(b[i+2:]); !ok {
					return 0, false, errSyntax
				}
				i += 6
			default:
				return 0, false, errSyntax
			}
		case c < 0x20:
			return 0, false, errSyntax
		default:
			i++
		}
	}
}

// number scans a number that begins at i.
func (s *scanner) number(i int) (int, error) {
	b := s.b
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if next := s.digits(i); next > i {
		i = next
	} else {
		return 0, errSyntax
	}
	if i < len(b) && b[i] == '.' {
		next := s.digits(i + 1)
		if next == i+1 {
			return 0, errSyntax
		}
		i = next
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		next := s.digits(i)
		if next == i {
			return 0, errSyntax
		}
		i = next
	}
	return i, nil
}

// digits skips ASCII digits.
func (s *scanner) digits(i int) int {
	for i < len(s.b) && s.b[i]-'0' <= 9 {
		i++
	}
	return i
}

// literal scans the word at i.
func (s *scanner) literal(i int, word string) (int, error) {
	if len(s.b)-i < len(word) || string(s.b[i:i+len(word)]) != word {
		return 0, errSyntax
	}
	return i + len(word), nil
}
