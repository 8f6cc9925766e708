package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// answers is an Answers that records.
type answers struct {
	mu  sync.Mutex // guards the following
	got []string
	sum *socketio.AckSummary
}

func (a *answers) Answer(memberID string, outcome socketio.Outcome, args []byte, attachments [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, fmt.Sprint(memberID, " ", outcome, " ", string(args)))
}

func (a *answers) Summary(s socketio.AckSummary) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sum != nil {
		panic("two summaries")
	}
	a.sum = &s
}

// want checks what came so far; no sum: it has not ended.
func (a *answers) want(t *testing.T, sum string, got ...string) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := ""
	if a.sum != nil {
		s = fmt.Sprint(*a.sum)
	}
	if slices.Sort(a.got); s != sum || !slices.Equal(a.got, got) {
		t.Errorf("answers %q, sum %s; want %q, %s", a.got, s, got, sum)
	}
}

func (e *edge) tell(t *Tell) socketio.Receipt {
	e.t.Helper()
	r, err := e.gs.Tell(t)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

// said returns what the member was told since the last call.
func (m *member) said() string {
	m.t.Helper()
	m.next()
	var words []string
	for _, t := range m.told {
		words = append(words, t.Event)
	}
	return strings.Join(words, " ")
}

// hear checks what the member was told since the last call, and hears it.
func (m *member) hear(want string) (last Told) {
	m.t.Helper()
	if got := m.said(); got != want {
		m.t.Errorf("%s was told %q, want %q", m.place.id, got, want)
	}
	if n := len(m.told); n > 0 {
		last = m.told[n-1]
		m.Heard(last.ID)
	}
	m.told = nil
	return last
}

func TestATellReachesTheOthersInOrder(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b, c := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh), e.attach(hello("c"), Fresh)
		h := hello("d")
		h.Group = "other"
		d := e.attach(h, Fresh)
		for i := range 3 {
			if r := e.tell(&Tell{From: a.Member, Event: fmt.Sprint(i)}); r != (socketio.Receipt{Matched: 2, Written: 2}) {
				t.Errorf("receipt %+v", r)
			}
		}
		e.tell(&Tell{From: d.Member, Group: "g", Event: "from d"})
		e.tell(&Tell{Group: "other", Event: "from nobody"})
		a.hear("from d")
		if told := b.hear("0 1 2 from d"); told.ID != 4 || told.From != d.Member {
			t.Errorf("told %+v", told)
		}
		c.hear("0 1 2 from d")
		d.hear("from nobody")
		if _, err := e.gs.Tell(&Tell{Group: "nobody", Event: "x"}); !errors.Is(err, ErrUnknown) {
			t.Errorf("a group that is not there: %v", err)
		}
		if _, err := e.gs.Tell(&Tell{Event: "x"}); !errors.Is(err, ErrUnknown) {
			t.Errorf("no group: %v", err)
		}
		e.idle()
	})
}

func TestAMemberThatIsBackHearsWhatWasSaid(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh)
		b.Detach()
		e.tell(&Tell{From: a.Member, Event: "1"})
		time.Sleep(9 * time.Second)
		b = e.attach(hello("b"), Fresh)
		if b.said() != "1" {
			t.Errorf("told %v", b.told)
		}
		b.Detach() // without having heard it
		b = e.attach(hello("b"), Fresh)
		b.hear("1")
		b.Detach()
		b = e.attach(hello("b"), Fresh)
		b.hear("")
		b.Detach()
		e.tell(&Tell{From: a.Member, Event: "2"})
		time.Sleep(11 * time.Second) // longer than the grace
		if r := e.tell(&Tell{From: a.Member, Event: "3"}); r.Matched != 0 {
			t.Errorf("a member that is not expected back: %+v", r)
		}
		b = e.attach(hello("b"), Fresh)
		b.hear("")
	})
}

func TestWhatWaitsForOneMemberIsBounded(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a, b, c := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh), e.attach(hello("c"), Fresh)
		for range maxTold {
			e.tell(&Tell{From: a.Member, Event: "x"})
		}
		c.next()
		c.Heard(c.told[len(c.told)-1].ID)
		var got answers
		r := e.tell(&Tell{From: a.Member, Event: "y", Answers: &got, Within: time.Second})
		if r != (socketio.Receipt{Matched: 2, Written: 1, Dropped: 1}) {
			t.Errorf("receipt %+v", r)
		}
		got.want(t, "", fmt.Sprint("b ", socketio.Dropped, " "))
		b.next()
		if n := len(b.told); n != maxTold {
			t.Errorf("%d were kept", n)
		}
		b.Heard(b.told[9].ID)
		b.Heard(b.told[5].ID) // known
		if n := len(b.place.told); n != maxTold-10 {
			t.Errorf("%d are not heard", n)
		}
		b.Heard(1 << 60)
		if n, size := len(b.place.told), b.place.toldBytes; n != 0 || size != 0 {
			t.Errorf("%d, %d bytes are kept of what was heard", n, size)
		}
		big := make([]byte, 3<<20)
		for i := range 3 {
			if r := e.tell(&Tell{From: a.Member, Event: "z", Args: big}); (r.Dropped > 0) != (i == 2) {
				t.Errorf("message %d of 3 MiB: %+v", i, r)
			}
		}
	})
}

func TestAnswersComeFromEveryMember(t *testing.T) {
	virtual(t, Config{Epoch: 3}, func(t *testing.T, e *edge) {
		a, b, c, d := e.attach(hello("a"), Fresh), e.attach(hello("b"), Fresh), e.attach(hello("c"), Fresh), e.attach(hello("d"), Fresh)
		ask := func() *answers {
			var got answers
			e.tell(&Tell{From: a.Member, Event: "q", Answers: &got, Within: 15 * time.Second})
			return &got
		}
		first := ask()
		told := b.hear("q")
		if c.hear("q").ID != told.ID || told.ID>>epochBits != 3 {
			t.Errorf("asked as %x", told.ID)
		}
		d.hear("q")
		b.Answer(told.ID, false, []byte(`["b"]`), nil)
		b.Answer(told.ID, false, []byte(`["again"]`), nil)
		c.Answer(told.ID, true, nil, nil)
		a.Answer(told.ID, false, []byte(`["nobody asked"]`), nil)
		first.want(t, "", fmt.Sprintf("b %d [\"b\"]", socketio.Acked), fmt.Sprintf("c %d ", socketio.Disconnected))

		// The answer may come on the next stream.
		d.Detach()
		d = e.attach(hello("d"), Fresh)
		d.Answer(told.ID, false, []byte(`["d"]`), nil)
		first.want(t, "{2 0 1 0}", fmt.Sprintf("b %d [\"b\"]", socketio.Acked), fmt.Sprintf("c %d ", socketio.Disconnected), fmt.Sprintf("d %d [\"d\"]", socketio.Acked))
		d.Answer(told.ID, false, nil, nil) // late: of no question
		b.Answer(12345, false, nil, nil)

		// Who leaves, or does not come back within the grace, is not waited for.
		second := ask()
		b.Leave()
		c.Detach()
		second.want(t, "", fmt.Sprintf("b %d ", socketio.Disconnected))
		time.Sleep(11 * time.Second)
		second.want(t, "", fmt.Sprintf("b %d ", socketio.Disconnected), fmt.Sprintf("c %d ", socketio.Disconnected))
		time.Sleep(5 * time.Second)
		second.want(t, "{0 1 2 0}", fmt.Sprintf("b %d ", socketio.Disconnected), fmt.Sprintf("c %d ", socketio.Disconnected), fmt.Sprintf("d %d ", socketio.TimedOut))
		d.Leave()
		ask().want(t, "{0 0 0 0}") // there is nobody else
		if n := len(a.g.questions); n != 0 {
			t.Errorf("%d questions are open", n)
		}
	})
}

func TestTheQuestionsOfAGroupAreBounded(t *testing.T) {
	virtual(t, Config{}, func(t *testing.T, e *edge) {
		a := e.attach(hello("a"), Fresh)
		b := e.attach(hello("b"), Fresh)
		for range maxQuestions {
			e.tell(&Tell{From: a.Member, Event: "q", Answers: &answers{}, Within: time.Hour})
			b.hear("q")
		}
		_, err := e.gs.Tell(&Tell{From: a.Member, Event: "q", Answers: &answers{}, Within: time.Hour})
		var refused *socketio.Error
		if !errors.As(err, &refused) || refused.Reason != socketio.LimitExceeded {
			t.Errorf("one too many: %v", err)
		}
		e.tell(&Tell{From: a.Member, Event: "no question"})
	})
}
