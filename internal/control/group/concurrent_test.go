package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Sessions, members and their ends on goroutines of their own: for the race detector, and to see
// that every event is settled once and in order all the same.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, Config{Spec: Spec{AckDeadline: time.Hour, MaxBacklogEvents: 300, MaxAttempts: 1 << 14}})
		defer e.gs.Close()
		first := e.attach(hello("m0"), Fresh)
		var mu sync.Mutex
		last := make(map[string]uint64) // seq settled last
		ended := 0

		ctx, stop := context.WithCancel(context.Background())
		var members, sessions sync.WaitGroup
		for i := range 4 {
			members.Go(func() {
				var m *Member
				if i == 0 {
					m = first.Member
				}
				for n := 1; ctx.Err() == nil; n++ {
					if m == nil {
						h := hello(fmt.Sprint("m", i))
						h.InstanceID = fmt.Sprint(n)
						h.Flow = Flow{Events: 32, PerSession: 4}
						var err error
						if m, _, err = e.gs.Attach(h); err != nil {
							t.Error(err)
							return
						}
						m.Snapshot(10, func([]socketio.Session) error { return nil })
					}
					life, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(4000))*time.Millisecond)
					b := Batch{Deliveries: make([]Delivery, 0, 5)}
					for m.Next(life, &b) == nil {
						time.Sleep(time.Millisecond)
						var ids []uint64
						for _, d := range b.Deliveries {
							ids = append(ids, d.ID)
						}
						mu.Lock()
						for _, d := range m.TakeAll(ids, nil) {
							if d.Event != nil {
								sid := d.Event.Socket.SID
								if d.Event.Seq != last[sid]+1 {
									t.Errorf("%s: %d settled after %d", sid, d.Event.Seq, last[sid])
								}
								last[sid] = d.Event.Seq
								if d.Event.Kind == socketio.Closed {
									ended++
								}
							}
						}
						mu.Unlock()
					}
					cancel()
					if n%3 == 0 {
						m.Leave()
					}
					m.Detach()
					m = nil
				}
			})
		}
		const count = 40
		for i := range count {
			sessions.Go(func() {
				sid := fmt.Sprint("/#", i)
				e.open(sid)
				for range 100 {
					e.emit(sid, "x")
					time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
				}
				e.close(sid)
			})
		}
		sessions.Wait()
		for done := 0; done < count; {
			time.Sleep(time.Second)
			mu.Lock()
			done = ended
			mu.Unlock()
		}
		stop()
		members.Wait()
		for sid, seq := range last {
			if seq != 102 {
				t.Errorf("%s: settled %d events, want 102", sid, seq)
			}
		}
		synctest.Wait()
		e.idle()
	})
}
