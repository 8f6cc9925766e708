package sio

import (
	"bytes"
	"slices"
)

// members scans an object that begins at i and calls visit with every key and with where its value
// begins and ends.
func (s *scanner) members(i int, visit func(key token, value, end int)) (int, error) {
	i = s.space(i + 1)
	if i < len(s.b) && s.b[i] == '}' {
		return i + 1, nil
	}
	for {
		value, key, err := s.key(i)
		if err != nil {
			return 0, err
		}
		value = s.space(value)
		end, err := s.value(value)
		if err != nil {
			return 0, err
		}
		visit(key, value, end)
		i = s.space(end)
		if i >= len(s.b) {
			return 0, errSyntax
		}
		switch s.b[i] {
		case '}':
			return i + 1, nil
		case ',':
			i++
		default:
			return 0, errSyntax
		}
	}
}

// object scans an object that begins at i and refuses a key that is there twice: which of the two
// counts differs from language to language.
func (s *scanner) object(i int) (int, error) {
	var few [16][]byte
	keys := few[:0]
	end, err := s.members(i, func(key token, _, _ int) {
		raw := key.raw(s.b)
		if key.escaped {
			raw = unescape(nil, raw)
		}
		keys = append(keys, raw)
	})
	if err != nil {
		return 0, err
	}
	// Sorted, not hashed: no choice of keys makes this slow.
	slices.SortFunc(keys, bytes.Compare)
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(keys[i-1], keys[i]) {
			return 0, errDuplicate
		}
	}
	return end, nil
}

// RecoveryKeys takes the keys pid and offset out of an auth object that a Decoder has checked.
// They count at the top level and if they are strings; escapes in a key do not hide it. rest is
// auth without them and otherwise byte for byte the same; auth itself is not changed.
func RecoveryKeys(auth []byte) (pid, offset string, rest []byte) {
	names, values := [2]string{"pid", "offset"}, [2]string{}
	rest = takeStrings(auth, names[:], values[:])
	return values[0], values[1], rest
}

// StringKey takes one key out of an auth object in the same way. Keys that differ in case are
// other keys. The value is empty if the key is not there, or is no string: then rest is auth.
func StringKey(auth []byte, key string) (value string, rest []byte) {
	names, values := [1]string{key}, [1]string{}
	rest = takeStrings(auth, names[:], values[:])
	return values[0], rest
}

// takeStrings returns auth without the named members that are strings, whose values it sets.
func takeStrings(auth []byte, names, values []string) (rest []byte) {
	s := scanner{b: auth, depth: maxDepth}
	start := s.space(0)
	if start == len(auth) || auth[start] != '{' {
		return auth
	}
	found := false
	from := start + 1 // of the member that comes next, with the white space before it
	rest = append(make([]byte, 0, len(auth)), auth[:start+1]...)
	end, err := s.members(start, func(key token, value, end int) {
		// With the white space after it.
		to := s.space(end)
		member := auth[from:to]
		from = to + 1
		if auth[value] == '"' {
			for i, name := range names {
				if key.is(auth, name) {
					values[i] = string(unescape(nil, auth[value+1:end-1]))
					found = true
					return
				}
			}
		}
		if len(rest) > start+1 {
			rest = append(rest, ',')
		}
		rest = append(rest, member...)
	})
	if err != nil || !found {
		clear(values)
		return auth
	}
	return append(rest, auth[end-1:]...)
}
