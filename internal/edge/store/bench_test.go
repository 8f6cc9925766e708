package store

import (
	"path/filepath"
	"testing"
)

// BenchmarkCommit puts 1,000 packets and waits until they are on disk. One operation is one
// packet. Compare figures only where the disk is the same: bench-check uses memory.
func BenchmarkCommit(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "edge.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	record := make([]byte, 256)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 1000 {
		for k := range 1000 {
			s.Put(Packets, "/", uint64(i+k+1), record)
		}
		s.Trim(Packets, "/", uint64(max(i-100_000, 0)))
		if err := s.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
