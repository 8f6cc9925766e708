package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// rooms has its clients join rooms, and keeps events to some of the rooms on their way: always
// sent by the same member of a room, so that their order is known.
type rooms struct {
	count, size int
	tail        []byte // what follows the number

	joined int
	next   int
	sent   []uint64 // for each room
	open   map[roomEvent]*sending
}

// member is what one connection has seen of one of its rooms.
type member struct {
	room int
	next uint64
}

type roomEvent struct {
	room int
	n    uint64
}

const (
	roomWindow  = 100
	joinTimeout = time.Minute
)

func newRooms(s Scenario, size int) *rooms {
	return &rooms{count: s.A, size: s.B, tail: []byte(`,"` + strings.Repeat("z", size) + `"`),
		sent: make([]uint64, s.A), open: make(map[roomEvent]*sending)}
}

// start has every client enter its rooms. The places are dealt out in turn.
func (r *rooms) start(ctx context.Context, l *load) error {
	for place := range r.count * r.size {
		c := l.conns[place%len(l.conns)]
		c.rooms = append(c.rooms, member{room: place / r.size})
	}
	for _, c := range l.conns {
		var names []string
		for _, m := range c.rooms {
			names = append(names, `"r`+strconv.Itoa(m.room)+`"`)
		}
		l.send(c, []byte(`420["join",[`+strings.Join(names, ",")+`]]`))
	}
	joining := *l
	joining.doing, joining.ending = (*joiner)(r), true
	err := joining.run(ctx, joinTimeout, func() bool { return r.joined == len(l.conns) })
	l.dirty, l.wrong, l.dropped = joining.dirty, joining.wrong, joining.dropped
	if err == nil && r.joined != len(l.conns) {
		err = errors.New("no answer to every join")
	}
	if err != nil {
		return fmt.Errorf("join rooms: %w", err)
	}
	return nil
}

// joiner is rooms while its clients join.
type joiner rooms

func (*joiner) start(context.Context, *load) error { return nil }
func (*joiner) tick(*load, time.Time)              {}
func (*joiner) outstanding(*load) uint64           { return 0 }
func (j *joiner) message(l *load, c *conn, _ byte, payload []byte) {
	if string(payload) != `430[`+strconv.Itoa(len(c.rooms))+`]` {
		l.wrong++
	}
	j.joined++
}

func (r *rooms) tick(l *load, _ time.Time) {
	for len(r.open) < roomWindow {
		room := r.next % r.count
		r.next++
		first := l.conns[room*r.size%len(l.conns)]
		packet := strconv.AppendInt([]byte(`42["room","r`), int64(room), 10)
		packet = strconv.AppendUint(append(packet, `",`...), r.sent[room], 10)
		l.send(first, append(append(packet, r.tail...), ']'))
		r.open[roomEvent{room, r.sent[room]}] = &sending{at: time.Now(), left: r.size}
		r.sent[room]++
	}
}

func (r *rooms) message(l *load, c *conn, op byte, payload []byte) {
	rest, ok := bytes.CutPrefix(payload, []byte(`42["room","r`))
	name, rest, ok2 := bytes.Cut(rest, []byte(`",`))
	number, rest, ok3 := bytes.Cut(rest, []byte(`,`))
	room, err := strconv.Atoi(string(name))
	n, err2 := strconv.ParseUint(string(number), 10, 64)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil || op != opText || !bytes.HasPrefix(rest, r.tail[1:]) {
		l.wrong++
		return
	}
	s, m := r.open[roomEvent{room, n}], c.member(room)
	if s == nil || m == nil || n < m.next {
		l.wrong++ // twice, or not for this client
		return
	}
	if n > m.next {
		l.reordered++
	}
	m.next = n + 1
	l.done++
	if l.measuring {
		l.latencies = append(l.latencies, time.Since(s.at))
	}
	if s.left--; s.left == 0 {
		delete(r.open, roomEvent{room, n})
		if !l.ending {
			r.tick(l, time.Time{})
		}
	}
}

func (c *conn) member(room int) *member {
	for i := range c.rooms {
		if c.rooms[i].room == room {
			return &c.rooms[i]
		}
	}
	return nil
}

func (r *rooms) outstanding(*load) (n uint64) {
	for _, s := range r.open {
		n += uint64(s.left)
	}
	return n
}
