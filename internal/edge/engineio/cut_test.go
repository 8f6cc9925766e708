package engineio

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// cuts are the moments at which an upgrade breaks, in order. Each gets the session's id and leaves
// a connection that has ended.
var cuts = []struct {
	name string
	do   func(e *edge, sid string)
}{
	{"dialled", func(e *edge, sid string) { e.bare("").Close() }},
	{"half a request", func(e *edge, sid string) { e.bare("GET /socket.io/?EIO=4&transport=websocket&sid=" + sid).Close() }},
	{"before the response", func(e *edge, sid string) {
		e.bare(fmt.Sprintf(upgradeRequest, "EIO=4&transport=websocket&sid="+sid, "edge.test", "")).Close()
	}},
	{"before the probe", func(e *edge, sid string) { e.probe(sid).conn.Close() }},
	{"half a probe", func(e *edge, sid string) {
		c := e.probe(sid)
		c.send(frame(0x81, []byte("2probe"))[:5])
		c.conn.Close()
	}},
	{"after the probe", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.conn.Close()
	}},
	{"after the answer", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		c.conn.Close()
	}},
	{"closed after the answer", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		c.send(frame(0x88, nil))
		c.conn.Close()
	}},
	{"reset after the answer", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		beneath(c.conn).SetLinger(0)
		c.conn.Close()
	}},
	{"another packet than 5", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		c.say("4no")
		c.conn.Close()
	}},
	{"half a 5", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe")
		c.want("3probe")
		c.send(frame(0x81, []byte("5"))[:3])
		c.conn.Close()
	}},
	{"probed twice", func(e *edge, sid string) {
		c := e.probe(sid)
		c.say("2probe", "2probe")
		c.conn.Close()
	}},
}

// bare is a connection on which so much was written.
func (e *edge) bare(text string) net.Conn {
	c, err := e.dialer()
	if err != nil {
		e.t.Fatal(err)
	}
	c.Write([]byte(text))
	return c
}

// traffic is what came one way of one session: numbers, from 0.
type traffic struct {
	mu    sync.Mutex // guards the following
	next  int        // the number that must come
	wrong string
}

func (x *traffic) expect(packet string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, err := strconv.Atoi(packet)
	if (err != nil || n != x.next) && x.wrong == "" {
		x.wrong = fmt.Sprintf("%q came when %d was due", packet, x.next)
	}
	x.next++
}

func (x *traffic) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.next
}

// TestP2_UpgradesThatAreCutCostNothing: with messages on the way in both directions nothing is
// lost, repeated or out of order, and every session goes on polling.
func TestP2_UpgradesThatAreCutCostNothing(t *testing.T) {
	n := 504
	if os.Getenv("SIOEDGE_TORTURE") != "" {
		n = 10_000
	}
	const packets = 15 // each way while it is cut
	type session struct {
		*Socket
		up, down traffic
	}
	var sessions sync.Map // of *session by sid
	f := &floor{mute: true}
	f.open = func(s *Socket) { sessions.Store(s.SID, &session{Socket: s}) }
	f.hear = func(s *Socket, _ bool, data []byte) {
		k, _ := sessions.Load(s.SID)
		k.(*session).up.expect(string(data))
	}
	e := newEdge(t, Config{}, f)
	var next atomic.Int64
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for !t.Failed() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				cut := cuts[i%len(cuts)]
				sid, q := e.poll()
				v, _ := sessions.Load(sid)
				s := v.(*session)
				poll := func(until int) {
					for s.down.count() < until {
						_, body := e.do("GET", q, "")
						for p := range strings.SplitSeq(body, "\x1e") {
							switch {
							case p == "6" || p == "2":
							case strings.HasPrefix(p, "4"):
								s.down.expect(p[1:])
							default:
								t.Errorf("%s: polled %.80q", cut.name, body)
								return
							}
						}
					}
				}
				say := func(from, to int) {
					for n := from; n < to; n++ {
						s.Queue(NewMessage([]byte(strconv.Itoa(n)), nil), false)
						s.Flush()
					}
				}
				post := func(from, to int) {
					for n := from; n < to; n++ {
						e.want(200, "ok", "POST", q, "4"+strconv.Itoa(n))
					}
				}
				var talking sync.WaitGroup
				talking.Go(func() { say(0, packets) })
				talking.Go(func() { post(0, packets) })
				talking.Go(func() { poll(packets) })
				cut.do(e, sid)
				talking.Wait()
				say(packets, packets+1) // it polls on, and is heard
				post(packets, packets+1)
				poll(packets + 1)
				if s.Transport() != Polling {
					t.Errorf("%s: on %v", cut.name, s.Transport())
				}
				for way, x := range map[string]*traffic{"up": &s.up, "down": &s.down} {
					if got := x.count(); got != packets+1 || x.wrong != "" {
						t.Errorf("%s: %d packets %s of %d; %s", cut.name, got, way, packets+1, x.wrong)
					}
				}
				e.want(200, "ok", "POST", q, "1")
			}
		})
	}
	work.Wait()
	t.Logf("%d upgrades cut at %d points, %d packets each way", n, len(cuts), n*(packets+1))
}
