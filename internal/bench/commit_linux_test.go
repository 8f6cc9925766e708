package bench

import (
	"path/filepath"
	"testing"

	"github.com/sio-edge/sio-edge/internal/edge/store"
)

// BenchmarkCommit puts 1,000 packets and waits until they are on disk. One operation is one
// packet. Compare figures only where the disk is the same: bench-check uses memory.
func BenchmarkCommit(b *testing.B) {
	s, err := store.Open(filepath.Join(b.TempDir(), "edge.db"), store.Options{Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const batch, kept = 1000, 100_000
	record := make([]byte, 256)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		for k := range batch {
			s.SavePacket("/", uint64(i+k+1), record)
		}
		if i > kept {
			s.TrimPackets("/", uint64(i-kept))
		}
		if err := s.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
