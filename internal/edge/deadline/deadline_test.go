package deadline

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// alarm is something with a deadline, as conn and Socket are.
type alarm struct {
	mu    sync.Mutex
	list  *List
	d     Deadline
	fired []int64
}

func (a *alarm) Expired(*List) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.d.Passed(a.list) {
		a.d.Remove()
		a.fired = append(a.fired, a.list.Now())
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &List{Span: 10 * time.Second, Pace: 10 * time.Millisecond, Start: time.Now()}
		defer l.Stop()
		rnd := rand.New(rand.NewPCG(3, 4))
		alarms := make([]*alarm, 200)
		due := make([]int64, len(alarms)) // a model
		for i := range alarms {
			alarms[i] = &alarm{list: l}
		}
		for range 5000 {
			i := rnd.IntN(len(alarms))
			a := alarms[i]
			a.mu.Lock()
			switch rnd.IntN(4) {
			case 0:
				a.d.Remove()
				due[i] = 0
			case 1:
				due[i] = l.Now() + int64(l.Span) - rnd.Int64N(1e9)
				l.AddAt(&a.d, a, due[i])
			default:
				due[i] = l.Now() + int64(l.Span)
				l.Add(&a.d, a)
			}
			a.mu.Unlock()
			time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
			synctest.Wait()
			for i, a := range alarms {
				a.mu.Lock()
				switch now := l.Now(); {
				case due[i] != 0 && due[i] <= now-int64(l.Pace) && len(a.fired) == 0:
					t.Fatalf("%d did not fire", i)
				case len(a.fired) > 0 && (due[i] == 0 || a.fired[0] < due[i] || a.fired[0] > due[i]+int64(l.Pace)):
					t.Fatalf("%d fired at %v, due %d", i, a.fired, due[i])
				case len(a.fired) > 0:
					due[i], a.fired = 0, nil
				}
				a.mu.Unlock()
			}
			l.mu.Lock()
			var order []int64
			for d := l.head; d != nil; d = d.next {
				order = append(order, d.at)
			}
			l.mu.Unlock()
			if !slices.IsSorted(order) {
				t.Fatal("not in order")
			}
		}
	})
}
