package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sio-edge/sio-edge/internal/control/metrics"
	"github.com/sio-edge/sio-edge/internal/edge/audit"
	"github.com/sio-edge/sio-edge/internal/edge/store"
)

// BenchmarkStart is from the start of the process to its readiness, but for what the operating
// system and the Go runtime do: a file of so many sessions, each with a user, two attributes and
// three of 1,000 rooms, and 50,000 packets of 200 bytes.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := load(flagValues{}, func() []string { return nil })
			if err != nil {
				b.Fatal(err)
			}
			s.DataDir = text(b.TempDir())
			if err := fillStore(s, n, 50_000); err != nil {
				b.Fatal(err)
			}
			log := slog.New(slog.DiscardHandler)
			b.ReportAllocs()
			for b.Loop() {
				kept, id, err := openStore(s, log)
				if err != nil {
					b.Fatal(err)
				}
				groups := newGroups(s, id, kept, nil, log)
				sockets := newSockets(s, groups, kept, nil, metrics.New(), nil, entrance{audit: log, failures: audit.NewFailures(log)}, log)
				groups.Start(sockets)
				restored := restore(sockets, groups, kept, func(string, time.Time) {}, log)
				b.StopTimer()
				if restored != n {
					b.Fatal(restored)
				}
				groups.Close()
				sockets.Close()
				kept.Close()
				b.StartTimer()
			}
		})
	}
}

// fillStore leaves behind what a busy edge would, if it were killed just now.
func fillStore(s settings, sessions, packets int) error {
	kept, err := store.Open(s.storePath(), store.Options{})
	if err != nil {
		return err
	}
	str := func(b []byte, field protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
	}
	num := func(b []byte, field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
	}
	boot := store.BootID()
	for i := range uint64(sessions) {
		b := str(nil, 1, fmt.Sprintf("sid-%016d", i))
		b = str(b, 2, fmt.Sprintf("pid-%016d", i))
		b = str(b, 3, "/")
		b = str(b, 4, fmt.Sprintf("user-%d", i))
		b = str(b, 5, string(str(str(nil, 1, "name"), 2, fmt.Sprintf("Somebody %d", i))))
		b = str(b, 5, string(str(str(nil, 1, "plan"), 2, "free")))
		for j := range uint64(3) {
			b = str(b, 6, string(num(str(nil, 1, fmt.Sprintf("room-%d", (i*7+j*131)%1000)), 2, 1)))
		}
		b = num(b, 8, uint64(time.Now().UnixNano()))
		b = num(b, 10, 1)
		b = num(b, 13, 3)
		if i%2 == 0 { // the client had been away for a while
			b = num(b, 14, uint64(time.Now().Add(4*time.Minute).UnixNano()))
			b = str(b, 15, boot)
			b = num(b, 16, uint64(store.SinceBoot()+time.Hour))
		}
		kept.SaveSession(i+1, b)
	}
	for i := range uint64(packets) {
		b := str(nil, 1, "message")
		b = str(b, 2, `["`+strings.Repeat("x", 196)+`"]`)
		b = num(b, 4, uint64(time.Now().UnixNano()))
		b = str(b, 8, fmt.Sprintf("sid-%016d", i%uint64(sessions)))
		b = str(b, 13, fmt.Sprintf("command-%d", i))
		kept.SavePacket("/", i+1, b)
	}
	return kept.Close()
}
