package store

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestD6_TheFileStaysWithinTwiceTheLiveData is an hour of churn, faster: a second is one commit
// here. The file is a tenth of what is looked at every minute, so it is looked at after each. Each
// second sessions come and packets that are kept for six minutes; most sessions go again soon and
// leave a few among them that stay, which is what makes pages sparse.
func TestD6_TheFileStaysWithinTwiceTheLiveData(t *testing.T) {
	for _, c := range []struct {
		name              string
		sessions, packets int     // a second
		stay              float64 // of the sessions, for about half an hour; the others for half a minute
		bound             float64
	}{
		{"visitors", 100, 40, 0, 2},
		{"few stay", 100, 0, 0.1, 2},
		{"most stay", 40, 10, 0.6, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "edge.db")
			s := open(t, path, Options{Every: time.Nanosecond, Shrink: 1 << 20, ShrinkEvery: time.Nanosecond})
			r := rand.New(rand.NewPCG(21, 22))
			ends := make(map[uint64][]uint64) // keys by second
			size := make(map[uint64]int)
			var keys, offset uint64
			live, worst, sum, measured := 0, 0.0, 0.0, 0
			seconds := uint64(rounds(300, 3600))
			for now := range seconds {
				for range c.sessions {
					keys++
					v := []byte(strings.Repeat("s", 150+r.IntN(150)))
					size[keys] = len(v)
					live += len(v)
					s.Put(Sessions, "", keys, v)
					mean := 30.0
					if r.Float64() < c.stay {
						mean = 1800
					}
					end := now + 1 + uint64(r.ExpFloat64()*mean)
					ends[end] = append(ends[end], keys)
				}
				for _, key := range ends[now] {
					s.Put(Sessions, "", key, nil)
					live -= size[key]
					delete(size, key)
				}
				delete(ends, now)
				for range c.packets {
					offset++
					s.Put(Packets, "/", offset, []byte(strings.Repeat("p", 300)))
					live += 300
				}
				if aged := uint64(360 * c.packets); offset > aged {
					s.Trim(Packets, "/", offset-aged)
					live -= c.packets * 300
				}
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				if now > 120 {
					ratio := float64(s.Stats().FileBytes) / float64(live)
					worst, sum, measured = max(worst, ratio), sum+ratio, measured+1
				}
			}
			st := s.Stats()
			t.Logf("%d s, %d changes: the file was %.2f times the live data on average, %.2f at most; %d sessions, %.1f MB live, %d rewrites",
				seconds, st.Records, sum/float64(measured), worst, len(size), float64(live)/1e6, st.Rewrites)
			if worst > c.bound {
				t.Errorf("the file was %.2f times the live data", worst)
			}
		})
	}
}
