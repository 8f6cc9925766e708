package engineio

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// The memory of messages for one Socket goes from one to the next: none may show in another, also
// where a client reads late and leaves them in the queue.
func TestMessagesOfOneSocketDoNotMix(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		f := &floor{}
		e := newEdgeOn(t, over, Config{}, f)
		const writers, each, rounds, batch = 2, 3, 60, 10
		text := func(socket, n int) string { // of all sizes up to what is not used again
			size := n * n % (smallLoan + 100)
			if n%50 == 0 {
				size = smallLoan<<(n/50%len(loans)) + n
			}
			return fmt.Sprint(socket, ":", n, strings.Repeat("x", size))
		}
		start := make(chan struct{}) // closed when everything is queued
		var readers, queuers sync.WaitGroup
		for w := range writers {
			var mine []*Socket
			for i := range each {
				c, _ := e.ws()
				mine = append(mine, f.last())
				readers.Go(func() {
					if i == 0 {
						<-start // reads late
					}
					for n := range rounds * batch {
						if got, want := c.read(), "4"+text(w*each+i, n); got != want {
							t.Errorf("client %d got %.40q, want %.40q", w*each+i, got, want)
							return
						}
					}
				})
			}
			queuers.Go(func() {
				var flush Flush
				for n := range rounds {
					for k := range batch {
						for i, s := range mine {
							text := text(w*each+i, n*batch+k)
							if !flush.Queue(s, NewMessageOnce(len(text), func(b []byte) []byte { return append(b, text...) }, nil), false) {
								t.Error("not queued")
							}
						}
					}
					flush.Do()
				}
			})
		}
		queuers.Wait()
		close(start)
		readers.Wait()
	})
}

// Two that queue on the same Socket write each for themselves: neither waits for the other.
func TestAFlushDoesNotRelyOnAnother(t *testing.T) {
	onEach(t, func(t *testing.T, over wire) {
		f := &floor{}
		e := newEdgeOn(t, over, Config{}, f)
		c, _ := e.ws()
		s := f.last()
		var slow, quick Flush
		slow.Queue(s, NewMessage([]byte("1"), nil), false)
		quick.Queue(s, NewMessage([]byte("2"), nil), false)
		slow.Queue(s, NewMessage([]byte("3"), nil), false)
		quick.Do()
		c.want("41", "42", "43")
		eventually(t, "idle", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.writableLocked()
		})
		before := len(slow.sockets)
		for _, text := range []string{"4", "5", "6"} {
			slow.Queue(s, NewMessage([]byte(text), nil), false)
		}
		if n := len(slow.sockets) - before; n != 1 {
			t.Errorf("to be written %d times", n)
		}
		slow.Do()
		c.want("44", "45", "46")
	})
}
