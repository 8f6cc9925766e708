package control_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// question is an emit to everyone that asks.
func question(id string) *pb.Command {
	cmd := emit(id, "ask", `[]`, &pb.Target{Everyone: true})
	cmd.Quiet = true
	cmd.GetEmit().Ack = &pb.AckRequest{Timeout: durationpb.New(time.Minute)}
	return cmd
}

// answers reads until the summary of a command has come.
func (m *member) answers(id string) (acks []string) {
	m.t.Helper()
	for {
		b := m.recv().GetClientAcks()
		for _, a := range b.GetAcks() {
			acks = append(acks, fmt.Sprint(a.CommandId, string(a.Payload.GetJson())))
		}
		for _, s := range b.GetSummaries() {
			if s.CommandId == id {
				return acks
			}
		}
	}
}

func TestAnswersComeOnTheNextStreamOfTheMember(t *testing.T) {
	w := newWorld(t)
	m := w.attach(chat())
	m.snapshot()
	c, _ := w.connect()
	opened := m.delivery()
	m.done(opened.DeliveryId)
	m.commands(question("q"))
	equal(t, "asked", c.recv(), `420["ask"]`)

	m.stream.CloseSend()
	for _, err := m.stream.Recv(); err != io.EOF; _, err = m.stream.Recv() {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.send(`430["late"]`) // while nobody is attached
	m = w.attach(chat())
	m.snapshot()
	equal(t, "answers", fmt.Sprint(m.answers("q")), `[q["late"]]`)

	// Of a stream that a newer one has taken over, while the edge does not know that it is dead.
	m.commands(question("q2"))
	equal(t, "asked", c.recv(), `421["ask"]`)
	m = w.attach(chat())
	m.snapshot()
	c.send(`431["after"]`)
	equal(t, "answers", fmt.Sprint(m.answers("q2")), `[q2["after"]]`)
}

func TestWhatIsQueuedForABackendThatIsDoneIsSent(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		m := w.attach(chat())
		m.snapshot()
		const n = 500
		var all []*pb.Command
		for j := range n { // nobody is there: each is answered at once
			all = append(all, question(fmt.Sprint(i, "-", j)))
		}
		m.commands(all...)
		m.stream.CloseSend()
		got := 0
		for {
			r, err := m.stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got += len(r.GetClientAcks().GetSummaries())
		}
		if got != n {
			t.Fatalf("%d of %d summaries came before the end of the stream", got, n)
		}
	}
}
