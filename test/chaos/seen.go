package main

import (
	"fmt"
	"strconv"
	"time"
)

// seen is everything that the histories say.
type seen struct {
	*plan
	kills, terms []int64         // when edges had ended by SIGKILL and by SIGTERM
	ready        []time.Duration // after starts
	ended        []time.Duration // after SIGTERMs
	healed       []time.Duration // after faults of the disk
	dead         map[int]int64   // when backends were killed
	late         [][2]int64      // when the machine stood still, by time
	bare         []bareSeen
	away, back   int64
	goodbye      int64
	odd          []string
	ghosts       []string

	clients []clientSeen
	emits   map[emitID]*emitSeen
	handled map[eventKey][]handledSeen // client events, by time
	wires   map[string][]wireSeen      // deliveries, by sid
	lives   map[string]*lifeSeen       // by sid
}

// clientSeen is what one client saw, by time.
type clientSeen struct {
	conns  []connSeen
	lost   []int64
	ups    map[int]upSeen
	got    []gotSeen
	stale  []gotSeen
	bye    int64
	left   int64
	trying int64  // the last CONNECT
	asked  string // its pid
}

// connSeen is a CONNECT that was answered.
type connSeen struct {
	tried, at  int64
	asked      string // pid
	sid, pid   string
	lostBefore int64 // when the connection before was lost; 0: there was none
	leftBefore int64 // when the client ended the session before, if it did
}

type upSeen struct {
	at    int64
	asks  bool
	acked int64
}

type gotSeen struct {
	at int64
	id emitID
}

type emitID struct{ instance, emitter, n int }

func (id emitID) String() string { return fmt.Sprintf("%d/%d/%d", id.instance, id.emitter, id.n) }

type emitSeen struct {
	emitID
	begun    int64
	accepted int64 // 0: no result
	givenUp  int64 // when its sender stopped waiting for one, if it did
	kind     string
	target   string
	members  []string // of the room, if the emitter fills it itself
}

type eventKey struct{ c, k int }

type bareSeen struct {
	at  int64
	sid string
}

type handledSeen struct {
	at       int64
	instance int
	sid      string
}

// wireSeen is an event that reached a backend.
type wireSeen struct {
	at       int64
	instance int
	kind     string
	offset   uint64
	read     int64 // when the edge received it, on the edge's clock
	seq      uint64
	attempt  int
	key      eventKey
}

// lifeSeen is what handlers were told of a session's life.
type lifeSeen struct {
	c      int
	opens  []handledSeen
	closes []handledSeen
}

func (s *seen) fault(word string, t int64, fields []string) error {
	switch word {
	case "kill":
		s.kills = append(s.kills, t)
	case "term":
		s.terms = append(s.terms, t)
		if fields[0] != "0" {
			s.odd = append(s.odd, "the edge ended with code "+fields[0]+" after SIGTERM")
		}
		if len(fields) > 1 {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return err
			}
			s.ended = append(s.ended, time.Duration(n))
		}
	case "ready":
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return err
		}
		s.ready = append(s.ready, time.Duration(n))
	case "healed":
		n, err := numbers(fields)
		if err != nil {
			return err
		}
		s.healed = append(s.healed, time.Duration(n[0]))
	case "dead":
		n, err := numbers(fields)
		if err != nil {
			return err
		}
		s.dead[n[0]] = t
	case "late":
		n, err := numbers(fields)
		if err != nil {
			return err
		}
		s.late = append(s.late, [2]int64{t - int64(n[0]), t})
	case "away":
		s.away = t
	case "back":
		s.back = t
	case "goodbye":
		s.goodbye = t
	}
	return nil
}

func (s *seen) client(word string, t int64, fields []string) error {
	if word == "odd" {
		s.odd = append(s.odd, "client "+join(fields))
		return nil
	}
	n, err := numbers(fields)
	if err != nil {
		return err
	}
	c := &s.clients[n[0]]
	switch word {
	case "try":
		c.trying, c.asked = t, fields[1]
	case "on":
		conn := connSeen{tried: c.trying, at: t, asked: c.asked, sid: fields[1], pid: fields[2]}
		conn.leftBefore, c.left = c.left, 0
		if len(c.lost) > 0 {
			conn.lostBefore = c.lost[len(c.lost)-1]
		}
		c.conns = append(c.conns, conn)
	case "lost":
		c.lost = append(c.lost, t)
	case "up":
		c.ups[n[1]] = upSeen{at: t, asks: n[2] == 1}
	case "ack":
		up := c.ups[n[1]]
		up.acked = t
		c.ups[n[1]] = up
	case "got":
		c.got = append(c.got, gotSeen{t, emitID{n[1], n[2], n[3]}})
	case "stale":
		c.stale = append(c.stale, gotSeen{t, emitID{n[1], n[2], n[3]}})
	case "leave":
		c.left = t
	case "bye":
		c.bye = t
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

// numbers reads those of the fields that are numbers; others are 0.
func numbers(fields []string) ([]int, error) {
	n := make([]int, max(len(fields), 4))
	for i, f := range fields {
		n[i], _ = strconv.Atoi(f)
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("no fields")
	}
	return n, nil
}

// backendSeen reads the history of one backend.
type backendSeen struct {
	*seen
	instance int
	rooms    map[int][]string // members of emitters' own rooms, as of the line that is read
}

func (b *backendSeen) line(word string, t int64, fields []string) error {
	if word == "end" || word == "note" {
		return nil
	}
	n, err := numbers(fields)
	if err != nil {
		return err
	}
	switch word {
	case "wire":
		return b.wire(t, fields)
	case "open":
		l := b.life(fields[0])
		l.c = n[1]
		l.opens = append(l.opens, handledSeen{t, b.instance, fields[0]})
	case "close":
		l := b.life(fields[0])
		l.closes = append(l.closes, handledSeen{t, b.instance, fields[0]})
	case "event":
		key := eventKey{n[1], n[2]}
		b.handled[key] = append(b.handled[key], handledSeen{t, b.instance, fields[0]})
	case "bare":
		b.bare = append(b.bare, bareSeen{t, fields[0]})
	case "ghost":
		b.ghosts = append(b.ghosts, join(fields))
	case "emit":
		e := &emitSeen{emitID: emitID{b.instance, n[0], n[1]}, begun: t, kind: fields[2], target: fields[3]}
		if e.kind == "own" {
			e.members = b.rooms[n[0]]
		}
		b.emits[e.emitID] = e
	case "ok":
		b.emits[emitID{b.instance, n[0], n[1]}].accepted = t
	case "no":
		b.emits[emitID{b.instance, n[0], n[1]}].givenUp = t
	case "in":
		b.rooms[n[0]] = append(b.rooms[n[0]][:len(b.rooms[n[0]]):len(b.rooms[n[0]])], fields[1]) // a copy: emits keep theirs
	case "out":
		var rest []string
		for _, sid := range b.rooms[n[0]] {
			if sid != fields[1] {
				rest = append(rest, sid)
			}
		}
		b.rooms[n[0]] = rest
	case "odd":
		b.odd = append(b.odd, fmt.Sprintf("backend %d: %s", b.instance, join(fields)))
	case "suspend", "resume":
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func (b *backendSeen) life(sid string) *lifeSeen {
	l := b.lives[sid]
	if l == nil {
		l = &lifeSeen{}
		b.lives[sid] = l
	}
	return l
}

func (b *backendSeen) wire(t int64, fields []string) error {
	w := wireSeen{at: t, instance: b.instance, kind: fields[0]}
	var sid string
	if _, err := fmt.Sscan(join(fields[1:]), &sid, &w.offset, &w.read, &w.seq, &w.attempt, &w.key.c, &w.key.k); err != nil {
		return err
	}
	b.wires[sid] = append(b.wires[sid], w)
	return nil
}
