package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sessionRecord is as long as that of a session in three rooms.
var benchRecord = []byte(strings.Repeat("r", 300))

// fill makes a file with so many sessions.
func fill(b *testing.B, sessions int) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "edge.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range uint64(sessions) {
		s.Put(Sessions, "", i+1, benchRecord)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkOpen is from a file to its sessions in memory.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := fill(b, n)
			for b.Loop() {
				s, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				loaded := 0
				s.Load(Sessions, func(string, uint64, []byte) { loaded++ })
				if loaded != n {
					b.Fatal(loaded)
				}
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkShrink is how long nothing is committed while a file is rewritten.
func BenchmarkShrink(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := Open(fill(b, n), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				if err := s.rewrite(s.file.os); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSustained changes 10,000 sessions a second, in the ways that an edge does, among
// 100,000 that are there: what a commit takes and what is written.
func BenchmarkSustained(b *testing.B) {
	for _, way := range []string{"churn", "random"} {
		b.Run(way, func(b *testing.B) {
			const rate, live = 10_000, 100_000
			s, err := Open(fill(b, live), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var mu sync.Mutex
			var waits []time.Duration
			written, began := ioWritten(), time.Now()
			next, oldest := uint64(live+1), uint64(1)
			ticks := 0
			length := 3 * time.Second
			if torture() {
				length = 30 * time.Second
			}
			for b.Loop() {
				for time.Since(began) < length {
					for range rate / 1000 {
						if way == "churn" { // one comes, one goes
							s.Put(Sessions, "", next, benchRecord)
							s.Put(Sessions, "", oldest, nil)
							next, oldest = next+1, oldest+1
						} else {
							s.Put(Sessions, "", next*7919%live+1, benchRecord)
							next++
						}
					}
					at := time.Now()
					s.Committed(func(err error) {
						mu.Lock()
						defer mu.Unlock()
						waits = append(waits, time.Since(at))
					})
					ticks++
					time.Sleep(time.Until(began.Add(time.Duration(ticks) * time.Millisecond)))
				}
			}
			s.Sync()
			took := time.Since(began).Seconds()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(waits)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(ticks*rate/1000)/took, "changes/s")
			b.ReportMetric(float64(s.Stats().Commits)/took, "commits/s")
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(ioWritten()-written)/took/1e6, "MB/s")
		})
	}
}

// ioWritten is what this process has handed to disks, in bytes; 0 where it cannot be told.
func ioWritten() (n int64) {
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		fmt.Sscanf(line, "write_bytes: %d", &n)
	}
	return n
}
