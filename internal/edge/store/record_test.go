package store

import (
	"bytes"
	"testing"
)

// FuzzRecord: what does not end in the check of its place and its value is no record, and what does
// is what was written.
func FuzzRecord(f *testing.F) {
	at := func(sub string, key uint64) change { return change{Sessions, sub, key} }
	f.Add([]byte{}, "", uint64(0))
	f.Add([]byte("value"), "/chat", uint64(7))
	f.Add(appendRecord(nil, at("/chat", 7), []byte("value")), "/chat", uint64(7))
	f.Add(appendRecord(nil, at("/other", 7), []byte("value")), "/chat", uint64(7))
	f.Fuzz(func(t *testing.T, b []byte, sub string, key uint64) {
		c := at(sub, key)
		value, err := parseRecord(c, b)
		if err == nil && !bytes.Equal(appendRecord(nil, c, value), b) {
			t.Errorf("%x was read as %x", b, value)
		}
		written := appendRecord(nil, c, b)
		if value, err := parseRecord(c, written); err != nil || !bytes.Equal(value, b) {
			t.Errorf("%x came back as %x, %v", b, value, err)
		}
		if _, err := parseRecord(at(sub, key+1), written); err == nil {
			t.Errorf("%x counts in another place", b)
		}
		if len(written) > 0 {
			written[len(b)/2] ^= 1
			if _, err := parseRecord(c, written); err == nil {
				t.Errorf("%x with a bit flipped counts", b)
			}
		}
	})
}
