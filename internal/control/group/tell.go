package group

import (
	"fmt"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// Tell is what a member of a group, or somebody else, says to the members of a group.
type Tell struct {
	Group            string  // empty: that of From
	From             *Member // who is not told; nil: somebody else
	Namespace, Event string
	Args             []byte // a JSON array
	Attachments      [][]byte
	Answers          Answers // nil: nobody is asked for an answer
	Within           time.Duration
}

// Told is a Tell for one member.
type Told struct {
	ID uint64 // grows; for Member.Heard and Member.Answer
	*Tell
}

// Answers is told what became of a Tell that asks. It is called with locks held: it must not block
// and not call back.
type Answers interface {
	// Answer takes what one member said, or why it said nothing.
	Answer(memberID string, outcome socketio.Outcome, args []byte, attachments [][]byte)
	// Summary is the last call.
	Summary(socketio.AckSummary)
}

// question is a Tell whose answers are awaited. group.mu guards it.
type question struct {
	id      uint64
	answers Answers
	waits   map[*place]struct{}
	sum     socketio.AckSummary
	timer   *time.Timer
}

const (
	maxTold      = 1024 // messages that wait for one member
	maxToldBytes = 8 << 20
	maxQuestions = 1024 // of one group
)

// Size is what it costs a queue, in bytes.
func (t *Tell) Size() int {
	n := 128 + len(t.Event) + len(t.Args)
	for _, a := range t.Attachments {
		n += len(a)
	}
	return n
}

// Tell passes t on to every member that is attached or expected back, and again on its next stream
// until it was Heard. The error is ErrUnknown or a *socketio.Error; then nobody is told.
func (gs *Groups) Tell(t *Tell) (socketio.Receipt, error) {
	var g *group
	if t.From != nil && (t.Group == "" || t.Group == t.From.g.name) {
		g = t.From.g
	} else {
		var err error
		if g, err = gs.known(t.Group); err != nil {
			return socketio.Receipt{}, err
		}
	}
	g.mu.Lock()
	defer g.unlock()
	var q *question
	if t.Answers != nil && len(g.questions) >= maxQuestions {
		return socketio.Receipt{}, &socketio.Error{Reason: socketio.LimitExceeded,
			Text: fmt.Sprintf("tell %q: %d others wait for answers in group %s, more are not allowed", t.Event, maxQuestions, g.name)}
	}
	g.lastTold++
	told := Told{gs.cfg.Epoch<<epochBits + g.lastTold, t}
	if t.Answers != nil {
		q = g.askLocked(told)
	}
	var r socketio.Receipt
	for _, p := range g.places {
		if t.From != nil && p == t.From.place {
			continue
		}
		r.Matched++
		if q != nil {
			q.waits[p] = struct{}{}
		}
		if p.tell(told) {
			r.Written++
			continue
		}
		r.Dropped++
		if q != nil {
			q.settleLocked(p, socketio.Dropped, nil, nil)
		}
	}
	if q != nil {
		g.answeredLocked(q)
	}
	return r, nil
}

// tell queues what a member is told. It returns false if too much waits.
func (p *place) tell(t Told) bool {
	size := t.Size()
	if len(p.told) >= maxTold || len(p.told) > 0 && p.toldBytes+size > maxToldBytes {
		return false
	}
	p.told = append(p.told, t)
	p.toldBytes += size
	p.wake()
	return true
}

// tellLocked hands over what the member was not handed on this stream.
func (m *Member) tellLocked(b *Batch) {
	b.Told = append(b.Told, m.place.told[m.toldSent:]...)
	m.toldSent = len(m.place.told)
}

// Heard says that the member has got what it was told up to an id: it is not told again.
func (m *Member) Heard(id uint64) {
	m.g.mu.Lock()
	defer m.g.unlock()
	p := m.place
	if m.err != nil || p.gone {
		return
	}
	n := 0
	for n < m.toldSent && p.told[n].ID <= id {
		p.toldBytes -= p.told[n].Size()
		p.told[n] = Told{}
		n++
	}
	m.toldSent -= n
	if p.told = p.told[n:]; len(p.told) == 0 {
		p.told = nil
	}
}

func (g *group) askLocked(t Told) *question {
	q := &question{id: t.ID, answers: t.Answers, waits: make(map[*place]struct{})}
	if g.questions == nil {
		g.questions = make(map[uint64]*question)
	}
	g.questions[q.id] = q
	q.timer = time.AfterFunc(t.Within, func() { // ends by itself
		g.mu.Lock()
		defer g.unlock()
		for p := range q.waits {
			q.settleLocked(p, socketio.TimedOut, nil, nil)
		}
		g.answeredLocked(q)
	})
	return q
}

// settleLocked takes the answer of one member; only the first counts.
func (q *question) settleLocked(p *place, outcome socketio.Outcome, args []byte, attachments [][]byte) {
	if _, waits := q.waits[p]; !waits {
		return
	}
	delete(q.waits, p)
	switch outcome {
	case socketio.Acked:
		q.sum.Acked++
	case socketio.TimedOut:
		q.sum.TimedOut++
	case socketio.Disconnected:
		q.sum.Disconnected++
	case socketio.Dropped:
		q.sum.Dropped++
	}
	q.answers.Answer(p.id, outcome, args, attachments)
}

// answeredLocked ends a question that nobody owes an answer any more.
func (g *group) answeredLocked(q *question) {
	if len(q.waits) > 0 || g.questions[q.id] != q {
		return
	}
	delete(g.questions, q.id)
	q.timer.Stop()
	q.answers.Summary(q.sum)
}

// Answer takes the member's answer to what it was told. absent: there is nobody to give one.
func (m *Member) Answer(id uint64, absent bool, args []byte, attachments [][]byte) {
	g := m.g
	g.mu.Lock()
	defer g.unlock()
	q := g.questions[id]
	if q == nil {
		return
	}
	if absent {
		q.settleLocked(m.place, socketio.Disconnected, nil, nil)
	} else {
		q.settleLocked(m.place, socketio.Acked, args, attachments)
	}
	g.answeredLocked(q)
}

// goneLocked ends a place: what waits for it is dropped, and nobody waits for its answers.
func (g *group) goneLocked(p *place) {
	p.gone = true
	p.told, p.toldBytes = nil, 0
	if p.member != nil {
		p.member.toldSent = 0
	}
	for _, q := range g.questions {
		q.settleLocked(p, socketio.Disconnected, nil, nil)
		g.answeredLocked(q)
	}
}
