package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// liveFile makes a file as an edge leaves it: records came, changed and went in many commits. It
// returns its bytes and what is in it.
func liveFile(t testing.TB, sessions int) (raw []byte, want map[change]string, ever map[change][]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edge.db")
	s, err := Open(path, Options{Every: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, ever = make(map[change]string), make(map[change][]string)
	put := func(table Table, sub string, key uint64, v string) {
		c := change{table, sub, key}
		ever[c] = append(ever[c], v)
		want[change{table, sub, key}] = v
		s.Put(table, sub, key, []byte(v))
	}
	r := rand.New(rand.NewPCG(7, 8))
	for i := range uint64(sessions) {
		put(Sessions, "", i+1, fmt.Sprintf("session %d %s", i, strings.Repeat("x", r.IntN(400))))
		put(Packets, fmt.Sprintf("/%d", i%3), i+1, fmt.Sprintf("packet %d %s", i, strings.Repeat("y", r.IntN(900))))
		if i%50 == 7 {
			put(Packets, "/0", i+1, fmt.Sprintf("large packet %d %s", i, strings.Repeat("z", 3000+r.IntN(9000))))
		}
		if i%3 == 0 {
			put(Events, "chat", i+1, fmt.Sprintf("event %d", i))
		}
		if i > 20 && i%2 == 0 {
			c := change{Sessions, "", i - 10}
			delete(want, c)
			s.Put(Sessions, "", c.key, nil)
		}
		if i%20 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(Groups, "chat", 0, `{"Mode":1}`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	used := (len(bytes.TrimRight(raw, "\x00")) + size - 1) / size * size // bbolt grows a file ahead of need
	return raw[:used], want, ever
}

// outcome is what became of a damaged file.
type outcome struct {
	opened, lossless, told, hidden int
	missing                        int // records
}

// try opens a damaged file and compares. Whatever is wrong, no record may be another than what
// was put, or of an earlier time if that was told. What is missing must have been told.
func (o *outcome) try(t *testing.T, path string, raw []byte, want map[change]string, ever map[change][]string, what string) (missing int) {
	t.Helper()
	os.Remove(path)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{LockTimeout: time.Second})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	o.opened++
	got := 0
	for i := range tableNames[1:] {
		table := Table(i + 1)
		damaged, err := s.Load(table, func(sub string, key uint64, v []byte) {
			c := change{table, sub, key}
			if w, ok := want[c]; ok && w == string(v) {
				got++
			} else if s.Loss == nil || !s.Loss.Hidden || !slices.Contains(ever[c], string(v)) {
				t.Errorf("%s: %s %q %d is %.60q, was %.60q", what, tableNames[table], sub, key, v, w)
			}
		})
		if err != nil || damaged > 0 {
			t.Errorf("%s: load %s: %d damaged, %v", what, tableNames[table], damaged, err)
		}
	}
	missing = len(want) - got
	o.missing += missing
	switch {
	case missing > 0 && s.Loss == nil:
		t.Errorf("%s: %d records are missing and nothing was told", what, missing)
	case s.Loss == nil:
		o.lossless++
	case s.Loss.Hidden:
		o.hidden++
	default:
		o.told++
	}
	if l := s.Loss; l != nil {
		if !l.Hidden && l.Sessions == 0 && l.whole(Packets) && missing > 0 {
			lost := 0 // of events and groups
			for c := range want {
				if c.table == Events || c.table == Groups {
					lost++
				}
			}
			if missing > lost {
				t.Errorf("%s: %+v, but %d records are missing", what, l, missing)
			}
		}
		os.Remove(l.Aside)
	}
	s.Put(Sessions, "", 1<<40, []byte("new"))
	if err := s.Sync(); err != nil {
		t.Errorf("%s: cannot be written: %v", what, err)
	}
	if r := s.Stats().Replaced; r > 0 {
		t.Errorf("%s: replaced while in use", what)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return missing
}

func TestP10_D3_BitFlips(t *testing.T) {
	raw, want, ever := liveFile(t, 400)
	path := filepath.Join(t.TempDir(), "edge.db")
	r := rand.New(rand.NewPCG(9, 10))
	var o outcome
	few := 0
	n := rounds(200, 20_000)
	for i := range n {
		at, bit := r.IntN(len(raw)), byte(1)<<r.IntN(8)
		if i%4 == 0 { // where it hurts most
			at = at/os.Getpagesize()*os.Getpagesize() + r.IntN(64)
		}
		raw[at] ^= bit
		if missing := o.try(t, path, raw, want, ever, fmt.Sprintf("bit %#x of byte %d", bit, at)); missing <= len(want)/100 {
			few++
		}
		raw[at] ^= bit
		if t.Failed() {
			return
		}
	}
	t.Logf("%d flips in %d bytes with %d records: %+v; in %d of them 99%% of the records survived", n, len(raw), len(want), o, few)
	// In 97 % of the flips, as 20,000 of them have shown. Fewer are a sample with a spread of their own.
	if least := 0.95*float64(n) - 3*math.Sqrt(float64(n)*0.95*0.05); float64(few) < least {
		t.Errorf("99%% of the records survived only %d of %d, want %.0f", few, n, least)
	}
}

func TestD2_Truncations(t *testing.T) {
	raw, want, ever := liveFile(t, 200)
	path := filepath.Join(t.TempDir(), "edge.db")
	r := rand.New(rand.NewPCG(11, 12))
	var o outcome
	n := rounds(100, 2000)
	for i := range n {
		at := r.IntN(len(raw))
		if i%2 == 0 {
			at = at / os.Getpagesize() * os.Getpagesize()
		}
		o.try(t, path, raw[:at], want, ever, fmt.Sprintf("cut at %d of %d", at, len(raw)))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d truncations: %+v", n, o)
}

// TestPageSwaps exchanges pages, overwrites pages with others, with zeros, with noise and with
// what they held before.
func TestPageSwaps(t *testing.T) {
	older, _, _ := liveFile(t, 150)
	raw, want, ever := liveFile(t, 200)
	path := filepath.Join(t.TempDir(), "edge.db")
	r := rand.New(rand.NewPCG(13, 14))
	size := os.Getpagesize()
	page := func(b []byte, i int) []byte { return b[i*size : (i+1)*size] }
	var o outcome
	n := rounds(150, 2000)
	for i := range n {
		b := bytes.Clone(raw)
		x, y := r.IntN(len(b)/size), r.IntN(len(b)/size)
		what := fmt.Sprintf("way %d, pages %d and %d", i%5, x, y)
		switch i % 5 {
		case 0:
			copy(page(b, x), page(raw, y))
			copy(page(b, y), page(raw, x))
		case 1:
			copy(page(b, x), page(raw, y))
		case 2:
			clear(page(b, x))
		case 3:
			for j := range page(b, x) {
				page(b, x)[j] = byte(r.Uint32())
			}
		case 4:
			// A meta page of the commit before the last but one is what a disk leaves that only
			// says it has synced: no file can tell that by itself.
			if x >= 2 && x*size+size <= len(older) {
				copy(page(b, x), page(older, x))
			}
		}
		o.try(t, path, b, want, ever, what)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d page faults: %+v", n, o)
}

// A page that shows an older state of itself has nothing wrong with it.
func TestAPageOfAnEarlierTimeIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{})
	s.Together(func() { // in one commit: no other page has been there before
		for i := range uint64(200) {
			s.Put(Sessions, "", i+1, []byte(fmt.Sprintf("rooms of session %d: none %0100d", i, 0)))
		}
	})
	s.Close()
	old, _ := os.ReadFile(path)
	size := os.Getpagesize()
	leaf := -1
	for i := 2; i < len(old)/size; i++ {
		if bytes.Contains(old[i*size:(i+1)*size], []byte("session 50: none")) {
			leaf = i
		}
	}
	// The same page later, with one record changed in place, as a lost write would leave it.
	raw := bytes.Clone(old)
	stale := appendRecord(nil, change{Sessions, "", 51}, []byte(fmt.Sprintf("rooms of session %d: some %0100d", 50, 0)))
	at := bytes.Index(raw[leaf*size:], []byte("rooms of session 50:")) + leaf*size
	copy(raw[at:], stale)
	os.WriteFile(path, raw, 0o600)
	s = open(t, path, Options{})
	if s.Loss == nil || !s.Loss.Hidden {
		t.Fatalf("%+v", s.Loss)
	}
	if got, _ := load(t, s, Sessions); len(got) != 200 {
		t.Errorf("%d sessions", len(got))
	}
}

func TestDamageIsToldInOneSentence(t *testing.T) {
	raw, want, _ := liveFile(t, 100)
	path := filepath.Join(t.TempDir(), "edge.db")
	at := bytes.Index(raw, []byte("session 99"))
	raw[at] ^= 1
	os.WriteFile(path, raw, 0o600)
	var out bytes.Buffer
	s := open(t, path, Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
	if s.Loss == nil || s.Loss.Hidden || s.Loss.Sessions != 1 || !s.Whole(Packets) {
		t.Errorf("%+v", s.Loss)
	}
	if got, _ := load(t, s, Sessions); len(got) != countOf(want, Sessions)-1 {
		t.Errorf("%d sessions", len(got))
	}
	if aside, err := os.ReadFile(s.Loss.Aside); err != nil || !bytes.Equal(aside, raw) {
		t.Errorf("set aside: %v", err)
	}
	for _, part := range []string{"edge.db: 1 of ", "records failed their check; set aside as edge.db.damaged-", "; 1 session starts anew"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is not in %q", part, &out)
		}
	}
}

func countOf(records map[change]string, t Table) (n int) {
	for c := range records {
		if c.table == t {
			n++
		}
	}
	return n
}

// TestDamageThatAReaderMeets: who reads a file first in which bbolt cannot even begin must not
// leave the committer waiting for the locks that bbolt keeps then.
func TestDamageThatAReaderMeets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path, Options{Retry: 5 * time.Millisecond})
	s.Rebuild(func() { s.Put(Sessions, "", 1, []byte("kept")) })
	s.Put(Sessions, "", 1, []byte("kept"))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, make([]byte, 1<<20), 0o600)
	for range 2 {
		if err := s.LoadFrom(Settled, "chat", 0, func(uint64, []byte) bool { return true }); err == nil {
			t.Error("a ruined file was read")
		}
	}
	s.Put(Sessions, "", 2, []byte("new"))
	synced := make(chan error, 1)
	s.Committed(func(err error) { synced <- err })
	select {
	case err := <-synced:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the committer waits for ever")
	}
	if got, damaged := load(t, s, Sessions); len(got) != 2 || damaged > 0 || s.Stats().Replaced != 1 {
		t.Errorf("%v, %d damaged, replaced %d times", got, damaged, s.Stats().Replaced)
	}
}

// TestDamageWhileInUse ruins the file under a running store. With Rebuild everything that is in
// memory is on disk again, and nobody was told that it was before it was.
func TestDamageWhileInUse(t *testing.T) {
	for _, ruin := range []struct {
		name string
		do   func(path string)
	}{
		{"noise", func(path string) {
			f, _ := os.OpenFile(path, os.O_WRONLY, 0)
			defer f.Close()
			info, _ := f.Stat()
			noise := bytes.Repeat([]byte{0xff, 0x13}, os.Getpagesize()/2)
			for at := int64(2 * os.Getpagesize()); at < info.Size(); at += int64(len(noise)) {
				f.WriteAt(noise, at)
			}
		}},
		{"truncated", func(path string) { os.Truncate(path, int64(2*os.Getpagesize())) }},
		{"zeros", func(path string) { os.WriteFile(path, make([]byte, 1<<20), 0o600) }},
	} {
		t.Run(ruin.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edge.db")
			const n = 3000
			var s *Store
			rebuilt := 0
			all := func() {
				for i := range uint64(n) {
					s.Put(Sessions, "", i+1, []byte(fmt.Sprintf("session %d %0200d", i, 0)))
				}
			}
			var out bytes.Buffer
			s = open(t, path, Options{Retry: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&out, nil))})
			s.Rebuild(func() { rebuilt++; all() })
			id := s.Identity
			all()
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			ruin.do(path)
			for i := range uint64(20) {
				s.Put(Sessions, "", i*100+1, []byte(fmt.Sprintf("session %d %0200d", i*100, 0)))
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if rebuilt != 1 || s.State() != Healthy {
				t.Errorf("rebuilt %d times, state %v", rebuilt, s.State())
			}
			if got, damaged := load(t, s, Sessions); len(got) != n || damaged > 0 {
				t.Errorf("%d sessions, %d damaged", len(got), damaged)
			}
			if !strings.Contains(out.String(), "set aside as edge.db.damaged-") {
				t.Errorf("told: %s", &out)
			}
			s.Close()
			s = open(t, path, Options{})
			if s.EdgeID != id.EdgeID || s.LogID != id.LogID || s.Epoch != id.Epoch+1 || s.Loss != nil {
				t.Errorf("identity %+v after %+v, %+v", s.Identity, id, s.Loss)
			}
		})
	}
}
