package sioedge

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// maxPending bounds the commands that have no result: who wants to send more waits.
const maxPending = 16384

// answerGrace is how long answers may take to get here once the edge has stopped waiting.
const answerGrace = 5 * time.Second

// commands is what was sent to the edge and is not answered. It outlives streams: each new one
// begins by repeating what is here, in order and under the same ids.
type commands struct {
	// Static after construction.
	log    *slog.Logger
	prefix string        // of command ids, this process's own
	slots  chan struct{} // one taken for each pending command
	closed chan struct{}

	mu      sync.Mutex // guards the following fields
	stream  *stream    // nil while the edge is away
	last    uint64
	pending map[string]*command
	asked   map[string]*question
}

// command is one that has no result yet.
type command struct {
	number uint64
	proto  *pb.Command
	size   int
	result chan error // of 1; nil if nobody waits
}

// question is an emit with acknowledgements.
type question struct {
	answers []Answer      // guarded by commands.mu
	done    chan struct{} // closed when all answers are here
}

func newCommands(log *slog.Logger, prefix string) *commands {
	return &commands{
		log:     log,
		prefix:  prefix,
		slots:   make(chan struct{}, maxPending),
		closed:  make(chan struct{}),
		pending: make(map[string]*command),
		asked:   make(map[string]*question),
	}
}

// submit gives a command its id and sends it, now or when the edge is back.
func (c *commands) submit(ctx context.Context, p *pb.Command, result chan error, q *question) (*command, error) {
	select {
	case <-c.closed:
		return nil, ErrClosed
	default:
	}
	p.TraceParent = TraceParent(ctx)
	size, err := sendable(p)
	if err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.closed:
		return nil, ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	p.CommandId = c.prefix + strconv.FormatUint(c.last, 36)
	cmd := &command{number: c.last, proto: p, size: size, result: result}
	c.pending[p.CommandId] = cmd
	if q != nil {
		c.asked[p.CommandId] = q
	}
	if c.stream != nil {
		c.stream.queue(outgoing{command: p, size: size})
	}
	return cmd, nil
}

// queue sends a command without waiting for its result.
func (c *commands) queue(ctx context.Context, p *pb.Command) error {
	_, err := c.submit(ctx, p, nil, nil)
	return err
}

// execute sends a command and waits for its result.
func (c *commands) execute(ctx context.Context, p *pb.Command) error {
	result := make(chan error, 1)
	cmd, err := c.submit(ctx, p, result, nil)
	if err != nil {
		return err
	}
	return c.wait(ctx, cmd)
}

func (c *commands) wait(ctx context.Context, cmd *command) error {
	select {
	case err := <-cmd.result:
		return err
	case <-ctx.Done():
		c.abandon(cmd)
		return ctx.Err()
	case <-c.closed:
		return ErrClosed
	}
}

// offer sends a volatile command if the edge is there. It is never repeated.
func (c *commands) offer(ctx context.Context, p *pb.Command) error {
	select {
	case <-c.closed:
		return ErrClosed
	default:
	}
	size, err := sendable(p)
	if err != nil {
		return err
	}
	p.Quiet, p.TraceParent = true, TraceParent(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		c.stream.queue(outgoing{command: p, size: size})
	}
	return nil
}

// ask sends an emit with acknowledgements and waits for them.
func (c *commands) ask(ctx context.Context, p *pb.Command, timeout time.Duration) ([]Answer, error) {
	q := &question{done: make(chan struct{})}
	cmd, err := c.submit(ctx, p, make(chan error, 1), q)
	if err != nil {
		return nil, err
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asked, p.CommandId)
	}()
	if err := c.wait(ctx, cmd); err != nil {
		return nil, err
	}
	late := time.NewTimer(timeout + answerGrace)
	defer late.Stop()
	select {
	case <-q.done:
	case <-late.C: // the summary was lost with a connection
		err = TimedOut
	case <-ctx.Done():
		// The clients' time and the caller's often end together; the edge's word is on its way.
		if err = c.lastWord(q); err != nil {
			err = ctx.Err()
		}
	case <-c.closed:
		err = ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(q.answers), err
}

// lastWord waits a moment for the answers of a question.
func (c *commands) lastWord(q *question) error {
	moment := time.NewTimer(100 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-q.done:
		return nil
	case <-moment.C:
		return TimedOut
	}
}

// abandon stops repeating a command for which nobody waits any more.
func (c *commands) abandon(cmd *command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[cmd.proto.CommandId] == cmd {
		delete(c.pending, cmd.proto.CommandId)
		<-c.slots
	}
}

// results takes what the edge answered.
func (c *commands) results(batch []*pb.CommandResult) {
	for _, r := range batch {
		err := newError(r.GetStatus())
		c.mu.Lock()
		cmd := c.pending[r.GetCommandId()]
		if cmd != nil {
			delete(c.pending, r.GetCommandId())
			<-c.slots
		}
		if q := c.asked[r.GetCommandId()]; q != nil && r.GetReceipt().GetMatched() == 0 {
			c.finish(r.GetCommandId()) // nobody will answer
		}
		c.mu.Unlock()
		switch {
		case cmd != nil && cmd.result != nil:
			cmd.result <- err
		case err != nil:
			c.log.Error("command failed", "error", err)
		}
	}
}

// acks takes what clients answered.
func (c *commands) acks(batch *pb.ClientAckBatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range batch.GetAcks() {
		if q := c.asked[p.GetCommandId()]; q != nil {
			q.answers = append(q.answers, newAnswer(p))
		}
	}
	for _, p := range batch.GetSummaries() {
		c.finish(p.GetCommandId())
	}
}

// finish ends a question. c.mu is held.
func (c *commands) finish(id string) {
	if q := c.asked[id]; q != nil {
		delete(c.asked, id)
		close(q.done)
	}
}

// attach repeats what is pending on a new stream and sends what comes on it; nil: the edge is
// away.
func (c *commands) attach(st *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = st
	if st == nil {
		return
	}
	again := make([]*command, 0, len(c.pending))
	for _, cmd := range c.pending {
		again = append(again, cmd)
	}
	slices.SortFunc(again, func(a, b *command) int { return cmp.Compare(a.number, b.number) })
	for _, cmd := range again {
		st.queue(outgoing{command: cmd.proto, size: cmd.size})
	}
}

// settledWithin waits until every command has its result.
func (c *commands) settledWithin(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(c.slots) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// close fails everything that is still waited for.
func (c *commands) close() { close(c.closed) }
